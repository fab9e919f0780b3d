"""`kill -9` of the books under load: what was acknowledged stays, and nothing happens twice."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import httpx
import psutil

from tests.e2e.buyer import Buyer, People, new_key
from tests.e2e.feed_reader import feed, without_price

MARKET = "dallas"
TRADERS = 16
LOAD_SECONDS = 8.0
KILL_AFTER_SECONDS = 2.0
ANSWERED_WITHIN_SECONDS = 60.0


class Trader:
    """Buys, holds and releases; a request without an outcome is sent again under its key."""

    def __init__(self, buyer: Buyer, leads: list[str], rng: random.Random) -> None:
        self.buyer = buyer
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.unavailable = 0
        self.answered_at = 0.0
        self._leads = leads
        self._rng = rng

    async def trade(self, until: float) -> None:
        while time.monotonic() < until:
            lead_id = self._rng.choice(self._leads)
            if self._rng.random() < 0.3:
                await self._buy(lead_id)
            else:
                await self._hold_and_release(lead_id)

    async def _buy(self, lead_id: str) -> None:
        answer = await self._settle("POST", f"/v1/leads/{lead_id}/buy", {})
        if answer.status_code == 201:
            [order] = answer.json()["orders"]
            self.acknowledged[order["order_id"]] = order
        else:
            assert answer.status_code == 409, answer.text

    async def _hold_and_release(self, lead_id: str) -> None:
        form = {"lead_id": lead_id, "hold": "15m"}
        answer = await self._settle("POST", "/v1/cart/items", form)
        if answer.status_code == 201:
            answer = await self._settle("DELETE", f"/v1/cart/items/{lead_id}", None)
            assert answer.status_code == 204, answer.text
        else:
            assert answer.status_code == 409, answer.text

    async def _settle(self, method: str, path: str, body: Any) -> httpx.Response:
        """The decided answer. 503 says: outcome unknown, repeat with the same key."""
        key, deadline = new_key(), time.monotonic() + ANSWERED_WITHIN_SECONDS
        while True:
            answer = await self.buyer.ask(method, path, key=key, json=body)
            if answer.status_code != 503:
                self.answered_at = time.monotonic()
                return answer
            self.unavailable += 1
            assert answer.json()["type"] == "unavailable"
            assert time.monotonic() < deadline, "unavailable for too long"
            await asyncio.sleep(float(answer.headers["retry-after"]) * 0.2)


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
        listed = await trader.buyer.everything("/v1/orders")
        assert len({order["order_id"] for order in listed}) == len(listed)
        assert len({order["lead_id"] for order in listed}) == len(listed)
        assert {order["order_id"] for order in listed} == set(trader.acknowledged)
        for order in listed:
            assert {k: order[k] for k in trader.acknowledged[order["order_id"]]} == (
                trader.acknowledged[order["order_id"]]
            )
        paid = sum(order["price"] for order in listed)
        assert await trader.buyer.balance() == balance - paid
        assert (await trader.buyer.read("/v1/cart"))["items"] == []


async def _assert_trading_goes_on(people: People, leads: list[str]) -> None:
    buyer = await people.buyer(credits=10_000)
    free = await buyer.everything("/v1/leads", market=MARKET, lead_state="available")
    assert free, "the load bought everything; make it smaller"
    assert (await buyer.buy(free[0]["lead_id"])).status_code == 201
    assert (await buyer.hold(free[-1]["lead_id"])).status_code in (201, 409)
