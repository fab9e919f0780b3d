"""A process that fetches from one site at a pace, for tests of what several do together.

    python -m tests.adapters.sources.visitor REDIS_URL SITE_URL PER_SECOND CONCURRENCY FETCHES

A site's `/hang` is answered late or never: with FETCHES 0 the visitor goes there once.
"""

from __future__ import annotations

import asyncio
import sys

from engine.adapters.sources.pace import Pace
from engine.adapters.sources.polite_client import open_client


async def visit(redis_url: str, site_url: str, pace: Pace, fetches: int) -> None:
    async with open_client(redis_url, pace, replay_url=site_url) as client:
        paths = [f"page/{number}" for number in range(fetches)] or ["hang"]
        await asyncio.gather(*(client.get(f"{site_url}/{path}") for path in paths))


if __name__ == "__main__":
    redis_url, site_url, per_second, concurrency, fetches = sys.argv[1:]
    asyncio.run(visit(redis_url, site_url, Pace(float(per_second), int(concurrency)), int(fetches)))
