"""Who saw which lead: counted once, in bounds, and never in the way."""

from __future__ import annotations

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from engine.adapters.postgres import demand_signals
from engine.market.pricing.considering import Signal
from serve_apps.api import sightings
from serve_apps.api.sightings import WINDOW_SECONDS, Sightings
from tests.serve_apps.api.world import World

AT = 1_800_000_000_000_000


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _dropped(registry: CollectorRegistry) -> float:
    return registry.get_sample_value("aiqleads_sightings_dropped_total") or 0.0


async def test_searches_and_looks_are_handed_on(world: World) -> None:
    assert world.replica.deps is not None
    counted, pool = world.replica.deps.sightings, world.replica.deps.pool
    ann, lead_id = await world.buyer(), await world.lead()
    await ann.get("/v1/leads", market="austin")
    for path in ("", "/price", ""):
        assert (await ann.get(f"/v1/leads/{lead_id}{path}")).status_code == 200
    # An administrator's looks, and a lead that is not there, say nothing.
    await (await world.admin()).get(f"/v1/leads/{lead_id}")
    await ann.get("/v1/leads/nothing")
    await counted.write()
    await pool.execute("UPDATE demand_signals SET written_at = now() - interval '1 minute'")
    batches = await demand_signals.read(pool, "austin", 0, 100)
    seen = [signal[:3] for batch in batches for signal in batch.signals]
    mine = [(kind, user) for kind, lead, user in seen if lead == lead_id]
    assert sorted(mine) == [("impression", ann.user_id), ("view", ann.user_id)]


async def test_the_same_again_within_the_window_counts_once(
    database_url: str, clock: Clock
) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        registry = CollectorRegistry()
        seen = Sightings(pool, "r", registry, monotonic=clock, clock=lambda: AT)
        for _ in range(3):
            seen.alone("ann", "m", "lead")
        seen.in_answer("ann", [{"market": "m", "lead_id": "lead"}] * 2)
        clock.now += WINDOW_SECONDS
        seen.alone("ann", "m", "other")
        seen.alone("ann", "m", "lead")
        clock.now += WINDOW_SECONDS
        seen.alone("bob", "m", "lead")
        seen.alone("ann", "m", "lead")
        await seen.write()
        await pool.execute("UPDATE demand_signals SET written_at = now() - interval '1 minute'")
        (batch,) = await demand_signals.read(pool, "m", 0, 10)
        assert batch.signals == [
            Signal("view", "lead", "ann", AT),
            Signal("impression", "lead", "ann", AT),
            Signal("view", "other", "ann", AT),
            Signal("view", "lead", "bob", AT),
            Signal("view", "lead", "ann", AT),
        ]
        assert await demand_signals.read(pool, "m", batch.signal_id, 10) == []


async def test_memory_is_bounded_and_losses_are_counted(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(sightings, "WAITING_MAX", 50)
    monkeypatch.setattr(sightings, "REMEMBERED_MAX", 20)
    registry = CollectorRegistry()
    # A pool that was never opened is a database that is away.
    pool = asyncpg.create_pool("postgresql://127.0.0.1:1/nothing", min_size=0)
    seen = Sightings(pool, "r", registry, monotonic=clock)
    for number in range(60):
        seen.alone("ann", "m", f"lead-{number}")
    assert len(seen._young) + len(seen._old) <= 20
    assert _dropped(registry) == 10
    await seen.write()
    assert _dropped(registry) == 60
    seen.alone("ann", "m", "lead-again")
    assert seen._count == 1


async def test_signals_are_read_once_they_settled_and_pruned(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        seen = {"n": [demand_signals.Seen("lead", "ann", 1)]}
        for number in range(3):
            await demand_signals.write(pool, "r", AT + number, seen)
        await pool.execute(
            "UPDATE demand_signals SET written_at = now() - interval '1 hour'"
            " WHERE market = 'n' AND at <> $1",
            AT + 1,
        )
        # The second is too young, so the third waits for it.
        assert [b.signals[0].at for b in await demand_signals.read(pool, "n", 0, 10)] == [AT]
        now = await pool.fetchval("SELECT now() + interval '35 days' - interval '1 minute'")
        assert await demand_signals.prune(pool, "n", now, 10) == 2
        assert await pool.fetchval("SELECT count(*) FROM demand_signals WHERE market = 'n'") == 1
