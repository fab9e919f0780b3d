"""The scheduler over a real database; the runs it starts are made up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from actors.scheduler import RUNS_AT_ONCE, Scheduler, Turn, due
from actors.source_run import Progress
from engine.adapters.postgres import source_state
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.source_state import SourceState
from engine.source_directory import Source

MARKETS = ("austin", "dallas", "phoenix")


def a_source(name: str, **more: Any) -> Source:
    return Source(name=name, parser="feed", fetch="documents", **more)


SOURCES = {(name, market): a_source(name) for name in "abcdef" for market in MARKETS}


class Runs:
    """Runs that take the lease, last until they are let go, and end in order."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str, str | None]] = []
        self.under_way: set[tuple[str, str]] = set()
        self.most = 0
        self.go = asyncio.Event()

    async def run(self, pool: asyncpg.Pool, turn: Turn) -> Progress:
        key = (turn.source.name, turn.market)
        run_id = turn.run_id or f"run-{len(self.started)}"
        await source_state.take_lease(pool, *key, run_id)
        self.started.append((*key, turn.run_id))
        assert key[0] not in {name for name, _ in self.under_way}
        self.under_way.add(key)
        self.most = max(self.most, len(self.under_way))
        await self.go.wait()
        self.under_way.remove(key)
        await source_state.end_lease(
            pool,
            *key,
            run_id,
            walk={},
            next_run_at=datetime.now(UTC) + timedelta(hours=1),
            failures=0,
            drift={},
            finished=True,
        )
        return Progress(*key)


@pytest.fixture
async def pool(fresh_database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(fresh_database_url, application="test")
    yield pool
    await pool.close()


@contextlib.asynccontextmanager
async def scheduling(url: str, runs: Runs, **more: Any) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(url, SOURCES, runs.run, **({"rest_seconds": 0} | more))
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.stop()


async def set_all_due(pool: asyncpg.Pool) -> None:
    moments = {key: datetime.now(UTC) - timedelta(minutes=1) for key in SOURCES}
    await source_state.enter(pool, moments)


async def until(holds: Any, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_is_due_is_run_once_a_few_at_a_time(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    await set_all_due(pool)
    runs = Runs()
    async with scheduling(fresh_database_url, runs) as scheduler:
        await until(lambda: len(runs.started) == RUNS_AT_ONCE)
        await asyncio.sleep(0.2)
        assert len(runs.started) == len(scheduler.running()) == RUNS_AT_ONCE
        runs.go.set()
        await until(lambda: len(runs.started) == len(SOURCES))
        await asyncio.sleep(0.3)
    assert len(set(runs.started)) == len(runs.started) == len(SOURCES)
    assert runs.most == RUNS_AT_ONCE


async def test_a_new_installation_spreads_its_first_turns(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    async with scheduling(fresh_database_url, Runs()):
        states = await source_state.states(pool)
    turns = {state.next_run_at for state in states.values()}
    assert states.keys() == SOURCES.keys()
    assert len(turns) == len(SOURCES)
    async with scheduling(fresh_database_url, Runs()):
        again = await source_state.states(pool)
    assert {state.next_run_at for state in again.values()} == turns


async def test_a_run_that_is_asked_for_starts_at_once_under_its_id(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    runs = Runs()
    runs.go.set()
    async with scheduling(fresh_database_url, runs, keeps_time=False):
        await asyncio.sleep(0.2)
        assert runs.started == []
        async with pool.acquire() as connection, connection.transaction():
            asked = await source_state.ask(connection, "b", "dallas", "wanted")
            twice = await source_state.ask(connection, "b", "dallas", "wanted-too")
        assert asked == twice == "wanted"
        await until(lambda: runs.started == [("b", "dallas", "wanted")])
        await asyncio.sleep(0.2)
    assert len(runs.started) == 1
    assert (await source_state.states(pool))["b", "dallas"].asked is None


async def test_off_keeps_no_time(pool: asyncpg.Pool, fresh_database_url: str) -> None:
    await set_all_due(pool)
    runs = Runs()
    async with scheduling(fresh_database_url, runs, keeps_time=False):
        await asyncio.sleep(0.3)
    assert runs.started == []


async def test_a_paused_source_waits_until_it_may_go_on(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    await set_all_due(pool)
    async with pool.acquire() as connection:
        for name in "abcde":
            await source_state.pause(connection, name, MARKETS, paused=True)
    runs = Runs()
    runs.go.set()
    async with scheduling(fresh_database_url, runs):
        await until(lambda: len(runs.started) == len(MARKETS))
        await asyncio.sleep(0.2)
        assert {name for name, *_ in runs.started} == {"f"}
        async with pool.acquire() as connection:
            await source_state.pause(connection, "a", ["austin"], paused=False)
        await until(lambda: ("a", "austin", None) in runs.started)


async def test_overdue_turns_wait_while_an_installation_starts(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    await set_all_due(pool)
    runs = Runs()
    async with scheduling(fresh_database_url, runs, rest_seconds=0.6):
        await asyncio.sleep(0.3)
        assert runs.started == []
        await until(lambda: bool(runs.started))


async def test_it_goes_on_when_its_listening_connection_breaks(
    pool: asyncpg.Pool, fresh_database_url: str
) -> None:
    runs = Runs()
    runs.go.set()
    async with scheduling(fresh_database_url, runs, keeps_time=False) as scheduler:
        await until(lambda: scheduler._listening is not None)
        await asyncio.sleep(0.1)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            " AND application_name = '' AND query LIKE 'LISTEN%'"
        )
        await asyncio.sleep(0.2)
        async with pool.acquire() as connection, connection.transaction():
            await source_state.ask(connection, "c", "austin", "after")
        await until(lambda: runs.started == [("c", "austin", "after")])


def a_state(name: str, minutes: float | None = -1.0, **more: Any) -> SourceState:
    turn = (
        None if minutes is None else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    )
    given = {"running": None, "asked": None, "paused": False, "failures": 0, "drift": {}}
    return SourceState(name, "austin", next_run_at=turn, **(given | more))


@pytest.mark.parametrize(
    ("states", "keeps_time", "expected"),
    [
        ([a_state("a", -1), a_state("b", -5), a_state("c", 1)], True, ["b", "a"]),
        ([a_state("a", -5), a_state("b", 9, asked="x")], True, ["b", "a"]),
        ([a_state("a", paused=True), a_state("b", paused=True, asked="x")], True, ["b"]),
        ([a_state("a", running="r"), a_state("b", asked="x", running="r")], True, []),
        ([a_state("a"), a_state("b", None), a_state("unknown")], True, ["a"]),
        ([a_state("a"), a_state("b", asked="x")], False, ["b"]),
    ],
)
def test_what_is_due(states: list[SourceState], keeps_time: bool, expected: list[str]) -> None:
    by_key = {(state.source, state.market): state for state in states}
    now_us = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    turns = due(by_key, SOURCES, now_us=now_us, keeps_time=keeps_time)
    assert [turn.source.name for turn in turns] == expected
