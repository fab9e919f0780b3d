"""One run: found a world, let it live through its troubles, heal it, and audit what is left."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import time
from typing import NamedTuple

from engine.market.book import Book
from tests.simulation.activity import SESSIONS, Activity
from tests.simulation.audits import audit
from tests.simulation.audits.tables import forgotten
from tests.simulation.hosts import Parts
from tests.simulation.loop import NoRest
from tests.simulation.network import STRAGGLES
from tests.simulation.troubles import Troubles
from tests.simulation.world import MARKETS, World

# Simulated seconds.
STORM = 4.0
# Whoever still waits for an answer then has waited too long.
END = 90.0
# A run takes some 6,000.
STEPS_MAX = 60_000
_M_MMAP_THRESHOLD = -3
# Runs.
COLLECTED_EVERY = 5
DAY_NS = 86_400 * 1_000_000_000
MOVES = 8
STEPS = 5


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
    _map_what_is_large()
    world = World(seed, parts or Parts(), trace=trace)
    activity = Activity(world)
    began = time.process_time()
    try:
        violations = _violations(world, activity)
    finally:
        world.loop.bury()
        logging.disable(logging.NOTSET)
    counts = {
        **world.struck,
        "commands": len(activity.record.asked),
        "orders": len(world.tables.orders.rows),
        "books": len(world.all_books),
        "events": len(world.tables.market_events.rows),
        "checkouts": len(activity.record.carts),
        "contests": len(world.tables.claim_rounds.rows),
        "standing orders": len(world.tables.standing_orders.rows),
        "recovered checkouts": world.checkouts.recovered,
        "given up": activity.gave_up,
        "steps": world.loop.steps,
        "CPU µs": int((time.process_time() - began) * 1e6),
    }
    result = Result(seed, violations, world.digest(), world.trace or [], counts)
    _let_go(world)
    return result


def _map_what_is_large() -> None:
    """Books reserve room that they never touch: mapped by itself, it costs nothing. Left to
    glibc, it would be cut out of what others have touched before."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def _let_go(world: World) -> None:
    """One process plays many runs, and a world is full of cycles. Books are what is large."""
    for host in world.all_books:
        host.book._book = Book()
    # Books freeze what they load.
    gc.unfreeze()
    if world.seed % COLLECTED_EVERY == 0:
        gc.collect()


def _violations(world: World, activity: Activity) -> list[str]:
    try:
        found: list[str] = world.loop.run(_live(world, activity), until=END, steps_max=STEPS_MAX)
    except NoRest as error:
        found = [f"it never comes to rest: {error}", *audit(world, activity)]
    except Exception as error:
        found = [f"it came to {error!r}"]
    return [*found, *world.loop.errors]


async def _live(world: World, activity: Activity) -> list[str]:
    world.found()
    troubles = world.loop.create_task(Troubles(world).strike())
    everyone = asyncio.gather(
        *(activity.run_market(market, MOVES) for market in MARKETS),
        *(activity.shop(user, STEPS) for user in activity.users for _ in range(SESSIONS)),
    )
    await asyncio.sleep(STORM)
    await _heal(world, troubles)
    await everyone
    # The last copies of calls are still on their way.
    await asyncio.sleep(2 * STRAGGLES)
    await _until_up_to_date(world)
    found = [text for market in MARKETS for text in forgotten(world, market)]
    await _come_to_rest(world)
    return [*found, *audit(world, activity)]


async def _heal(world: World, troubles: asyncio.Task[None]) -> None:
    world.weather.calm()
    troubles.cancel()
    world.server.recover()
    # Who finds a clock behind the journal sets it right, and starts the book anew.
    world.set_clock_right()
    for host in list(world.books.values()):
        if host.is_behind():
            host.process.kill()
    world.note("all is well again")


async def _come_to_rest(world: World) -> None:
    """Past every deadline there is, under books that begin there."""
    world.step_ns += DAY_NS
    for host in list(world.books.values()):
        host.process.kill()
    await asyncio.sleep(1.5)
    await _until_up_to_date(world)


async def _until_up_to_date(world: World) -> None:
    while not all(_is_up_to_date(world, market) for market in MARKETS):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    # Who is frozen learns at the end that there is another.
    while any(host.process.is_frozen and host.is_alive for host in world.all_books):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def _is_up_to_date(world: World, market: str) -> bool:
    host = world.books[market]
    row = world.tables.markets.rows[market]
    told = host.book._publisher
    behind = told._behind or bool(told._pending)  # type: ignore[attr-defined]
    stats = host.book.stats()
    # Who has a seat offered lets it pass by and by; a hold may end this very moment.
    is_idle = not (stats["live_offers"] or host.book._ahead or host.book._is_something_due())
    return host.serves and told.published_seq == row.feed_seq and not behind and is_idle
