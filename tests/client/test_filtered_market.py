"""The channel of a buyer's own, and filters on the server, through both clients."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from aiqleads.client.feed.channels import USER
from aiqleads.client.feed.market_view import MarketView
from aiqleads.client.feed.messages import (
    Missed,
    OrderCreated,
    StandingOrderFilled,
    WalletChanged,
)
from engine.market.listing import Listing
from tests.client.either import EitherFeed, Kind, viewing
from tests.client.people import buyers, client_of, someone
from tests.client.test_live_market import Trading, state_of
from tests.serve_apps.api.world import World, eventually


async def test_a_buyer_hears_of_what_is_theirs(world: World, kind: Kind) -> None:
    place = f"cabin-{secrets.token_hex(4)}"
    lead_id = await world.lead(price=10)
    async with (
        client_of(world, kind, await someone(world, credits=50)) as client,
        EitherFeed(client.client.feed(USER)) as feed,
    ):
        assert await feed.take(1) == [Missed(channel="user")]
        await client.call("buy", lead_id)
        told = await feed.take(2)
        [order] = [each for each in told if isinstance(each, OrderCreated)]
        [wallet] = [each for each in told if isinstance(each, WalletChanged)]
        assert (order.lead_id, order.price, order.market) == (lead_id, 10, "austin")
        assert wallet.balance == 40
        placed = await client.call(
            "place_standing_order", "austin", 20, filter={"property_type": place}
        )
        await world.lead(price=15, listing=Listing(property_type=place))
        told = await feed.take(3)
        [filled] = [each for each in told if isinstance(each, StandingOrderFilled)]
        assert filled.standing_order_id == placed.standing_order_id


@pytest.mark.parametrize(
    "wanted", [{"price_max": 18}, {"price_min": 12, "seats": "shared"}, {"lead_state": "available"}]
)
async def test_a_filtered_view_is_the_filtered_market(world: World, wanted: dict[str, Any]) -> None:
    who = await someone(world)
    async with buyers(world, 2, credits=500) as traders, client_of(world, "async", who) as client:
        trading = Trading(world, traders, seed=1)
        await trading.trade(20)
        async with viewing(client, filter=wanted) as view, viewing(client) as whole:
            for _ in range(3):
                await trading.trade(12)
                await trading.reprice_all()
            await world.replica.stop()
            await trading.reprice_all()
            await world.replica.start()
            await trading.trade(12)
            found = await client.items("search", market="austin")
            expected = {lead.lead_id: state_of(lead) for lead in found}
            met = {lead.lead_id: state_of(lead) for lead in found if meets(lead, wanted)}
            await eventually(lambda: states_in(whole) == expected, seconds=15)
            await eventually(lambda: states_in(view) == met, seconds=15)


def states_in(view: MarketView) -> dict[str, tuple[Any, ...]]:
    return {lead_id: state_of(lead) for lead_id, lead in view.leads.items()}


def meets(lead: Any, wanted: dict[str, Any]) -> bool:
    return (
        lead.price <= wanted.get("price_max", 10**9)
        and lead.price >= wanted.get("price_min", 0)
        and lead.lead_state == wanted.get("lead_state", lead.lead_state)
        and (wanted.get("seats") != "shared" or lead.max_buyers > 1)
    )
