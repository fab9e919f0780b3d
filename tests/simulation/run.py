"""One run: found a world, let it live through its troubles, heal it, and audit what is left."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple

from tests.simulation.activity import Activity
from tests.simulation.audit import audit
from tests.simulation.hosts import Parts
from tests.simulation.loop import NoRest
from tests.simulation.network import STRAGGLES
from tests.simulation.troubles import Troubles
from tests.simulation.world import MARKETS, World

# Simulated seconds.
STORM = 4.0
# Whoever still waits for an answer then has waited too long.
END = 240.0
DAY_NS = 86_400 * 1_000_000_000
MOVES = 8
STEPS = 10


class Result(NamedTuple):
    """What became of a run: `violations` is empty if all is well."""

    seed: int
    violations: list[str]
    digest: str
    trace: list[str]
    counts: dict[str, int]


def run(seed: int, parts: Parts | None = None, *, trace: bool = False) -> Result:
    """Play the run of `seed` and audit it. The same seed gives the same result."""
    logging.disable(logging.CRITICAL)
    world = World(seed, parts or Parts(), trace=trace)
    activity = Activity(world)
    began = time.perf_counter()
    try:
        violations = _violations(world, activity)
    finally:
        world.loop.bury()
        # Books freeze what they load; one process plays many runs.
        gc.unfreeze()
        logging.disable(logging.NOTSET)
    counts = {
        **world.struck,
        "commands": len(activity.asked),
        "orders": len(world.tables.orders.rows),
        "books": len(world.all_books),
        "events": len(world.tables.market_events.rows),
        "checkouts": len(activity.carts),
        "recovered checkouts": world.checkouts.recovered,
        "given up": activity.gave_up,
        "steps": world.loop.steps,
        "microseconds": int((time.perf_counter() - began) * 1e6),
    }
    return Result(seed, violations, world.digest(), world.trace or [], counts)


def _violations(world: World, activity: Activity) -> list[str]:
    try:
        found: list[str] = world.loop.run(_live(world, activity), until=END)
    except NoRest as error:
        found = [f"it never comes to rest: {error}"]
    return [*found, *world.loop.errors]


async def _live(world: World, activity: Activity) -> list[str]:
    world.found()
    troubles = world.loop.create_task(Troubles(world).strike())
    lives: list[Coroutine[Any, Any, None]] = []
    for market in MARKETS:
        lives.append(_run_market(activity, market))
    lives += [activity.shop(user, STEPS) for user in activity.users]
    everyone = asyncio.gather(*lives)
    await asyncio.sleep(STORM)
    world.weather.calm()
    troubles.cancel()
    world.server.recover()
    world.note("all is well again")
    await everyone
    await _come_to_rest(world)
    return await audit(world, activity)


async def _run_market(activity: Activity, market: str) -> None:
    await activity.list_all(market)
    await activity.operate(market, MOVES)


async def _come_to_rest(world: World) -> None:
    """Until every market is served and told, then past every deadline there is."""
    # The last copies of calls are still on their way.
    await asyncio.sleep(2 * STRAGGLES)
    while not all(_is_up_to_date(world, market) for market in MARKETS):
        await asyncio.sleep(0.1)
    # Behind no journal, and past the longest hold and what is remembered of it.
    ends = max(row.journal_at for row in world.tables.markets.rows.values()) * 1000
    world.step_ns += max(0, ends - world.wall_ns()) + DAY_NS
    await asyncio.sleep(1.5)
    while not all(_is_up_to_date(world, market) for market in MARKETS):
        await asyncio.sleep(0.1)


def _is_up_to_date(world: World, market: str) -> bool:
    host = world.books[market]
    row = world.tables.markets.rows[market]
    told = host.book._publisher
    behind = told._behind or bool(told._pending)  # type: ignore[attr-defined]
    return host.serves and told.published_seq == row.feed_seq and not behind
