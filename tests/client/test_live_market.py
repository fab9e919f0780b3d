"""Views and feeds of the market itself, while it trades, and while its parts go and come back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest

from actors.lead_book import LeadBook
from aiqleads.client import AsyncClient, errors
from aiqleads.client.answers.leads import Teaser
from aiqleads.client.feed.channels import market, prices
from aiqleads.client.feed.market_view import MarketView
from aiqleads.client.feed.messages import FeedMessage, LeadEvent, PriceTick, Snapshot
from engine.market.commands import Quarantine, Reprice, Withdraw
from engine.market.plan import load_plans
from tests.client.either import EitherFeed, Kind, until, viewing
from tests.client.people import buyers, client_of, someone
from tests.serve_apps.api.world import World, running, world_settings


async def restart_book(world: World) -> None:
    settings = world.settings
    await world.books["austin"].stop()
    plans = load_plans(settings.plans_file)
    book = LeadBook("austin", settings.database_url, settings.redis_url, plans)
    world.books["austin"] = book
    await book.start()


async def restart_api(world: World) -> None:
    """On the same port."""
    await world.replica.stop()
    await world.replica.start()


class Trading:
    """Trades at random; some of it is refused."""

    def __init__(self, world: World, buyers: list[AsyncClient], seed: int) -> None:
        self.world = world
        self.buyers = buyers
        self.rng = random.Random(seed)
        self.leads: list[str] = []

    async def trade(self, times: int) -> None:
        for _ in range(times):
            with contextlib.suppress(errors.Problem):
                await self._one()

    async def reprice_all(self) -> None:
        """Past the API: the book and nobody else is needed."""
        prices = tuple(self.rng.randrange(5, 30) for _ in self.leads)
        await self.world.submit("austin", Reprice(tuple(self.leads), prices, "demand"))

    async def _one(self) -> None:
        rng, world = self.rng, self.world
        if len(self.leads) < 5 or rng.random() < 0.2:
            price, seats = rng.randrange(5, 30), rng.randrange(1, 4)
            self.leads.append(await world.lead(price=price, seats=seats))
            return
        lead_id, buyer = rng.choice(self.leads), rng.choice(self.buyers)
        match rng.randrange(6):
            case 0:
                await buyer.hold(lead_id)
            case 1:
                await buyer.release(lead_id)
            case 2:
                await buyer.buy(lead_id)
            case 3 | 4:
                await world.submit("austin", Reprice((lead_id,), (rng.randrange(5, 30),), "demand"))
            case 5:
                end = rng.choice((Withdraw, Quarantine))
                await world.submit("austin", end(lead_id, "test"))
                self.leads.remove(lead_id)


def state_of(lead: Any) -> tuple[Any, ...]:
    return lead.lead_state, lead.price, lead.max_buyers, lead.seats_left


async def test_a_view_is_what_a_search_says_across_restarts(world: World, kind: Kind) -> None:
    who = await someone(world)
    async with buyers(world, 3, credits=500) as traders, client_of(world, kind, who) as client:
        trading = Trading(world, traders, seed=1)
        await trading.trade(15)
        async with viewing(client) as view:
            await trading.trade(25)
            await world.replica.stop()
            await trading.reprice_all()
            await world.replica.start()
            await trading.trade(3)
            await restart_book(world)
            await trading.trade(25)
            found = await client.items("search", market="austin")
            expected = {lead.lead_id: state_of(lead) for lead in found}
            await until(view, lambda: {i: state_of(v) for i, v in view.leads.items()} == expected)


async def test_events_go_on_without_gap_through_restarts_and_expired_tokens(
    fresh_database_url: str, redis_url: str, kind: Kind
) -> None:
    settings = world_settings(fresh_database_url, redis_url, access_token_seconds=2)
    async with (
        running(settings) as world,
        client_of(world, kind, await someone(world)) as client,
        EitherFeed(client.client.feed(market("austin"))) as feed,
    ):
        told: list[FeedMessage] = await feed.take(1)
        made = []
        for number in range(8):
            made.append(await world.lead())
            if number == 3:
                await restart_api(world)
            await asyncio.sleep(0.6)
        told += await feed.take(8)
        events = [each for each in told if isinstance(each, LeadEvent)]
        assert [each.lead.lead_id for each in events] == made
        assert isinstance(told[0], Snapshot)
        assert [each.seq for each in events] == list(range(told[0].seq + 1, told[0].seq + 9))
        assert all(isinstance(each.lead, Teaser) for each in events)


async def test_ticks_come_and_a_market_is_taken_up_where_another_reader_ended(
    world: World, kind: Kind
) -> None:
    lead_id = await world.lead(price=20)
    async with client_of(world, kind, await someone(world, credits=50)) as client:
        view = MarketView("austin")
        async with EitherFeed(client.client.feed(prices("austin"), market("austin"))) as feed:
            while view.seq is None:
                view.apply((await feed.take(1))[0])
            since = view.seq
            await world.submit("austin", Reprice((lead_id,), (30,), "demand"))
            [tick] = await feed.take(1)
            assert isinstance(tick, PriceTick)
            assert (tick.lead_id, tick.price, tick.reason) == (lead_id, 30, "demand")
            view.apply(tick)
            assert view.leads[lead_id].price == 30
        await client.call("buy", lead_id)
        async with EitherFeed(client.client.feed(market("austin", since=since))) as feed:
            [sold] = await feed.take(1)
            assert isinstance(sold, LeadEvent)
            assert (sold.type, sold.seq) == ("lead.sold", since + 1)


async def test_a_market_that_is_not_there_is_told(world: World, kind: Kind) -> None:
    async with client_of(world, kind, await someone(world)) as client:
        with pytest.raises(errors.NotFound) as caught:
            async with viewing(client, market="atlantis"):
                pass
        assert caught.value.channel in ("market:atlantis", "prices:atlantis")


async def test_a_suspended_account_ends_its_view(world: World, kind: Kind) -> None:
    who = await someone(world)
    admin = await world.admin()
    async with client_of(world, kind, who) as client, viewing(client) as view:
        assert view.is_connected
        path = f"/v1/admin/users/{who.user_id}"
        await admin.request("PATCH", path, json={"status": "suspended"})
        with pytest.raises(errors.ClientError):
            await until(view, lambda: False)
        with pytest.raises(errors.ClientError):
            _ = view.leads
