"""Served models as operators see and change them, over HTTP."""

from __future__ import annotations

import pytest

from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_watch
from engine.rollout.roles import Roles
from tests.serve_apps.api.world import World, assert_problem
from tests.serve_apps.scoring.small_model import enter, small_bundle


async def _entered(world: World, versions: int) -> None:
    assert world.replica.deps is not None
    pool = world.replica.deps.pool
    await pool.execute(
        "TRUNCATE model_versions, model_roles, model_changes, model_replicas RESTART IDENTITY"
    )
    for number in range(versions):
        await enter(pool, ModelStore("memory://models"), small_bundle(number / 10))


async def test_roles_are_changed_by_administrators_alone(world: World) -> None:
    await _entered(world, 3)
    admin, buyer = await world.admin(), await world.buyer()
    assert_problem(await buyer.get("/v1/admin/models"), 403, "forbidden")
    refused = await buyer.post("/v1/admin/models/fraud/promote", {"version": 1})
    assert_problem(refused, 403, "forbidden")
    done = await admin.post("/v1/admin/models/fraud/promote", {"version": 1, "reason": "the first"})
    assert done.status_code == 200
    assert (done.json()["action"], done.json()["to_version"]) == ("promote", 1)
    assert done.json()["reason"] == "the first"
    for path, body in (
        ("promote", {"version": 2}),
        ("canary", {"version": 3, "share": 0.2}),
        ("shadow", {"version": 1}),
    ):
        assert (await admin.post(f"/v1/admin/models/fraud/{path}", body)).status_code == 200
    model = (await admin.get("/v1/admin/models")).json()["items"][0]
    assert (model["name"], model["live"], model["canary"], model["shadow"]) == ("fraud", 2, 3, 1)
    assert (model["canary_share"], len(model["versions"])) == (0.2, 3)
    assert model["versions"][0]["role"] == "canary"
    for _ in range(2):
        assert (await admin.post("/v1/admin/models/fraud/rollback", {})).status_code == 200
    history = (await admin.get("/v1/admin/models/fraud/changes")).json()["items"]
    assert [each["action"] for each in history[:3]] == ["rollback", "rollback", "shadow"]
    assert history[0]["changed_by"].startswith("admin ")


@pytest.mark.parametrize(
    ("path", "body", "status", "slug"),
    [
        ("fraud/promote", {"version": 9}, 409, "model-role"),
        ("fraud/canary", {"version": 2}, 409, "model-role"),
        ("fraud/canary", {"version": 2, "share": 0.9}, 422, "validation"),
        ("fraud/rollback", {}, 409, "model-role"),
        ("fraud/retire", {"version": 9}, 409, "model-role"),
        ("price/promote", {"version": 1}, 404, "not-found"),
        ("fraud/promote", {}, 422, "validation"),
    ],
)
async def test_what_can_not_be_is_a_problem(
    world: World, path: str, body: dict[str, object], status: int, slug: str
) -> None:
    await _entered(world, 2)
    admin = await world.admin()
    assert_problem(await admin.post(f"/v1/admin/models/{path}", body), status, slug)


async def test_replicas_say_what_they_serve_with(world: World) -> None:
    await _entered(world, 1)
    assert world.replica.deps is not None
    pool, admin = world.replica.deps.pool, await world.admin()
    said = Roles(live=1, change_id=4)
    await model_watch.acknowledge(pool, "r1", "fraud", said, "version 2 as live: too slow")
    (replica,) = (await admin.get("/v1/admin/models")).json()["items"][0]["replicas"]
    assert (replica["replica"], replica["live"], replica["change_id"]) == ("r1", 1, 4)
    assert replica["problem"] == "version 2 as live: too slow"


async def test_drift_of_a_version_that_can_not_be_read_says_so(world: World) -> None:
    await _entered(world, 1)
    admin = await world.admin()
    assert_problem(await admin.get("/v1/admin/models/fraud/drift"), 404, "not-found")
    assert_problem(await admin.get("/v1/admin/models/fraud/drift", version=1), 503, "unavailable")
