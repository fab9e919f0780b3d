"""`kill -9` of the books under load: what was acknowledged stays, and nothing happens twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

import psutil

from aiqleads.client.answers.trading import BoughtOrder
from aiqleads.client.errors import Conflict
from tests.e2e.buyer import Buyer, People
from tests.e2e.feed_reader import feed, without_price

MARKET = "dallas"
TRADERS = 16
LOAD_SECONDS = 8.0
KILL_AFTER_SECONDS = 2.0


class Trader:
    """Buys, holds and releases by the client, which sends what has no outcome again under its
    key. Only decided answers come here."""

    def __init__(self, buyer: Buyer, leads: list[str], rng: random.Random) -> None:
        self.buyer = buyer
        self.acknowledged: dict[str, BoughtOrder] = {}
        self.answered_at = 0.0
        self._leads = leads
        self._rng = rng

    async def trade(self, until: float) -> None:
        while time.monotonic() < until:
            lead_id = self._rng.choice(self._leads)
            # Another was faster, or this buyer was: that is decided too.
            with contextlib.suppress(Conflict):
                if self._rng.random() < 0.3:
                    [order] = (await self.buyer.client.buy(lead_id)).orders
                    self.acknowledged[order.order_id] = order
                else:
                    await self._hold_and_release(lead_id)
            self.answered_at = time.monotonic()

    async def _hold_and_release(self, lead_id: str) -> None:
        await self.buyer.client.hold(lead_id)
        try:
            await self.buyer.client.release(lead_id)
        except Conflict as error:
            raise AssertionError(f"a hold was lost: {error}") from error


async def test_a_killed_book_loses_and_repeats_nothing(people: People) -> None:
    installation = people.installation
    buyers = await asyncio.gather(*(people.buyer(credits=100_000) for _ in range(TRADERS)))
    leads = [lead["lead_id"] for lead in await buyers[0].everything("/v1/leads", market=MARKET)]
    watcher = await people.buyer()
    traders = [Trader(b, leads, random.Random(n)) for n, b in enumerate(buyers)]
    balances = await asyncio.gather(*(buyer.balance() for buyer in buyers))

    async with feed(installation.base_url, watcher.access_token) as reader:
        await reader.snapshot(MARKET)
        since = reader.seq
        assert since is not None
        before = dict(reader.leads)
        book = psutil.Process(installation.parts()[f"book:{MARKET}"]["pid"])
        until = time.monotonic() + LOAD_SECONDS
        trading = [asyncio.create_task(trader.trade(until)) for trader in traders]
        await asyncio.sleep(KILL_AFTER_SECONDS)
        book.kill()
        killed_at = time.monotonic()
        await asyncio.gather(*trading)
        assert max(trader.answered_at for trader in traders) > killed_at

        newest = await watcher.seq(MARKET)
        await reader.until(lambda: (reader.seq or 0) >= newest)
        assert [e["seq"] for e in reader.events] == list(range(since + 1, newest + 1))
        told = list(reader.events)
        leads_now = without_price(reader.leads)

    async with feed(installation.base_url, watcher.access_token) as again:
        again.leads = before
        await again.subscribe(f"market:{MARKET}", since=since)
        await again.until(lambda: (again.seq or 0) >= newest)
        assert again.events == told
        assert without_price(again.leads) == leads_now

    await _assert_orders_are_what_was_acknowledged(traders, balances)
    sold = sum(1 for event in told if event["type"] == "lead.sold")
    assert sold == sum(len(trader.acknowledged) for trader in traders)
    await _assert_trading_goes_on(people, leads)


async def _assert_orders_are_what_was_acknowledged(
    traders: list[Trader], balances: list[int]
) -> None:
    for trader, balance in zip(traders, balances, strict=True):
        listed = await trader.buyer.client.orders().all()
        assert len({order.lead_id for order in listed}) == len(listed)
        assert sorted(map(_essence, listed)) == sorted(map(_essence, trader.acknowledged.values()))
        paid = sum(order.price for order in listed)
        assert await trader.buyer.balance() == balance - paid
        assert not (await trader.buyer.client.cart()).items


def _essence(order: BoughtOrder) -> tuple[object, ...]:
    contact = order.contact
    assert contact is not None
    return order.order_id, order.lead_id, order.price, order.bought_at, contact.phone or ""


async def _assert_trading_goes_on(people: People, leads: list[str]) -> None:
    buyer = await people.buyer(credits=10_000)
    free = await buyer.everything("/v1/leads", market=MARKET, lead_state="available")
    assert free, "the load bought everything; make it smaller"
    assert (await buyer.buy(free[0]["lead_id"])).status_code == 201
    assert (await buyer.hold(free[-1]["lead_id"])).status_code in (201, 409)
