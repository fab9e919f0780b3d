"""What analysts see of carts: a view over the journal, a row for each buyer concerned."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.market import commands as c
from engine.market import events as e
from tests.actors.trading_house import TradingHouse, trading_house


@pytest.fixture
async def house(database_url: str, redis_url: str) -> AsyncIterator[TradingHouse]:
    async with trading_house(database_url, redis_url) as house:
        yield house


async def seen(house: TradingHouse, columns: str) -> list[tuple[Any, ...]]:
    rows = await house.pool.fetch(
        f"SELECT {columns} FROM cart_events WHERE market = $1 ORDER BY position, user_id",
        house.market,
    )
    return [tuple(row) for row in rows]


async def test_what_books_write_is_seen(house: TradingHouse) -> None:
    await house.book()
    ann, bob = await house.buyer(plan="pro"), await house.buyer()
    lead_id = await house.lead(price=10)
    await house.said(c.Hold(lead_id, ann, "15m"))
    await house.said(c.Extend(lead_id, ann, "24h"))
    await house.said(c.Release(lead_id, ann))
    await house.buy(lead_id, bob)
    assert await seen(house, "event, user_id, price, hold, reason, until IS NOT NULL") == [
        ("held", ann, 9, "15m", None, True),
        ("extended", ann, None, "24h", None, True),
        ("released", ann, None, None, "released", False),
        ("sold", bob, 10, None, None, False),
    ]


async def test_every_buyer_whose_hold_is_ended_is_a_row(house: TradingHouse) -> None:
    entries: list[e.Event] = [
        e.LeadWithdrawn("lead-1", "gone", ended=(e.EndedHold("ann", 3), e.EndedHold("bob", 0))),
        e.LeadQuarantined("lead-2", "odd"),
        e.SeatOffered("lead-3", "cyd", 1, 7, 1_800_000_000_000_000),
        e.QueueJoined("lead-3", "dan"),
        e.QueueLeft("lead-3", "dan", "left"),
        e.LeadSold("lead-3", "cyd", 1, 7, "order-1", "standing-1", fee_credit=2),
        e.LeadsRepriced("lead-3", ("lead-3",), (8,), "demand"),
    ]
    for position, event in enumerate(entries, start=1):
        await house.pool.execute(
            "INSERT INTO market_events (market, position, at, lead_id, event)"
            " VALUES ($1, $2, 0, $3, $4::text::jsonb)",
            house.market,
            position,
            event.lead_id,
            msgspec.json.encode(event).decode(),
        )
    assert await seen(house, "event, user_id, reason, fee_back, order_id, standing_order_id") == [
        ("withdrawn", "ann", "gone", 3, None, None),
        ("withdrawn", "bob", "gone", 0, None, None),
        ("offered", "cyd", None, None, None, None),
        ("queue_joined", "dan", None, None, None, None),
        ("queue_left", "dan", "left", None, None, None),
        ("sold", "cyd", None, 2, "order-1", "standing-1"),
    ]
    (until,) = [row for row in await seen(house, "extract(epoch FROM until)::int8") if row[0]]
    assert until == (1_800_000_000,)


async def test_what_operators_are_shown_to_ask_is_answered(house: TradingHouse) -> None:
    text = (Path(__file__).parents[2] / "docs" / "Operations.md").read_text()
    (query,) = re.findall(r"^    SELECT h\.hold.*?;$", text, re.M | re.S)
    await house.book()
    ann, lead_id = await house.buyer(), await house.lead()
    await house.said(c.Hold(lead_id, ann, "15m"))
    await house.buy(lead_id, ann)
    now = datetime.now(UTC)
    query = query.replace("'austin'", f"'{house.market}'")
    query = query.replace("2026-05-01", f"{now - timedelta(days=1):%Y-%m-%d}")
    query = query.replace("2026-06-01", f"{now + timedelta(days=2):%Y-%m-%d}")
    rows = await house.pool.fetch(query)
    assert [tuple(row) for row in rows] == [("15m", 1, 1)]
