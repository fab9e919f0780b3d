"""Leads' vectors as they are kept, and what a taste is read from: bounded, and by indexes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import asyncpg
import numpy as np
import pytest

from engine.adapters.postgres import demand_signals, lead_vectors, tastes
from engine.adapters.postgres.lead_vectors import Text
from engine.adapters.postgres.pool import open_pool
from engine.market.listing import Listing

NOW = 1_800_000_000_000_000
DAY_US = 86_400_000_000


@pytest.fixture
async def pool(fresh_database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(fresh_database_url, application="test")
    await pool.execute("INSERT INTO markets VALUES ('austin', 'Austin', 'America/Chicago')")
    for number in range(4):
        await lead(pool, f"lead-{number}")
    try:
        yield pool
    finally:
        await pool.close()


async def lead(pool: asyncpg.Pool, lead_id: str, state: str = "available", seats: int = 3) -> None:
    await pool.execute(
        "INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, sources)"
        " VALUES ($1, 'austin', now(), now(), 0.5, '{zillow}')",
        lead_id,
    )
    await pool.execute(
        "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
        " VALUES ($1, 'austin', $2, 10, $3)",
        lead_id,
        state,
        seats,
    )


async def write(pool: asyncpg.Pool, version: int, lead_ids: list[str], digest: str = "d") -> None:
    vectors = np.eye(4, dtype=np.float32)[: len(lead_ids)]
    texts = [Text(lead_id, "austin", Listing()) for lead_id in lead_ids]
    async with pool.acquire() as connection:
        await lead_vectors.write(connection, version, texts, [digest] * len(lead_ids), vectors)


async def test_vectors_are_read_as_they_were_written_and_numbers_rise(pool: asyncpg.Pool) -> None:
    await write(pool, 1, ["lead-0", "lead-1", "erased"])
    await write(pool, 2, ["lead-0"])
    first = await lead_vectors.after(pool, 1, 0, 10, 4)
    assert first.lead_ids == ["lead-0", "lead-1"]
    assert np.array_equal(first.vectors, np.eye(4, dtype=np.float32)[:2])
    assert (await lead_vectors.after(pool, 1, first.number, 10, 4)).lead_ids == []
    await write(pool, 1, ["lead-0"], digest="new")
    again = await lead_vectors.after(pool, 1, first.number, 10, 4)
    assert (again.lead_ids, again.digests) == (["lead-0"], ["new"])
    assert again.number > first.number
    assert await lead_vectors.covering(pool) == {1: 2, 2: 1}
    assert await lead_vectors.dimensions_of(pool, 2) == 4
    assert await lead_vectors.dimensions_of(pool, 3) is None
    # Of another number of dimensions than asked for: as if there were none.
    assert (await lead_vectors.after(pool, 1, 0, 10, 5)).lead_ids == []


async def test_a_vector_goes_with_its_lead_and_with_its_version(pool: asyncpg.Pool) -> None:
    await write(pool, 1, ["lead-0", "lead-1"])
    await write(pool, 2, ["lead-1"])
    await pool.execute("DELETE FROM leads WHERE lead_id = 'lead-0'")
    assert list(await lead_vectors.of_leads(pool, 1, ["lead-0", "lead-1"], 4)) == ["lead-1"]
    assert await lead_vectors.forget(pool, [2], 10) == 1
    assert await lead_vectors.covering(pool) == {2: 1}


async def test_only_one_connection_is_the_filler(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        assert await lead_vectors.lock(one)
        assert not await lead_vectors.lock(two)
        await one.execute("SELECT pg_advisory_unlock_all()")
        assert await lead_vectors.lock(two)
        await two.execute("SELECT pg_advisory_unlock_all()")


async def test_what_is_embedded_is_public_and_not_in_quarantine(pool: asyncpg.Pool) -> None:
    await lead(pool, "scam", "quarantined")
    await pool.execute("INSERT INTO contacts (lead_id, name) VALUES ('lead-0', 'Quillwhistle')")
    found = await lead_vectors.texts(pool, ["lead-0", "scam"])
    assert [text.lead_id for text in found] == ["lead-0"]
    assert "Quillwhistle" not in repr(found)
    await write(pool, 1, ["lead-1"])
    async with pool.acquire() as connection, connection.transaction():
        on_offer = [each async for each in lead_vectors.texts_on_offer(connection, 1)]
    assert {text.lead_id: digest for text, digest in on_offer} == {
        "lead-0": None, "lead-1": "d", "lead-2": None, "lead-3": None
    }  # fmt: skip


async def test_a_taste_is_read_from_all_that_a_buyer_did(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO users (user_id, email, full_name, password_hash)"
        " VALUES ('ann', 'ann@example.com', 'Ann', 'x'), ('bob', 'bob@example.com', 'Bob', 'x')"
    )
    await pool.execute(
        "INSERT INTO orders VALUES ('o', 'austin', 'lead-0', 'ann', 1, 7, $1)", NOW - DAY_US
    )
    await pool.execute(
        "INSERT INTO seats (lead_id, seat, market, user_id, max_buyers, price, hold, held_at,"
        " held_until) VALUES ('lead-1', 1, 'austin', 'ann', 3, 8, '15m', $1, $2)",
        NOW - 5,
        NOW + DAY_US,
    )
    await pool.execute(
        "INSERT INTO past_holds VALUES ('lead-2', 'ann', 'austin', $1, 'released', $2)",
        NOW - 2 * DAY_US,
        NOW,
    )
    seen = [
        demand_signals.Seen("lead-3", "ann", 1),
        demand_signals.Seen("lead-0", "ann", 0),
        demand_signals.Seen("lead-2", "bob", 1),
    ]
    await demand_signals.write(pool, "r", NOW - 10, {"austin": seen})
    await demand_signals.write(pool, "r", NOW - 30 * DAY_US, {"austin": seen[:1]})
    found = await tastes.acts(pool, "ann", NOW)
    assert {(each.lead_id, each.kind, each.price, each.at) for each in found} == {
        ("lead-0", "bought", 7, NOW - DAY_US),
        ("lead-1", "held", 8, NOW - 5),
        ("lead-2", "held", 10, NOW - 2 * DAY_US),
        ("lead-3", "viewed", 10, NOW - 10),
    }
    assert await tastes.mine(pool, "ann") == {"lead-0", "lead-1"}
    assert await tastes.acts(pool, "nobody", NOW) == []
    await pool.execute("UPDATE lead_trading SET lead_state = 'quarantined'")
    assert await tastes.acts(pool, "ann", NOW) == []


async def test_a_buyers_acts_are_found_by_indexes(pool: asyncpg.Pool) -> None:
    """No plan walks through a table that grows with all buyers."""
    asked = AsyncMock(spec=asyncpg.Pool)
    asked.fetch.return_value = []
    await tastes.acts(asked, "ann", NOW)
    await tastes.standing(asked, "ann")
    await tastes.mine(asked, "ann")
    assert asked.fetch.call_count == 3
    async with pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        for call in asked.fetch.call_args_list:
            statement, *values = call.args
            plan = await connection.fetch(f"EXPLAIN {statement}", *values)
            text = "\n".join(row[0] for row in plan)
            assert not re.search(r"Seq Scan on (orders|seats|past_holds|demand_signals)", text), (
                text
            )
            if "demand_signals" in statement:
                assert "demand_signals_viewer_ids_idx" in text
                assert "past_holds_user_id_idx" in text
        await connection.execute("SET enable_seqscan = on")
