"""Journal and signals in the order in which they happened, whichever is read first."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from actors import market_reader
from actors.base_values import ListedValues
from actors.market_reader import MarketReader, Place
from engine.adapters.postgres import demand_signals
from engine.market import events as e
from engine.market.listing import Listing
from engine.market.pricing.experiment import market_prices, plan_of
from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.policy import Trials
from tests.actors.trading_house import TradingHouse

NOW = 1_800_000_000_000_000
BEFORE = NOW - 90 * 24 * HOUR_US
LISTING = Listing(list_price=300_000, quality=0.5, property_type="Residential")


class Past:
    """A market's journal and signals, written by hand."""

    def __init__(self, house: TradingHouse, connection: asyncpg.Connection) -> None:
        self.house = house
        self.connection = connection
        self.position = 0

    async def happened(self, event: e.Event, at: int) -> None:
        self.position += 1
        await self.house.pool.execute(
            "INSERT INTO market_events (market, position, at, lead_id, event)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(self.house.market, self.position, at, event.lead_id),
            msgspec.json.encode(event).decode(),
        )

    async def seen(self, lead_id: str, user_id: str, at: int) -> None:
        sighting = demand_signals.Seen(lead_id, user_id, 1)
        await demand_signals.write(self.house.pool, "r", at, {self.house.market: [sighting]})

    async def settle(self) -> None:
        await self.house.pool.execute(
            "UPDATE demand_signals SET written_at = now() - interval '1 minute' WHERE market = $1",
            self.house.market,
        )

    async def believed(self) -> str:
        """A buyer of long standing who paid for leads before."""
        user_id = await self.house.buyer()
        await self.house.pool.execute(
            "UPDATE users SET created_at = '2020-01-01' WHERE user_id = $1", user_id
        )
        for _ in range(12):
            lead_id = f"old-{secrets.token_hex(4)}"
            await self.happened(e.LeadListed(lead_id, 10, 1, LISTING), BEFORE)
            await self.happened(e.LeadSold(lead_id, user_id, 1, 10, lead_id), BEFORE + 1)
        return user_id

    def reader(self, place: Place = Place()) -> MarketReader:  # noqa: B008
        prices = market_prices(plan_of("fixed@1", ""))
        return MarketReader(self.connection, self.house.market, prices, ListedValues(), place)


@pytest.fixture
async def past(house: TradingHouse) -> AsyncIterator[Past]:
    async with house.pool.acquire() as connection:
        yield Past(house, connection)


async def _read(reader: MarketReader) -> Trials:
    """What was considered after the buyers' early days."""
    while await reader.step():
        pass
    trials = reader.prices.considering.take()
    late = trials.at >= NOW
    return Trials(*(column[late] for column in trials))


async def test_a_look_before_a_purchase_is_one_trial(past: Past) -> None:
    ann = await past.believed()
    await past.happened(e.LeadListed("lead", 10, 3, LISTING), NOW)
    await past.seen("lead", ann, NOW + 1_000)
    await past.happened(e.LeadSold("lead", ann, 1, 10, "order"), NOW + 2_000)
    await past.settle()
    trials = await _read(past.reader())
    assert trials.bought.tolist() == [True]
    assert trials.at.tolist() == [NOW + 1_000]


async def test_a_look_that_comes_after_its_purchase_makes_one_trial_of_both(past: Past) -> None:
    ann = await past.believed()
    await past.happened(e.LeadListed("lead", 10, 3, LISTING), NOW)
    await past.seen("lead", ann, NOW + 1_000)
    await past.happened(e.LeadSold("lead", ann, 1, 10, "order"), NOW + 2_000)
    reader = past.reader()
    # The signal has not settled yet, and without a look a purchase is no trial.
    assert (await _read(reader)).bought.tolist() == []
    await past.settle()
    assert (await _read(reader)).bought.tolist() == [True]
    assert reader.signals == 1
    reader.prices.considering.expire(NOW + 24 * HOUR_US)
    assert len(reader.prices.considering.take().at) == 0


async def test_reading_in_pieces_is_reading_at_once(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await past.believed(), await past.believed()
    for number in range(12):
        lead_id, at = f"lead-{number}", NOW + number * 10_000
        await past.happened(e.LeadListed(lead_id, 10, 3, LISTING), at)
        await past.seen(lead_id, bob if number % 2 else ann, at + 1_000)
        if number % 3:
            await past.happened(e.LeadSold(lead_id, ann, 1, 10, f"order-{number}"), at + 2_000)
    await past.settle()
    whole = past.reader()
    found = await _read(whole)
    monkeypatch.setattr(market_reader, "ENTRIES", 2)
    monkeypatch.setattr(market_reader, "BATCHES", 1)
    monkeypatch.setattr(market_reader, "VALUED", 1)
    pieces = past.reader()
    again = await _read(pieces)
    assert [column.tolist() for column in again] == [column.tolist() for column in found]
    assert pieces.place == whole.place
    # Accounts are asked for together or one by one: their order says nothing.
    dumps = [msgspec.msgpack.decode(reader.prices.dump()) for reader in (pieces, whole)]
    assert dumps[0] == dumps[1]
