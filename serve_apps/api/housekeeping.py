"""What a replica does beside serving: finish what was left behind, forget what is old."""

from __future__ import annotations

import asyncio
import logging

from actors.client import BookBusy, BookUnavailable
from engine.adapters.postgres import checkouts, idempotency, notifications, sessions
from serve_apps.api import checkout
from serve_apps.api.deps import Deps
from serve_apps.api.problems import describe

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
UNFINISHED_AFTER_SECONDS = 60.0
CHECKOUTS_A_TIME = 50


async def finish_unfinished(
    deps: Deps, older_than_seconds: float = UNFINISHED_AFTER_SECONDS
) -> int:
    """Finish checkouts whose replica died or whose book was away; how many were finished.

    One replica at a time does it. Those whose book is away still wait for the next round.
    """
    finished = 0
    async with checkouts.unfinished(deps.pool, older_than_seconds, CHECKOUTS_A_TIME) as left:
        for begun in left:
            try:
                await checkout.complete(deps, begun)
                finished += 1
            except (BookUnavailable, BookBusy) as error:
                log.warning("a checkout waits for its book: %s", type(error).__name__)
    return finished


async def keep_house(deps: Deps) -> None:
    """Run for ever; one failed round is logged and the next one tries again."""
    while True:
        try:
            finished = await finish_unfinished(deps)
            if finished:
                log.info("finished %d checkouts that were left behind", finished)
            await idempotency.prune(deps.pool)
            await checkouts.prune(deps.pool)
            await sessions.prune(deps.pool)
            await notifications.prune(deps.pool)
        except Exception as error:
            log.error("housekeeping failed\n%s", describe(error))
        await asyncio.sleep(EVERY_SECONDS)
