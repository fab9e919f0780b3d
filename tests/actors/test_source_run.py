"""Runs of sources over a real database; the pages, the reading and the desk are made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import asyncpg
import pytest

from actors.intake_desk import Counts
from actors.page_flow import FAILURES_IN_A_ROW_MAX, DeskRefused, RunFailed, TaskLost
from actors.page_tasks import Batch, Reading
from actors.source_run import Progress, SourceRun
from engine.adapters.postgres import runs, source_state
from engine.adapters.postgres.fetched_pages import FetchedPage
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.runs import PageFailure
from engine.adapters.postgres.source_state import Taken
from engine.adapters.sources.addresses import Address
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.source_directory import Source

SOURCE = Source(name="gazette", parser="feed", fetch="index", every="hourly")
MARKET = "austin"


class Site:
    """The ports of a run: a site of `pages` index pages of ten posts, each with one record.

    `at_read` and `at_take` are called with each url and may raise or wait.
    """

    def __init__(self, pages: int = 3) -> None:
        self.pages = pages
        self.asked: list[Address] = []
        self.taken: list[str] = []
        self.walked: list[int] = []
        self.broken: set[str] = set()
        self.filled = {"list_price": 1}
        self.at_take: Any = None
        self.at_read: Any = None
        self.fails_at: int | None = None

    async def discover(self, walk: dict[str, Any]) -> AsyncGenerator[Batch]:
        for page in range(walk.get("page", 0), self.pages):
            if page == self.fails_at:
                raise FetchFailed("http://gazette/", "timeout", "no answer")
            self.walked.append(page)
            walk.clear()
            if page + 1 < self.pages:
                walk["page"] = page + 1
            yield Batch(tuple(Address(f"http://gazette/{page}/{n}") for n in range(10)))

    async def read(self, batch: Batch) -> AsyncGenerator[tuple[Any, Reading]]:
        for address in batch.addresses:
            self.asked.append(address)
            if self.at_read is not None:
                await self.at_read(address.url)
            if address.url in self.broken:
                yield b"", Reading(failed=[PageFailure(address.url, "status-500", "broken")])
            elif address.etag is not None:
                yield b"", Reading(unchanged=[address.url])
            else:
                page = FetchedPage(address.url, '"1"', None, address.url)
                yield address.url, Reading(pages=[page], records=1, filled=self.filled)

    async def take(self, payload: Any) -> Counts:
        if self.at_take is not None:
            await self.at_take(payload)
        self.taken.append(payload)
        return Counts(new=1)

    def urls(self) -> list[str]:
        return [address.url for address in self.asked]


@pytest.fixture
async def pool(fresh_database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(fresh_database_url, application="test")
    yield pool
    await pool.close()


def a_run(pool: asyncpg.Pool, site: Site, **more: Any) -> SourceRun:
    return SourceRun(pool, SOURCE, MARKET, site, **more)


async def test_a_run_takes_all_there_is_once(pool: asyncpg.Pool) -> None:
    site, told = Site(), []
    done = await a_run(pool, site, on_progress=lambda each: told.append(each.pages)).run()
    assert done.error is None
    assert done.finished
    assert (done.pages, done.counts.new, done.errors) == (30, 30, 0)
    assert sorted(site.taken) == sorted(site.urls())
    assert told[-1] == 30
    run = await runs.one(pool, done.run_id)
    assert run is not None
    assert (run.state, run.pages, run.records, run.counts) == ("finished", 30, 30, {"new": 30})
    assert run.fill["list_price"] == 1.0
    state = (await source_state.states(pool))["gazette", MARKET]
    assert state.running is None
    assert state.next_run_at is not None


async def test_the_next_run_asks_only_for_what_changed(pool: asyncpg.Pool) -> None:
    await a_run(pool, Site()).run()
    site = Site(4)
    done = await a_run(pool, site).run()
    assert (done.pages, done.unchanged_pages, done.counts.new) == (40, 30, 10)
    assert {address.etag for address in site.asked} == {'"1"', None}
    afresh = await a_run(pool, Site(4), afresh=True).run()
    assert (afresh.pages, afresh.unchanged_pages) == (40, 0)


async def test_a_source_that_is_one_document_is_asked_for_only_if_it_changed(
    pool: asyncpg.Pool,
) -> None:
    begun: list[dict[str, Any]] = []

    class OneDocument(Site):
        async def discover(self, walk: dict[str, Any]) -> AsyncGenerator[Batch]:
            begun.append(dict(walk))
            walk.clear()
            walk.update(etag='"7"', last_modified=None, after="http://gazette/0/3")
            yield Batch((Address("http://gazette/0/0"),))

    for afresh in (False, False, True):
        await a_run(pool, OneDocument(), afresh=afresh).run()
    # The place in a list is a broken run's alone: here the next one begins at its start.
    assert begun == [{}, {"etag": '"7"', "last_modified": None}, {}]


async def test_two_runs_of_one_source_are_refused_but_two_markets_are_not(
    pool: asyncpg.Pool,
) -> None:
    site, going = Site(), asyncio.Event()

    async def hold(_: str) -> None:
        going.set()
        await asyncio.sleep(30)

    site.at_read = hold
    first = a_run(pool, site)
    running = asyncio.create_task(first.run())
    await going.wait()
    with pytest.raises(Taken, match=first.progress.run_id):
        await a_run(pool, Site()).run()
    other = await SourceRun(pool, SOURCE, "dallas", Site()).run()
    assert other.error is None
    found = await runs.newest(pool, market=MARKET, after=None, limit=9)
    assert [(run.run_id, run.state) for run in found] == [(first.progress.run_id, "running")]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await a_run(pool, Site()).run()).error is None


async def test_a_run_that_broke_off_is_gone_on_with(pool: asyncpg.Pool) -> None:
    site, enough = Site(6), asyncio.Event()

    async def stop_at(url: str) -> None:
        if url == "http://gazette/4/5":
            enough.set()
            await asyncio.sleep(30)

    site.at_read = stop_at
    first = a_run(pool, site, tasks_max=1)
    running = asyncio.create_task(first.run())
    await enough.wait()
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(site.taken) == 45
    broken = await runs.one(pool, first.progress.run_id)
    assert broken is not None
    assert broken.state == "interrupted"
    rest = Site(6)
    second = await a_run(pool, rest).run()
    assert second.resumed_from == first.progress.run_id
    # The walk goes on after the last page of links that was wholly taken.
    assert rest.walked == [4, 5]
    assert sorted(rest.taken) == sorted(
        {f"http://gazette/{p}/{n}" for p in (4, 5) for n in range(10)} - set(site.taken)
    )
    third = await a_run(pool, Site(6)).run()
    assert third.resumed_from is None
    assert third.unchanged_pages == 60


async def test_the_lease_of_a_dead_runner_ends(pool: asyncpg.Pool) -> None:
    await source_state.take_lease(pool, "gazette", MARKET, "dead")
    with pytest.raises(Taken, match="dead"):
        await a_run(pool, Site()).run()
    await pool.execute("UPDATE source_state SET lease_until = now() - interval '1 second'")
    done = await a_run(pool, Site()).run()
    assert done.error is None
    assert done.resumed_from == "dead"
    assert not await source_state.renew_lease(pool, "gazette", MARKET, "dead")


async def test_a_run_whose_lease_was_taken_over_stops(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.source_run.LEASE_SECONDS", 0.6)
    site, going = Site(), asyncio.Event()

    async def hold(_: str) -> None:
        going.set()
        await asyncio.sleep(30)

    site.at_read = hold
    running = asyncio.create_task(a_run(pool, site).run())
    await going.wait()
    await pool.execute("UPDATE source_state SET lease_owner = 'another'")
    async with asyncio.timeout(10):
        done = await running
    assert done.error is not None
    assert "took over" in done.error
    owner = await pool.fetchval("SELECT lease_owner FROM source_state")
    assert owner == "another"


async def test_pages_that_fail_are_kept_with_their_reason(pool: asyncpg.Pool) -> None:
    site = Site()
    site.broken = {"http://gazette/0/3", "http://gazette/2/9"}
    done = await a_run(pool, site).run()
    assert done.error is None
    assert (done.pages, done.errors) == (28, 2)
    found = await runs.errors_of(pool, done.run_id, after=None, limit=10)
    assert {error.url for error in found} == site.broken
    assert {error.reason for error in found} == {"status-500"}
    again = Site()
    assert (await a_run(pool, again).run()).errors == 0
    assert {each.url for each in again.asked if each.etag is None} == site.broken


async def test_errors_kept_are_bounded_and_the_rest_counted(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ERRORS_MAX", 4)
    site = Site()
    site.broken = {f"http://gazette/{page}/{n}" for page in range(3) for n in (1, 5, 8)}
    done = await a_run(pool, site).run()
    assert done.errors == 9
    assert len(await runs.errors_of(pool, done.run_id, after=None, limit=99)) == 4


async def test_a_site_that_only_fails_is_left_alone(pool: asyncpg.Pool) -> None:
    site = Site(100)
    site.broken = {f"http://gazette/{page}/{n}" for page in range(100) for n in range(10)}
    done = await a_run(pool, site).run()
    assert done.error is not None
    assert "status-500" in done.error
    assert FAILURES_IN_A_ROW_MAX <= len(site.asked) < 200
    state = (await source_state.states(pool))["gazette", MARKET]
    assert state.failures == 1
    run = await runs.one(pool, done.run_id)
    assert run is not None
    assert run.state == "failed"


async def test_a_walk_that_fails_in_its_middle_keeps_what_came_before(pool: asyncpg.Pool) -> None:
    site = Site(5)
    site.fails_at = 3
    done = await a_run(pool, site).run()
    assert done.error is not None
    assert "timeout" in done.error
    assert done.pages == 30
    rest = Site(5)
    second = await a_run(pool, rest).run()
    assert rest.walked == [3, 4]
    assert second.pages == 20


async def test_a_lost_task_is_tried_again_for_what_it_had_not_read(pool: asyncpg.Pool) -> None:
    site = Site(1)
    lost = iter([True, False, False])

    async def lose(url: str) -> None:
        if url.endswith("/6") and next(lost):
            raise TaskLost("the worker died")

    site.at_read = lose
    done = await a_run(pool, site).run()
    assert (done.pages, done.errors) == (10, 0)
    assert site.urls().count("http://gazette/0/5") == 1


async def test_a_task_that_is_always_lost_costs_its_pages(pool: asyncpg.Pool) -> None:
    site = Site(1)

    async def lose(url: str) -> None:
        if url.endswith("/6"):
            raise TaskLost("the worker died")

    site.at_read = lose
    done = await a_run(pool, site).run()
    assert (done.error, done.pages, done.errors) == (None, 6, 4)
    found = await runs.errors_of(pool, done.run_id, after=None, limit=10)
    assert {error.reason for error in found} == {"task-lost"}


async def test_a_page_counts_as_read_only_when_the_desk_took_it(pool: asyncpg.Pool) -> None:
    site = Site(1)

    async def refuse(payload: str) -> None:
        if payload.endswith("/3"):
            raise DeskRefused("it is poison")
        if payload.endswith("/7"):
            raise RunFailed("the desk is away")

    site.at_take = refuse
    done = await a_run(pool, site).run()
    assert done.error == "the desk is away"
    again = Site(1)
    await a_run(pool, again).run()
    assert {"http://gazette/0/3", "http://gazette/0/7"} <= set(again.taken)


async def test_drift_is_told_kept_and_cleared(pool: asyncpg.Pool) -> None:
    async def run(site: Site) -> Progress:
        return await a_run(pool, site, afresh=True).run()

    for _ in range(4):
        assert (await run(Site(10))).drift == []
    emptied = Site(10)
    emptied.filled = {"list_price": 0}
    [fall] = (await run(emptied)).drift
    assert (fall.field, fall.was, fall.now) == ("list_price", 1.0, 0.0)
    state = (await source_state.states(pool))["gazette", MARKET]
    since = state.drift["since"]
    # What it gives now does not become its past.
    for _ in range(8):
        assert (await run(emptied)).drift
    state = (await source_state.states(pool))["gazette", MARKET]
    assert state.drift["since"] == since
    assert (await run(Site(10))).drift == []
    assert (await source_state.states(pool))["gazette", MARKET].drift == {}


async def test_an_accepted_drift_is_the_new_past(pool: asyncpg.Pool) -> None:
    for _ in range(4):
        await a_run(pool, Site(10), afresh=True).run()
    fewer = Site(4)
    assert (await a_run(pool, fewer, afresh=True).run()).drift
    async with pool.acquire() as connection:
        await source_state.accept_drift(connection, "gazette", [MARKET])
    for _ in range(4):
        assert (await a_run(pool, fewer, afresh=True).run()).drift == []
    gone = Site(1)
    assert (await a_run(pool, gone, afresh=True).run()).drift


async def test_failures_are_tried_again_later_each_time(pool: asyncpg.Pool) -> None:
    site = Site(3)
    site.fails_at = 0
    waits = []
    for _ in range(3):
        await a_run(pool, site, chance=lambda: 0.5).run()
        waits.append(
            await pool.fetchval(
                "SELECT extract(epoch FROM next_run_at - now())::int FROM source_state"
            )
        )
    assert [round(wait / 60) for wait in waits] == [5, 10, 20]
