"""From the page to the feed: how long after a site has served a page its lead is listed.

    python -m benchmarks.intake.latency [--pages 3000] [--rate 100]

A throw-away installation reads a site of invented posts at `--rate` pages a second (the
delay that its robots.txt asks for) through the polite client, the Ray tasks, the desk and the
book. The site notes when it served each post, a websocket client when `lead.listed` came.
Posts that join a lead listed before are left out. There is no usual way of doing this to
set beside it: the CPU that the machine spent meanwhile is reported instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import psutil
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from benchmarks.stand import MARKET, Side, stand
from engine.adapters.local.ports import free_port
from engine.adapters.sources.replay_documents import SampleDocuments
from engine.adapters.sources.replay_posts import Page, SamplePosts
from engine.adapters.sources.replay_site import replay_site
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.market_directory import load_markets

SETTLE_SECONDS = 5.0


class TimedPosts:
    """Posts rendered beforehand; `served` has the wall clock of each post's first serving."""

    def __init__(self, pages: int) -> None:
        market = load_markets()[MARKET]
        posts = SamplePosts(SampleWorld(7, pages * 3, [market]), DEFAULT_AS_OF)
        ids, _ = posts.post_ids(MARKET, 0, pages * 3)
        rendered = {post_id: posts.page(MARKET, post_id) for post_id in ids[:pages]}
        self.pages: dict[str, Page] = {key: page for key, page in rendered.items() if page}
        self.served: dict[str, float] = {}

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        ids, end = list(self.pages), offset + limit
        return (
            (ids[offset:end], end if end < len(ids) else None) if market == MARKET else ([], None)
        )

    def page(self, market: str, post_id: str) -> Page | None:
        self.served.setdefault(post_id, time.time())
        return self.pages.get(post_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=100.0)
    options = parser.parse_args()

    posts = TimedPosts(options.pages)
    with _site(posts, options.rate) as port:
        more = {
            "AIQLEADS_REPLAY_URL": f"http://127.0.0.1:{port}",
            "AIQLEADS_INGEST_SCHEDULE": "off",
        }
        with stand(0, with_baseline=False, environment=more) as standing:
            listed, cpu = asyncio.run(_measure(standing.marketplace, len(posts.pages)))
            leads = asyncio.run(_leads(standing.marketplace.database_url))
    delays = sorted(listed[lead_id] - posts.served[i] for i, lead_id in leads if lead_id in listed)
    begun, ended = min(posts.served.values()), max(posts.served.values())
    print(f"{len(posts.served)} pages served, {len(posts.served) / (ended - begun):.0f} a second")
    print(f"{len(delays)} leads listed; {cpu:.0%} of one core was busy meanwhile")
    for share in (50, 90, 99):
        print(
            f"p{share} from page to lead.listed: {delays[len(delays) * share // 100] * 1e3:,.0f} ms"
        )
    print(f"slowest: {delays[-1] * 1e3:,.0f} ms, mean {statistics.mean(delays) * 1e3:,.0f} ms")


@contextmanager
def _site(posts: TimedPosts, rate: float) -> Iterator[int]:
    async def robots(_request: Request) -> Response:
        return PlainTextResponse(f"User-agent: *\nCrawl-delay: {1 / rate:.4f}\n")

    port = free_port()
    world = SampleWorld(7, 1, [load_markets()[MARKET]])
    site = replay_site(posts, SampleDocuments(world, DEFAULT_AS_OF))
    app = Starlette(routes=[Route("/robots.txt", robots), Mount("/", site)])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


async def _measure(side: Side, pages: int) -> tuple[dict[str, float], float]:
    """When each lead was listed (wall clock), and how busy the machine was in cores."""
    listed: dict[str, float] = {}
    address = f"ws://127.0.0.1:{side.port}/v1/feed"
    headers = {"Authorization": f"Bearer {side.tokens[0]}"}
    async with websockets.connect(address, additional_headers=headers, max_size=None) as socket:
        await socket.send(json.dumps({"op": "subscribe", "channel": f"market:{MARKET}"}))
        reading = asyncio.create_task(_note_listed(socket, listed))
        before, started = psutil.cpu_times(), time.monotonic()
        await asyncio.to_thread(_ingest)
        spent, elapsed = psutil.cpu_times(), time.monotonic() - started
        await asyncio.sleep(SETTLE_SECONDS)
        reading.cancel()
    busy = (spent.user + spent.system) - (before.user + before.system)
    return listed, busy / elapsed


async def _note_listed(socket: websockets.ClientConnection, listed: dict[str, float]) -> None:
    async for frame in socket:
        at, told = time.time(), json.loads(frame)
        for event in told.get("events", ()):
            if event["type"] == "lead.listed":
                listed.setdefault(event["lead"]["lead_id"], at)


def _ingest() -> None:
    command = [sys.executable, "-m", "serve_apps.cli", "ingest", "craigslist", "--market", MARKET]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the ingest failed:\n{done.stdout}{done.stderr}")


async def _leads(database_url: str) -> list[tuple[str, str]]:
    """(post id, lead) of the record that came first of each lead."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT ON (lead_id) source_id, lead_id FROM source_records"
            " WHERE lead_id IS NOT NULL ORDER BY lead_id, first_seen_at, source_id"
        )
    finally:
        await connection.close()
    return [(row[0], row[1]) for row in rows]


if __name__ == "__main__":
    main()
