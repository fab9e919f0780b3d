"""Served models on Ray: versions change under load, replicas die, queues fill, files rot.

The tests of this module share one application and run in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from actors.models import ModelUnavailable
from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_registry, model_watch, shadow_scores
from engine.adapters.postgres.pool import open_pool
from engine.settings import Settings
from tests.serve_apps.scoring.small_model import enter, small_bundle, wish

REPLICAS = 2
ROWS = np.zeros((3, 2), np.float32)
LEADS = ["one", "two", "three"]
SCORES = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}


@pytest.fixture(scope="module")
def serving(settings: Settings) -> Iterator[Settings]:
    """Two replicas with version 1 live; 2 and 3 are there too."""
    from ray import serve
    from ray.serve.config import ProxyLocation

    from serve_apps.scoring.apps import scoring_app
    from tests.cluster.small_fraud import SmallFraud

    settings = settings.model_copy(
        update={"models_replicas_min": REPLICAS, "models_replicas_max": REPLICAS}
    )
    asyncio.run(_seed(settings))
    serve.start(proxy_location=ProxyLocation.Disabled)
    app = scoring_app(SmallFraud, settings, max_ongoing_requests=16, max_queued_requests=16)
    serve.run(app, name="fraud", route_prefix=None)
    yield settings
    serve.shutdown()


async def _seed(settings: Settings) -> None:
    pool = await open_pool(settings.database_url, application="tests", size_max=1)
    store = _store(settings)
    for score in (SCORES[1], SCORES[2], SCORES[3]):
        await enter(pool, store, small_bundle(score))
    await wish(pool, "promote", 1)
    await pool.close()


def _store(settings: Settings) -> ModelStore:
    return ModelStore((settings.data_dir / "models").as_uri())


@pytest.fixture
async def pool(serving: Settings) -> AsyncIterator[asyncpg.Pool]:
    found = await open_pool(serving.database_url, application="tests", size_max=2)
    yield found
    await found.close()


class Load:
    """Callers that ask without a pause, and what they were told."""

    def __init__(self, callers: int = 6) -> None:
        from actors.served_models import ServedApp, ServedFraudScorer

        self.scorer = ServedFraudScorer(ServedApp("fraud", 5.0))
        self.answers = 0
        self.failures: list[str] = []
        self.seen: set[int] = set()
        self._callers = callers

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._ask(str(n))) for n in range(self._callers)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    async def _ask(self, caller: str) -> None:
        number = 0
        while True:
            number += 1
            lead_ids = [f"{caller} {number} {each}" for each in LEADS]
            try:
                scored = await self.scorer.score(lead_ids, ROWS, {})
            except ModelUnavailable as error:
                self.failures.append(str(error))
                await asyncio.sleep(0.05)
                continue
            # An answer says of each lead which version made it, and means it.
            assert scored.probabilities == [SCORES[version] for version in scored.versions]
            self.answers += 1
            self.seen |= set(scored.versions)


async def _acknowledged(pool: asyncpg.Pool, change_id: int) -> list[model_watch.Acknowledged]:
    deadline = time.monotonic() + 30
    while True:
        said = await model_watch.acknowledgements(pool, "fraud")
        if len(said) == REPLICAS and all(each.change_id >= change_id for each in said):
            return said
        assert time.monotonic() < deadline, said
        await asyncio.sleep(0.05)


def _spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0.9", b"0.8"))


async def _status() -> dict[str, object]:
    from ray import serve

    handle = await asyncio.to_thread(serve.get_app_handle, "fraud")
    found: dict[str, object] = (await handle.options(method_name="status").remote())["fraud"]
    return found


async def test_versions_change_under_load_and_no_call_fails(pool: asyncpg.Pool) -> None:
    load = Load()
    async with load.running():
        for old, new in ((1, 2), (2, 1), (1, 2)):
            load.seen.clear()
            await _acknowledged(pool, await wish(pool, "promote", new))
            assert load.seen <= {old, new}
            await asyncio.sleep(0.1)
            load.seen.clear()
            await asyncio.sleep(0.3)
            assert load.seen == {new}
        await _acknowledged(pool, await wish(pool, "canary", 3, share=0.5))
        await asyncio.sleep(0.1)
        load.seen.clear()
        await asyncio.sleep(0.5)
        assert load.seen == {2, 3}
        await _acknowledged(pool, await wish(pool, "rollback"))
        await asyncio.sleep(0.1)
        load.seen.clear()
        await asyncio.sleep(0.3)
        assert load.seen == {2}
        await _acknowledged(pool, await wish(pool, "rollback"))
        await asyncio.sleep(0.1)
        load.seen.clear()
        await asyncio.sleep(0.3)
        assert load.seen == {1}
    assert load.failures == []
    assert load.answers > 50


async def test_a_shadow_is_scored_and_answers_nobody(pool: asyncpg.Pool) -> None:
    load = Load(2)
    async with load.running():
        await _acknowledged(pool, await wish(pool, "shadow", 3))
        deadline = time.monotonic() + 20
        while not (found := await shadow_scores.of(pool, "fraud", 3)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    assert load.seen == {1}
    assert (found[0].score, found[0].live_version, found[0].live_score) == (0.3, 1, 0.1)
    await _acknowledged(pool, await wish(pool, "shadow", None))


async def test_a_spoilt_file_is_refused_and_the_old_version_stays(
    pool: asyncpg.Pool, serving: Settings
) -> None:
    spoilt = await enter(pool, _store(serving), small_bundle(0.9))
    _spoil(Path(spoilt.url.removeprefix("file://")))
    load = Load(2)
    async with load.running():
        change = await wish(pool, "promote", spoilt.version)
        await _acknowledged(pool, change + 1)
        await asyncio.sleep(0.2)
    history = await model_registry.changes(pool, "fraud")
    assert (history[0].action, history[0].from_version, history[0].to_version) == (
        "refused", spoilt.version, 1,
    )  # fmt: skip
    assert "it was changed" in history[0].reason
    assert (load.failures, load.seen) == ([], {1})
    assert [each.problem for each in await _acknowledged(pool, change + 1)] == ["", ""]


async def test_a_full_queue_refuses_at_once_and_says_so(
    pool: asyncpg.Pool, serving: Settings
) -> None:
    slow = await enter(pool, _store(serving), small_bundle(SCORES[4], seconds=0.5))
    SCORES[slow.version] = SCORES[4]
    await _acknowledged(pool, await wish(pool, "promote", slow.version))
    load = Load()
    asked = [load.scorer.score(LEADS, ROWS, {}) for _ in range(150)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    refused = [str(each) for each in ended if isinstance(each, ModelUnavailable)]
    assert any("backpressure" in each for each in refused), refused[:3]
    # Bounded: what was taken was answered, by who says so.
    answered = [each for each in ended if not isinstance(each, BaseException)]
    assert answered
    assert {version for each in answered for version in each.versions} == {slow.version}
    await _acknowledged(pool, await wish(pool, "rollback"))


async def test_a_killed_replica_is_replaced_and_nothing_is_mislabelled(pool: asyncpg.Pool) -> None:
    load = Load(4)
    killed = await _status()
    async with load.running():
        await asyncio.sleep(0.3)
        os.kill(int(str(killed["pid"])), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            said = {each.replica for each in await model_watch.acknowledgements(pool, "fraud")}
            if len(said - {killed["replica"]}) == REPLICAS:
                break
            assert time.monotonic() < deadline, said
            await asyncio.sleep(0.2)
        load.failures.clear()
        await asyncio.sleep(0.5)
        assert load.failures == []
    assert load.seen == {1}
