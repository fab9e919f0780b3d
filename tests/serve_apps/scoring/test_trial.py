"""A replica on a real registry: what is on trial goes back by itself for each cause, and nothing
is lost when roles change or the database goes away in the middle of a swap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_registry, model_watch
from engine.adapters.postgres.model_registry import Change
from engine.adapters.postgres.pool import open_pool
from engine.rollout.roles import Refusal, Role, Version, Wish
from engine.settings import Settings
from serve_apps.scoring import model_replica, operations
from serve_apps.scoring.following import Follower
from tests.serve_apps.scoring.small_model import SmallModel, enter, load_small, small_bundle, wish
from tests.serve_apps.scoring.thread_replica import SmallReplica, serving, started

CALLS = 300


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    found = await open_pool(database_url, application="tests", size_max=3)
    await found.execute(
        "TRUNCATE model_versions, model_roles, model_changes, model_replicas, model_watch,"
        " model_days, shadow_scores, model_evaluations RESTART IDENTITY"
    )
    yield found
    await found.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(model_replica, "POLL_SECONDS", 0.2)
    return Settings(database_url=database_url, data_dir=tmp_path)


async def entered(pool: asyncpg.Pool, settings: Settings, count: int) -> list[Version]:
    store = ModelStore((settings.data_dir / "models").as_uri())
    return [await enter(pool, store, small_bundle(number / 10)) for number in range(1, count + 1)]


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def newest(pool: asyncpg.Pool) -> Change:
    return (await model_registry.changes(pool, "fraud", 1))[0]


def _content(version: Version) -> bytes:
    return Path(version.url.removeprefix("file://")).read_bytes()


def _exchange(version: Version, content: bytes) -> None:
    Path(version.url.removeprefix("file://")).write_bytes(content)


def work(replica: SmallReplica, version: int, role: Role, **what: object) -> None:
    """Calls of a version, as the code around a model counts them."""
    errors, scores = int(what.get("errors", 0)), what.get("scores", [0.1, 0.1])  # type: ignore[call-overload]
    for number in range(CALLS):
        try:
            with replica.watching("fraud", version, role) as watching:
                watching.scores = scores  # type: ignore[assignment]
                if number < errors:
                    raise RuntimeError("it fails")
        except RuntimeError:
            pass
    milliseconds = what.get("milliseconds")
    if milliseconds is not None:
        for _ in range(CALLS):
            replica._tally("fraud", version, role).answered(milliseconds, scores)  # type: ignore[arg-type]


CAUSES: list[tuple[dict[str, object], str]] = [
    ({"errors": 20}, "error rate: 20 of 300 calls failed"),
    ({"milliseconds": 90.0}, "latency: 99 of 100 calls within"),
    ({"scores": [0.9, 0.9]}, "scores: population stability index"),
]


@pytest.mark.parametrize(("bad", "cause"), CAUSES)
async def test_a_canary_goes_back_by_itself(
    pool: asyncpg.Pool, settings: Settings, bad: dict[str, object], cause: str
) -> None:
    await entered(pool, settings, 2)
    await wish(pool, "promote", 1)
    await wish(pool, "canary", 2, share=0.2)
    async with serving(SmallReplica, settings) as replica:
        work(replica, 1, "live")
        work(replica, 2, "canary", **bad)
        await until(lambda: replica.service("fraud").canary is None)
        assert replica.service("fraud").roles(0).live == 1
    change = await newest(pool)
    assert (change.action, change.role, change.from_version) == ("rollback", "canary", 2)
    assert (change.changed_by, change.reason[: len(cause)]) == ("watch", cause)


@pytest.mark.parametrize(("bad", "cause"), CAUSES)
async def test_a_new_live_version_goes_back_by_itself(
    pool: asyncpg.Pool, settings: Settings, bad: dict[str, object], cause: str
) -> None:
    await entered(pool, settings, 2)
    await wish(pool, "promote", 1)
    async with serving(SmallReplica, settings) as replica:
        work(replica, 1, "live")
        await replica._tell()
        # What was counted before counts for the minutes before the promotion.
        await pool.execute("UPDATE model_watch SET at = at - interval '5 minutes'")
        await wish(pool, "promote", 2)
        await until(lambda: replica.service("fraud").roles(0).live == 2)
        work(replica, 2, "live", **bad)
        await until(lambda: replica.service("fraud").roles(0).live == 1)
    change = await newest(pool)
    assert (change.action, change.from_version, change.to_version) == ("rollback", 2, 1)
    assert change.reason.startswith(cause)


async def test_what_does_as_well_stays(pool: asyncpg.Pool, settings: Settings) -> None:
    await entered(pool, settings, 2)
    await wish(pool, "promote", 1)
    await wish(pool, "canary", 2, share=0.2)
    async with serving(SmallReplica, settings) as replica:
        work(replica, 1, "live")
        work(replica, 2, "canary", errors=2)
        await replica._tell()
        assert (await newest(pool)).action == "canary"


async def test_a_canary_goes_back_while_another_version_loads(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    await entered(pool, settings, 3)
    await wish(pool, "promote", 1)
    await wish(pool, "canary", 2, share=0.2)
    SlowToLoad.hold([3])
    async with serving(SlowToLoad, settings) as replica:
        await wish(pool, "shadow", 3)
        await until(lambda: 3 in SlowToLoad.waiting)
        work(replica, 1, "live")
        work(replica, 2, "canary", errors=20)
        for _ in range(200):
            if (await newest(pool)).action == "rollback":
                break
            await asyncio.sleep(0.05)
        assert (await newest(pool)).action == "rollback"
        SlowToLoad.hold([])
        await until(lambda: replica.service("fraud").roles(0).shadow == 3)
        assert replica.service("fraud").canary is None


async def test_of_several_replicas_that_see_it_one_rolls_back(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    await entered(pool, settings, 3)
    for version in (1, 2):
        await wish(pool, "promote", version)
    await wish(pool, "canary", 3, share=0.2)
    async with (
        serving(SmallReplica, settings) as one,
        serving(SmallReplica, settings) as two,
        serving(SmallReplica, settings) as three,
    ):
        for replica in (one, two, three):
            work(replica, 2, "live")
            work(replica, 3, "canary", errors=20)
        await asyncio.gather(*(replica._tell() for replica in (one, two, three)))
        await until(lambda: all(r.service("fraud").canary is None for r in (one, two, three)))
        await asyncio.sleep(0.5)
    # The canary alone, once: the live version was not taken back with it.
    actions = [each.action for each in await model_registry.changes(pool, "fraud")]
    assert actions.count("rollback") == 1
    roles = (await model_registry.assigned(pool, ["fraud"]))["fraud"].roles
    assert (roles.live, roles.canary) == (2, None)


class SlowToLoad(SmallReplica):
    """Loads when it is let."""

    holding: frozenset[int] = frozenset()
    waiting: list[int]

    @classmethod
    def hold(cls, versions: Iterable[int]) -> None:
        cls.holding, cls.waiting = frozenset(versions), []

    @staticmethod
    def load(version: Version) -> SmallModel:
        SlowToLoad.waiting.append(version.version)
        deadline = time.monotonic() + 30
        while version.version in SlowToLoad.holding and time.monotonic() < deadline:
            time.sleep(0.01)
        return load_small(version)


async def test_a_promotion_while_a_replica_starts_is_not_missed(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    await entered(pool, settings, 2)
    await wish(pool, "promote", 1)
    SlowToLoad.hold([1])
    starting = asyncio.create_task(started(SlowToLoad, settings))
    await until(lambda: SlowToLoad.waiting == [1])
    change = await wish(pool, "promote", 2)
    SlowToLoad.hold([])
    replica = await starting
    try:
        assert replica.service("fraud").roles(0).live == 2
        there, late = await operations.acknowledged(pool, "fraud", change, 10)
        assert ([each.live for each in there], late) == ([2], [])
    finally:
        await replica.stop()


async def test_a_promotion_waits_for_a_replica_that_takes_long(
    pool: asyncpg.Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_watch, "SILENT_SECONDS", 0.6)
    monkeypatch.setattr(model_replica, "Follower", partial(Follower, still_here_seconds=0.1))
    await entered(pool, settings, 2)
    await wish(pool, "promote", 1)
    SlowToLoad.hold([2])
    async with serving(SlowToLoad, settings) as replica:
        change = await wish(pool, "promote", 2)
        there, late = await operations.acknowledged(pool, "fraud", change, 2.0)
        assert (there, [each.live for each in late]) == ([], [1])
        SlowToLoad.hold([])
        there, late = await operations.acknowledged(pool, "fraud", change, 10.0)
        assert ([each.live for each in there], late) == ([2], [])
        assert replica.service("fraud").roles(0).live == 2


async def test_a_database_that_goes_away_in_a_swap_is_followed_again(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    await entered(pool, settings, 3)
    await wish(pool, "promote", 1)
    SlowToLoad.hold([2])
    async with serving(SlowToLoad, settings) as replica:
        await wish(pool, "promote", 2)
        await until(lambda: 2 in SlowToLoad.waiting)
        # Every connection of the replica is cut while it loads.
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'model replica%' AND datname = current_database()"
        )
        assert replica.service("fraud").roles(0).live == 1
        SlowToLoad.hold([])
        await until(lambda: replica.service("fraud").roles(0).live == 2)
        change = await wish(pool, "promote", 3)
        there, late = await operations.acknowledged(pool, "fraud", change, 10)
        assert ([each.live for each in there], late) == ([3], [])


async def test_a_refusal_and_a_rollback_at_once_leave_one_live_version(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    store = ModelStore((settings.data_dir / "models").as_uri())
    await entered(pool, settings, 2)
    bad = await enter(pool, store, small_bundle(0.9, example=0.5))
    for version in (1, 2):
        await wish(pool, "promote", version)
    SlowToLoad.hold([bad.version])
    async with serving(SlowToLoad, settings) as replica:
        await wish(pool, "promote", bad.version)
        await until(lambda: bad.version in SlowToLoad.waiting)
        # The operator is quicker than the replica's refusal.
        await wish(pool, "rollback")
        SlowToLoad.hold([])
        await asyncio.sleep(1.0)
        assert replica.service("fraud").roles(0).live == 2
    actions = [each.action for each in await model_registry.changes(pool, "fraud")]
    assert actions[:2] == ["rollback", "promote"]
    assert (await model_registry.assigned(pool, ["fraud"]))["fraud"].roles.live == 2


async def test_one_replica_s_bad_copy_takes_nothing_from_those_that_serve(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    (first,) = await entered(pool, settings, 1)
    await wish(pool, "promote", 1)
    content = _content(first)
    async with serving(SmallReplica, settings) as served:
        _exchange(first, content.replace(b"0.1", b"0.7"))
        async with serving(SmallReplica, settings) as other:
            assert other.optional("fraud") is None
            assert "it was changed" in other._follower.problems["fraud"]
            await asyncio.sleep(0.6)
            assert served.service("fraud").roles(0).live == 1
            _exchange(first, content)
            await until(lambda: other.optional("fraud") is not None)
    assert (await newest(pool)).action == "promote"


async def test_without_anyone_who_serves_it_a_bad_copy_is_refused(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    (first,) = await entered(pool, settings, 1)
    await wish(pool, "promote", 1)
    _exchange(first, b"short")
    async with serving(SmallReplica, settings) as replica:
        assert replica.optional("fraud") is None
    change = await newest(pool)
    assert (change.action, change.from_version, change.to_version) == ("refused", 1, None)


async def test_the_embedder_has_no_canary(pool: asyncpg.Pool) -> None:
    for _ in range(2):
        store = ModelStore("memory://models")
        await enter(pool, store, small_bundle(0.1), "embedder")
    done = await model_registry.change(pool, "embedder", Wish("canary", 1, share=0.1), by="me")
    assert isinstance(done, Refusal)
    assert "make it the shadow" in done.reason
