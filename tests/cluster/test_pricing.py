"""Pricing agents on a real Ray: launched with the rest, killed, and switched off."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from actors.client import MarketClient
from engine.adapters.postgres import lead_prices
from engine.intake.offer import starting_parts
from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.pricing.parts import pack, price_of, unpack
from engine.settings import Settings
from tests.actors.trading_house import TradingHouse, trading_house, until

MARKET = "reno"
# Far above what the listing table says it is worth, so that there is a way to go.
PRICE = 80


@pytest.fixture(scope="module")
def priced(settings: Settings) -> Iterator[Settings]:
    """Actors are found by name: none may be left to those who bring a database of their own."""
    from actors.launch import stop_actors

    priced = settings.model_copy(update={"pricing": "on", "pricing_interval_ms": 200})
    yield priced
    stop_actors(priced)


@pytest.fixture
async def house(priced: Settings) -> AsyncIterator[TradingHouse]:
    from actors.launch import launch, ray_transport

    await asyncio.to_thread(launch, priced)
    async with trading_house(priced.database_url, priced.redis_url) as house:
        house.market = MARKET
        house.client = MarketClient(ray_transport(), patience=120.0)
        yield house


async def _status(settings: Settings, market: str = MARKET) -> dict[str, Any] | None:
    from actors.launch import statuses

    return (await asyncio.to_thread(statuses, settings)).get(f"pricing:{market}")


async def _list(house: TradingHouse, count: int) -> list[str]:
    listing = Listing(quality=0.5, list_price=300_000, property_type="Residential")
    leads = [f"lead-{secrets.token_hex(6)}" for _ in range(count)]
    for lead_id in leads:
        await house.said(c.ListLead(lead_id, PRICE, 3, listing, pack(starting_parts(listing, 3))))
    return leads


async def _repriced(house: TradingHouse, leads: list[str]) -> dict[str, int]:
    """The last price of each lead that has one by now."""
    rows = await house.pool.fetch(
        "SELECT lead_id, price, price_parts FROM lead_trading"
        " WHERE lead_id = ANY($1) AND tick_position IS NOT NULL",
        leads,
    )
    for row in rows:
        assert price_of(unpack(row["price_parts"])) == row["price"]
    return {row["lead_id"]: row["price"] for row in rows}


async def test_a_killed_agent_goes_on_where_it_was(house: TradingHouse, priced: Settings) -> None:
    before = await _list(house, 30)

    async def all_of(leads: list[str]) -> bool:
        return len(await _repriced(house, leads)) == len(leads)

    await until(lambda: all_of(before), seconds=60)
    said = await _status(priced)
    assert said is not None
    assert said["problem"] is None
    os.kill(said["pid"], signal.SIGKILL)
    # Trading goes on without it, and what is listed meanwhile is priced when it is back.
    after = await _list(house, 10)
    await until(lambda: all_of(after), seconds=120)
    # One price each and no more: it knows from the journal that it changed them, and when.
    assert max((await _repriced(house, before + after)).values()) < PRICE
    for lead_id in before + after:
        found = await lead_prices.read(house.pool, lead_id)
        assert found is not None
        assert len(found.history) == 2
    again = await _status(priced)
    assert again is not None
    assert again["pid"] != said["pid"]
    assert again["epoch"] > said["epoch"]
    await house.audit()


async def test_a_policy_nobody_knows_is_told_and_trading_goes_on(
    house: TradingHouse, priced: Settings
) -> None:
    from actors.launch import launch, stop_actors

    wrong = priced.model_copy(update={"pricing_policy": "wild@9"})
    await asyncio.to_thread(stop_actors, priced)
    await asyncio.to_thread(launch, wrong)
    said = await _status(wrong)
    assert said is not None
    assert not said["serving"]
    assert "wild@9" in said["problem"]
    (lead_id,) = await _list(house, 1)
    assert type(await house.buy(lead_id, await house.buyer())).__name__ == "Bought"


async def test_switched_off_there_is_no_agent(house: TradingHouse, priced: Settings) -> None:
    from actors.launch import launch

    assert await _status(priced) is not None
    off = priced.model_copy(update={"pricing": "off"})
    await asyncio.to_thread(launch, off)
    assert await _status(off) is None
    import ray

    assert not [name for name in ray.util.list_named_actors() if name.startswith("pricing:")]
