"""Runs of sources on a real Ray, against a site that writes down what it is asked."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.adapters.postgres import runs
from engine.adapters.sources.replay_documents import SampleDocuments
from engine.adapters.sources.replay_posts import SamplePosts
from engine.adapters.sources.replay_site import replay_site
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets
from engine.settings import Settings

HOMES = 400


class CountedSite:
    """A site on a port of its own; `asked` counts the posts that were asked for by path and
    status, and from `slow_after` posts on each takes a while."""

    def __init__(self, site: ASGIApp) -> None:
        self._site = site
        self.asked: Counter[tuple[str, int]] = Counter()
        self.slow_after: int | None = None
        self._server = uvicorn.Server(uvicorn.Config(self, port=0, log_level="critical", ws="none"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and "/posts/" in scope["path"]
        if is_post and self.slow_after is not None and len(self.asked) >= self.slow_after:
            await asyncio.sleep(3)

        async def counted(message: Any) -> None:
            if is_post and message["type"] == "http.response.start":
                self.asked[scope["path"], message["status"]] += 1
            await send(message)

        await self._site(scope, receive, counted)

    def start(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture(scope="module")
def site(settings: Settings) -> Iterator[CountedSite]:
    world = SampleWorld(7, HOMES, list(load_markets(settings.markets_file).values()))
    now = datetime.now(UTC)
    counted = CountedSite(replay_site(SamplePosts(world, now), SampleDocuments(world, now)))
    yield counted
    counted.stop()


@pytest.fixture(scope="module")
def installation(settings: Settings, site: CountedSite) -> Iterator[Settings]:
    """The actors launched, and the site in place of every source."""
    from actors.launch import launch, stop_actors

    served = settings.model_copy(update={"replay_url": site.start()})
    launch(served)
    yield served
    stop_actors(served)


@pytest.fixture(autouse=True)
async def forgotten(installation: Settings, site: CountedSite) -> None:
    """Each test reads the site for the first time."""
    connection = await asyncpg.connect(installation.database_url)
    await connection.execute("TRUNCATE fetched_pages, source_state, ingest_runs, run_errors")
    await connection.close()
    site.asked.clear()
    site.slow_after = None


async def fetch(settings: Settings, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(settings.database_url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_source_is_read_listed_and_then_asked_for_changes_only(
    installation: Settings, site: CountedSite
) -> None:
    from actors.ingest import run_ingest

    [run] = await asyncio.to_thread(run_ingest, installation, "craigslist", "reno")
    assert run.error is None, run.error
    assert run.counts.new > 0
    assert run.pages == len(site.asked) > 50
    assert {status for _, status in site.asked} == {200}
    [leads] = await fetch(installation, "SELECT count(*) FROM leads WHERE market = 'reno'")
    assert leads[0] == run.counts.new
    site.asked.clear()
    [again] = await asyncio.to_thread(run_ingest, installation, "craigslist", "reno")
    assert (again.error, again.pages, again.unchanged_pages) == (None, run.pages, run.pages)
    assert {status for _, status in site.asked} == {304}


async def test_two_runs_of_one_source_at_once_are_refused(
    installation: Settings, site: CountedSite
) -> None:
    from actors.ingest import run_ingest

    site.slow_after = 10
    going = asyncio.create_task(asyncio.to_thread(run_ingest, installation, "craigslist", "reno"))
    await until(lambda: len(site.asked) >= 10)
    [refused] = await asyncio.to_thread(run_ingest, installation, "craigslist", "reno")
    assert refused.error is not None
    assert "already" in refused.error
    site.slow_after = None
    [run] = await going
    assert run.error is None
    assert max(site.asked.values()) == 1


DRIVER = """
import sys
from pathlib import Path
import ray
from engine.settings import Settings
settings = Settings(_env_file=None, **__import__("json").loads(sys.argv[1]))
ray.init(address=sys.argv[2], namespace="aiqleads", log_to_driver=False)
from actors.ingest import run_ingest
run_ingest(settings, "craigslist", "boise")
"""


async def test_a_killed_run_is_gone_on_with_and_asks_for_no_page_twice(
    installation: Settings, site: CountedSite, tmp_path: Path
) -> None:
    import ray

    from actors.ingest import run_ingest

    site.slow_after = 70
    told = installation.model_dump_json(
        include={"database_url", "redis_url", "replay_url", "markets_file", "data_dir"}
    )
    address = ray.get_runtime_context().gcs_address
    with (tmp_path / "driver.log").open("w") as log:
        driver = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", DRIVER, told, address],
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
    try:
        await until(lambda: len(site.asked) >= 70 or driver.poll() is not None)
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()[-3000:]
        await asyncio.sleep(0.5)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    await asyncio.sleep(4)
    [[taken]] = await fetch(installation, "SELECT count(*) FROM fetched_pages")
    assert 0 < taken < len(list(site.asked)) + 1
    first = set(site.asked)
    site.asked.clear()
    site.slow_after = None
    [refused] = await asyncio.to_thread(run_ingest, installation, "craigslist", "boise")
    assert refused.error is not None
    assert "already" in refused.error
    # A dead runner's lease ends by itself; the test does not wait a minute for it.
    await fetch(installation, "UPDATE source_state SET lease_until = now() RETURNING 1")
    [run] = await asyncio.to_thread(run_ingest, installation, "craigslist", "boise")
    assert run.error is None
    assert run.resumed_from is not None
    assert len(set(site.asked)) == run.pages
    # Only pages that were under way when it was killed are asked for twice.
    assert len(first & set(site.asked)) <= len(first) - taken
    [[pages]] = await fetch(installation, "SELECT count(*) FROM fetched_pages")
    assert pages == taken + run.pages


async def test_a_desk_and_a_book_that_die_cost_a_run_nothing(
    installation: Settings, site: CountedSite
) -> None:
    from actors.ingest import run_ingest
    from actors.launch import statuses

    said = await asyncio.to_thread(statuses, installation)
    going = asyncio.create_task(
        asyncio.to_thread(run_ingest, installation, "craigslist", "boise", afresh=True)
    )
    await until(lambda: len(site.asked) >= 40)
    for name in ("desk:boise", "book:boise"):
        actor = said[name]
        assert actor is not None
        os.kill(actor["pid"], signal.SIGKILL)
    [run] = await going
    assert run.error is None, run.error
    assert (run.errors, run.pages) == (0, len(site.asked))
    [[kept]] = await fetch(
        installation,
        "SELECT count(*) FROM source_records WHERE market = 'boise' AND lead_id IS NOT NULL",
    )
    assert kept == run.records


async def test_a_hostile_source_costs_its_own_run_and_nothing_else(
    installation: Settings,
) -> None:
    from actors.ingest import run_ingest
    from tests.hostile_site import hostile_site

    with hostile_site() as hostile:
        trapped = installation.model_copy(update={"replay_url": hostile.url})
        suffering = asyncio.create_task(asyncio.to_thread(run_ingest, trapped, "fsbo", "reno"))
        await until(lambda: len(hostile.visits) > 3)
        began = time.monotonic()
        [healthy] = await asyncio.to_thread(run_ingest, installation, "craigslist", "reno")
        took = time.monotonic() - began
        assert not suffering.done()
        [run] = await suffering
    assert healthy.error is None
    assert healthy.pages > 50
    assert took < 30
    assert run.error is None
    errors = await fetch(installation, "SELECT reason, count(*) FROM run_errors GROUP BY reason")
    reasons = dict(tuple(row) for row in errors)
    print(f"\nhealthy in {took:.1f} s beside it; the hostile one {run.seconds:.0f} s, {reasons}")
    assert {"status-500", "bad-answer"} <= reasons.keys()
    assert sum(reasons.values()) == run.errors


async def test_a_run_that_is_asked_for_is_run_by_the_scheduler(
    installation: Settings, site: CountedSite
) -> None:
    from engine.adapters.postgres import source_state
    from engine.adapters.postgres.pool import open_pool

    pool = await open_pool(installation.database_url, application="test")
    try:
        async with pool.acquire() as connection, connection.transaction():
            await source_state.ask(connection, "craigslist", "boise", "asked-for")
        async with asyncio.timeout(60):
            while (run := await runs.one(pool, "asked-for")) is None or run.state != "finished":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await pool.close()
    assert run.pages == len(site.asked) > 50
