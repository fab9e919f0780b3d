"""The budget of a host: the same rules in Redis and in a process, kept by all together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine.adapters.local.ports import free_port
from engine.adapters.sources import host_budget
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.host_budget import REDIS_AWAY_SHARE, HostBudget
from engine.adapters.sources.pace import Breaker, Budget, Pace
from engine.adapters.sources.polite_client import open_client
from engine.adapters.sources.process_budget import ProcessBudget
from engine.adapters.sources.redis_budget import RedisBudget
from tests.adapters.sources.loopback import served
from tests.adapters.sources.watchful_site import WatchfulSite

HOST = "site.example:80"
BREAKER = Breaker(failures_max=3, open_seconds=0.5, open_seconds_max=0.75)
FAST = Pace(1e5, 100)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture(params=["redis", "process"])
def budget(request: pytest.FixtureRequest, redis: Redis) -> Budget:
    return RedisBudget(redis) if request.param == "redis" else ProcessBudget()


async def test_tokens_come_at_the_pace(budget: Budget) -> None:
    pace = Pace(2.0, 3)
    first = [(await budget.take(HOST, pace, f"l{n}", 0.01)).kind for n in range(3)]
    assert first == ["go"] * 3
    await asyncio.sleep(0.02)  # The slots are free again, the tokens not.
    verdict = await budget.take(HOST, pace, "l4", 0.01)
    assert verdict.kind == "wait"
    assert 0.1 < verdict.seconds <= 0.5
    await asyncio.sleep(verdict.seconds + 0.005)
    assert (await budget.take(HOST, pace, "l5", 0.01)).kind == "go"
    assert (await budget.take("other.example:80", pace, "l6", 0.01)).kind == "go"


async def test_a_slow_pace_has_no_burst(budget: Budget) -> None:
    slow = Pace(0.5, 4)
    assert (await budget.take(HOST, slow, "a", 1.0)).kind == "go"
    verdict = await budget.take(HOST, slow, "b", 1.0)
    assert verdict.kind == "wait"
    assert 1.5 < verdict.seconds <= 2.0


async def test_slots_are_given_back_or_end(budget: Budget) -> None:
    pace = Pace(1e6, 2)
    for lease in ("a", "b"):
        assert (await budget.take(HOST, pace, lease, 0.5)).kind == "go"
    assert (await budget.take(HOST, pace, "c", 0.5)).kind == "wait"
    await budget.give_back(HOST, "a", "good", 0.0, BREAKER)
    assert (await budget.take(HOST, pace, "c", 5.0)).kind == "go"
    assert (await budget.take(HOST, pace, "d", 5.0)).kind == "wait"
    await asyncio.sleep(0.51)  # Whoever had b is dead.
    assert (await budget.take(HOST, pace, "d", 5.0)).kind == "go"
    assert (await budget.take(HOST, pace, "e", 5.0)).kind == "wait"


async def test_a_pause_is_everybodys(budget: Budget) -> None:
    await budget.take(HOST, FAST, "a", 1.0)
    await budget.give_back(HOST, "a", "good", 0.5, BREAKER)
    await budget.give_back(HOST, "b", "good", 0.05, BREAKER)  # A shorter one takes nothing away.
    verdict = await budget.take(HOST, FAST, "c", 1.0)
    assert verdict.kind == "paused"
    assert 0.1 < verdict.seconds <= 0.5
    await asyncio.sleep(verdict.seconds + 0.005)
    assert (await budget.take(HOST, FAST, "c", 1.0)).kind == "go"


async def fail(budget: Budget, times: int) -> None:
    for number in range(times):
        assert (await budget.take(HOST, FAST, f"f{number}", 1.0)).kind == "go"
        await budget.give_back(HOST, f"f{number}", "bad", 0.0, BREAKER)


async def test_failures_in_a_row_open_the_circuit(budget: Budget) -> None:
    await fail(budget, 2)
    assert (await budget.take(HOST, FAST, "a", 1.0)).kind == "go"
    await budget.give_back(HOST, "a", "good", 0.0, BREAKER)
    await fail(budget, 3)  # Only now three in a row.
    verdict = await budget.take(HOST, FAST, "b", 1.0)
    assert verdict.kind == "open"
    assert 0.1 < verdict.seconds <= 0.5
    assert (await budget.take("other.example:80", FAST, "b", 1.0)).kind == "go"


async def test_one_probe_closes_it_or_opens_it_for_longer(budget: Budget) -> None:
    await fail(budget, 3)
    await asyncio.sleep(0.51)
    assert (await budget.take(HOST, FAST, "probe", 1.0)).kind == "go"
    assert (await budget.take(HOST, FAST, "second", 1.0)).kind == "open"
    await budget.give_back(HOST, "probe", "bad", 0.0, BREAKER)
    verdict = await budget.take(HOST, FAST, "a", 1.0)
    assert verdict.kind == "open"
    assert 0.51 < verdict.seconds <= 0.75  # Twice as long, up to the bound.
    await asyncio.sleep(0.76)
    assert (await budget.take(HOST, FAST, "given up", 1.0)).kind == "go"
    await budget.give_back(HOST, "given up", "unknown", 0.0, BREAKER)
    assert (await budget.take(HOST, FAST, "probe", 1.0)).kind == "go"
    await budget.give_back(HOST, "probe", "good", 0.0, BREAKER)
    assert [(await budget.take(HOST, FAST, f"{n}", 1.0)).kind for n in range(5)] == ["go"] * 5


async def test_a_probe_that_died_is_followed_by_another(budget: Budget) -> None:
    await fail(budget, 3)
    await asyncio.sleep(0.51)
    assert (await budget.take(HOST, FAST, "dies", 0.4)).kind == "go"
    assert (await budget.take(HOST, FAST, "b", 0.4)).kind == "open"
    await asyncio.sleep(0.41)
    assert (await budget.take(HOST, FAST, "b", 0.1)).kind == "go"


async def test_every_key_has_a_deadline(redis: Redis) -> None:
    budget = RedisBudget(redis)
    await fail(budget, 3)
    await budget.take("other.example:80", FAST, "a", 1.0)
    keys = await redis.keys("*")
    assert len(keys) == 3  # Two states, and the slots that are taken.
    assert all([0 < await redis.ttl(key) <= 7_200 for key in keys])


async def test_waiting_ends_with_a_reason(redis: Redis) -> None:
    budget = HostBudget(redis, breaker=BREAKER, wait_seconds_max=0.3, turns_waited_max=0)
    url, slow = "http://site.example/", Pace(0.5, 1)
    await budget.take(url, "slow:80", slow, 5.0)
    with pytest.raises(FetchFailed) as failure:
        await budget.take(url, "slow:80", slow, 5.0)
    assert failure.value.reason == "no-budget"
    paused = await budget.take(url, "paused:80", FAST, 5.0)
    await budget.give_back(paused, "good", 60.0)
    with pytest.raises(FetchFailed) as failure:
        await budget.take(url, "paused:80", FAST, 5.0)
    assert failure.value.reason == "host-paused"
    assert failure.value.retry_seconds == pytest.approx(60, abs=1)
    for _ in range(3):
        await budget.give_back(await budget.take(url, "bad:80", FAST, 5.0), "bad")
    with pytest.raises(FetchFailed) as failure:
        await budget.take(url, "bad:80", FAST, 5.0)
    assert failure.value.reason == "circuit-open"


async def test_a_slow_queue_is_waited_for(redis: Redis) -> None:
    budget = HostBudget(redis, wait_seconds_max=0.1, turns_waited_max=10)
    slow = Pace(1 / 0.15, 1, is_spaced=True)

    async def visit() -> None:
        await budget.give_back(await budget.take("http://a.example/", "a:80", slow, 5.0), "good")

    began = time.monotonic()
    await asyncio.gather(*(visit() for _ in range(4)))
    assert time.monotonic() - began >= 3 * 0.15


async def test_a_short_pause_is_waited_for(redis: Redis) -> None:
    budget = HostBudget(redis)
    turn = await budget.take("http://a.example/", "a:80", FAST, 5.0)
    await budget.give_back(turn, "good", 0.2)
    began = time.monotonic()
    await budget.take("http://a.example/", "a:80", FAST, 5.0)
    assert time.monotonic() - began >= 0.19


# --- together -------------------------------------------------------------------------------


async def visitor(redis_url: str, site_url: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.adapters.sources.visitor",
        redis_url,
        site_url,
        *(str(each) for each in arguments),
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


async def test_two_processes_keep_one_budget(redis: Redis, redis_url: str) -> None:
    site = WatchfulSite(seconds=0.08)
    async with served(site.application()) as url:
        both = [await visitor(redis_url, url, 20, 3, 25) for _ in range(2)]
        assert [await each.wait() for each in both] == [0, 0]
    assert len(site.arrivals) == 50
    assert site.here_most <= 3
    assert site.fits(20, burst=3)


async def test_the_slots_of_a_killed_process_come_back(redis: Redis, redis_url: str) -> None:
    site = WatchfulSite()
    async with served(site.application()) as url:
        victim = await visitor(redis_url, url, 100, 1, 0)
        await asyncio.wait_for(site.hanging.wait(), 30)
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        [slots] = await redis.keys("polite:*:slots")
        assert await redis.zcard(slots) == 1
        # Its lease would end in half a minute: as if that were over.
        [(lease, until)] = await redis.zrange(slots, 0, 0, withscores=True)
        assert until / 1e6 - time.time() < 36
        async with open_client(redis_url, Pace(100, 1), replay_url=url) as client:
            waiting = asyncio.create_task(client.get(f"{url}/page/1"))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await redis.zadd(slots, {lease: time.time() * 1e6 - 1})
            assert await asyncio.wait_for(waiting, 5) is not None


async def test_without_redis_a_process_keeps_to_its_share(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = WatchfulSite(seconds=0.1)
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    pace = Pace(80.0, 8)
    async with (
        served(site.application()) as url,
        open_client(nobody, pace, replay_url=url) as client,
    ):
        await asyncio.gather(*(client.get(f"{url}/page/{n}") for n in range(8)))
    assert REDIS_AWAY_SHARE == 1 / 8
    assert site.here_most == 1
    assert site.fits(10, burst=1)
    assert "this process's share" in caplog.text


async def test_redis_that_comes_back_is_used_again(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_budget, "REDIS_AWAY_SECONDS", 0.05)
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}/0") as nobody:
        budget = HostBudget(nobody, process=ProcessBudget())
        first = await budget.take("http://a.example/", "a:80", FAST, 5.0)
        await budget.give_back(first, "good")
        assert isinstance(first.budget, ProcessBudget)
        nobody.connection_pool = Redis.from_url(redis_url).connection_pool
        await asyncio.sleep(0.06)
        second = await budget.take("http://a.example/", "a:80", FAST, 5.0)
        assert isinstance(second.budget, RedisBudget)
        await nobody.connection_pool.aclose()
