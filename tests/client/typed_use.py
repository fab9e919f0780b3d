"""What a type checker makes of a program that uses the client: checked by `make lint`, not run."""

from __future__ import annotations

from typing import assert_type

from aiqleads.client import AsyncClient, Client
from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.leads import LeadNow, Market, Teaser
from aiqleads.client.answers.standing_orders import StandingOrder
from aiqleads.client.answers.trading import Hold, Order, Purchase
from aiqleads.client.feed.channels import market
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.feed.sync_feed import Feed


def waits(client: Client) -> None:
    assert_type(client.hold("lead", "24h", key="mine"), Hold)
    assert_type(client.release("lead"), None)
    assert_type(client.market("austin"), Market)
    assert_type(client.search(market="austin").first(), Page[Teaser])
    for order in client.orders():
        assert_type(order, Order)
    assert_type(client.feed(market("austin")), Feed)
    with client.view("austin") as view:
        assert_type(view.get("lead"), LeadNow | None)
    client.hold(lead=3)  # type: ignore[call-arg]
    client.search(color="red")  # type: ignore[call-arg]
    client.place_standing_order("austin", "dear")  # type: ignore[arg-type]


async def awaits(client: AsyncClient) -> None:
    assert_type(await client.buy("lead", max_price=3), Purchase)
    assert_type(await client.change_standing_order("order", per_day=3), StandingOrder)
    async for lead in client.search(near=(30.2, -97.7), radius_m=500):
        assert_type(lead, Teaser)
    async with client.feed(market("austin", since=3)) as feed:
        async for message in feed:
            assert_type(message, FeedMessage)
