"""The registry on PostgreSQL: versions, roles, history, replicas, counts, shadows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from engine.adapters.postgres import model_counts, model_registry, model_watch, shadow_scores
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.rollout.roles import Refusal, Roles, Version, Wish
from engine.rollout.watch import Tally, Watched


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    found = await open_pool(database_url, application="tests")
    await found.execute(
        "TRUNCATE model_versions, model_roles, model_changes, model_replicas, model_watch,"
        " model_days, shadow_scores RESTART IDENTITY"
    )
    yield found
    await found.close()


def made(sha256: str, name: str = "fraud") -> Version:
    return Version(
        name, 0, "memory://m", sha256, 7, 1, ("a", "b"), "t", {"ap": 0.9}, 0, "me", "a note"
    )  # fmt: skip


async def _enter(pool: asyncpg.Pool, count: int) -> None:
    for number in range(count):
        await model_registry.register(pool, made(f"sha {number + 1}"))


async def _do(pool: asyncpg.Pool, action: str, version: int | None = None, **more: object) -> int:
    wish = Wish(action, version, **more)  # type: ignore[arg-type]
    done = await model_registry.change(pool, "fraud", wish, by="me")
    assert not isinstance(done, Refusal), done.reason
    return done


async def _roles(pool: asyncpg.Pool) -> tuple[int | None, int | None, float, int | None]:
    roles = (await model_registry.assigned(pool, ["fraud"]))["fraud"].roles
    return roles.live, roles.canary, roles.share, roles.shadow


async def test_versions_are_numbered_by_model_and_the_same_artefact_is_the_same_version(
    pool: asyncpg.Pool,
) -> None:
    first, new = await model_registry.register(pool, made("x"))
    again, newer = await model_registry.register(pool, made("x"))
    other, _ = await model_registry.register(pool, made("x", "embedder"))
    second, _ = await model_registry.register(pool, made("y"))
    assert (first.version, new, newer, other.version, second.version) == (1, True, False, 1, 2)
    assert again == first
    assert (first.features, first.metrics, first.made_by) == (("a", "b"), {"ap": 0.9}, "me")
    assert first.made_at > 0
    assert await model_registry.versions(pool, "fraud") == [second, first]
    assert len(await model_registry.versions(pool)) == 3


async def test_roles_change_and_the_history_tells_how(pool: asyncpg.Pool) -> None:
    await _enter(pool, 4)
    await _do(pool, "promote", 1)
    await _do(pool, "promote", 2)
    await _do(pool, "canary", 3, share=0.1)
    await _do(pool, "shadow", 4)
    assert await _roles(pool) == (2, 3, 0.1, 4)
    await _do(pool, "canary", 4, share=0.2)
    assert await _roles(pool) == (2, 4, 0.2, None)
    await _do(pool, "promote", 4)
    assert await _roles(pool) == (4, None, 0.0, None)
    await _do(pool, "rollback")
    await _do(pool, "rollback")
    assert await _roles(pool) == (1, None, 0.0, None)
    nothing = await model_registry.change(pool, "fraud", Wish("rollback"), by="me")
    assert isinstance(nothing, Refusal)
    history = await model_registry.changes(pool, "fraud", 3)
    told = [(each.action, each.role, each.from_version, each.to_version) for each in history]
    assert told == [
        ("rollback", "live", 2, 1),
        ("rollback", "live", 4, 2),
        ("promote", "live", 2, 4),
    ]


async def test_a_rollback_passes_over_what_was_retired(pool: asyncpg.Pool) -> None:
    await _enter(pool, 3)
    for version in (1, 2, 3):
        await _do(pool, "promote", version)
    await _do(pool, "retire", 2)
    await _do(pool, "rollback")
    assert await _roles(pool) == (1, None, 0.0, None)
    refused = await model_registry.change(pool, "fraud", Wish("promote", 2), by="me")
    assert refused == Refusal("version 2 is retired")


async def test_a_change_is_told_when_it_is_committed(pool: asyncpg.Pool, database_url: str) -> None:
    await _enter(pool, 1)
    told: asyncio.Queue[object] = asyncio.Queue()
    listening = await asyncpg.connect(database_url)
    await listening.add_listener(model_registry.CHANNEL, lambda *said: told.put_nowait(said[3]))
    change = await _do(pool, "promote", 1)
    assert await asyncio.wait_for(told.get(), 10) == "fraud"
    assigned = (await model_registry.assigned(pool, ["fraud"]))["fraud"]
    assert (assigned.roles.live, assigned.roles.change_id) == (1, change)
    assert assigned.promoted
    await listening.close()


async def test_of_many_who_see_the_same_fault_one_acts(pool: asyncpg.Pool) -> None:
    await _enter(pool, 3)
    for version in (1, 2, 3):
        seen = await _do(pool, "promote", version)
    wish = Wish("rollback", 3, role="live")
    done = await asyncio.gather(
        *(model_registry.change(pool, "fraud", wish, by="watch", if_change=seen) for _ in range(8))
    )
    assert len([each for each in done if not isinstance(each, Refusal)]) == 1
    assert await _roles(pool) == (2, None, 0.0, None)


async def test_whatever_happens_at_once_one_version_is_live(pool: asyncpg.Pool) -> None:
    await _enter(pool, 4)
    await _do(pool, "promote", 1)
    wishes = [Wish("promote", version) for version in (2, 3, 4)] * 3
    wishes += [Wish("rollback"), Wish("canary", 2, share=0.1), Wish("shadow", 3)] * 3
    await asyncio.gather(*(model_registry.change(pool, "fraud", wish, by="me") for wish in wishes))
    held = await pool.fetch("SELECT role, version FROM model_roles WHERE name = 'fraud'")
    roles = [row["role"] for row in held]
    assert roles.count("live") == 1
    assert len(set(roles)) == len(roles)


async def test_no_statement_makes_two_versions_live(pool: asyncpg.Pool) -> None:
    await _enter(pool, 2)
    await _do(pool, "promote", 1)
    for row in ("('fraud', 'live', 2, NULL, 'me', 1)", "('fraud', 'shadow', 1, NULL, 'me', 1)"):
        with pytest.raises(asyncpg.UniqueViolationError):
            await pool.execute(
                "INSERT INTO model_roles (name, role, version, share, given_by, change_id)"
                f" VALUES {row}"
            )


async def test_replicas_are_known_as_long_as_they_speak(pool: asyncpg.Pool) -> None:
    await model_watch.acknowledge(pool, "r1", "fraud", Roles(live=1, change_id=5), "")
    await model_watch.acknowledge(pool, "r2", "fraud", Roles(live=1, change_id=5), "too slow")
    await model_watch.acknowledge(pool, "r1", "fraud", Roles(live=2, change_id=6), "")
    said = await model_watch.acknowledgements(pool, "fraud")
    assert [(each.replica, each.live, each.change_id, each.problem) for each in said] == [
        ("r1", 2, 6, ""),
        ("r2", 1, 5, "too slow"),
    ]
    await pool.execute("UPDATE model_replicas SET at = at - interval '1 minute'")
    assert await model_watch.acknowledgements(pool) == []
    await model_watch.leave(pool, "r1")
    assert await pool.fetchval("SELECT count(*) FROM model_replicas") == 1


async def test_counts_of_replicas_add_up(pool: asyncpg.Pool) -> None:
    for replica, times in (("r1", 2), ("r2", 1)):
        for _ in range(times):
            tally = Tally()
            tally.answered(3.0, [0.1, 0.9])
            tally.failed(9.0)
            tally.saw([1, 2, 3])
            taken = tally.taken()
            assert taken is not None
            await model_counts.count(pool, replica, "fraud", {(1, "live"): taken})
    found = await model_counts.days(pool, "fraud", 1, 1)
    assert (found.calls, found.errors, found.rows) == (6, 3, 6)
    assert found.features == (3, 6, 9)
    assert sum(found.latency) == 6
    minutes = await model_counts.minutes(pool, "fraud", 1, since_us=0)
    assert minutes == msgspec.structs.replace(found, features=())
    later = await model_counts.minutes(pool, "fraud", 1, since_us=0, roles=["canary"])
    assert later == Watched()
    await pool.execute("UPDATE model_days SET at = at - interval '3 days'")
    assert (await model_counts.days(pool, "fraud", 1, 3)).calls == 0
    assert (await model_counts.days(pool, "fraud", 1, 4)).calls == 6
    await pool.execute("UPDATE model_watch SET at = at - interval '3 days'")
    # The minutes go, the days stay as long as they are asked for.
    assert await model_counts.forget(pool, 90) == await pool.fetchval(
        "SELECT count(*) FROM model_days"
    )
    assert await model_counts.forget(pool, 2) >= 2
    assert await model_counts.days(pool, "fraud", 1, 90) == Watched()


async def test_shadow_scores_are_bounded_by_time_and_number(pool: asyncpg.Pool) -> None:
    await _enter(pool, 2)
    scores = [ShadowScore(f"lead {number}", 0.5, 1, 0.25) for number in range(10)]
    await shadow_scores.write(pool, "fraud", 2, scores)
    assert await shadow_scores.forget(pool, days=5, rows=4) == 6
    kept = await shadow_scores.of(pool, "fraud", 2)
    assert [each.subject for each in kept] == ["lead 9", "lead 8", "lead 7", "lead 6"]
    assert await shadow_scores.of(pool, "fraud", 2, live_version=9) == []
    await pool.execute("UPDATE shadow_scores SET at = at - interval '6 days'")
    assert await shadow_scores.forget(pool, days=5, rows=4) == 4
