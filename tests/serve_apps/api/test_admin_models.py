"""Served models as operators see and change them, over HTTP."""

from __future__ import annotations

import numpy as np
import pytest

from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_counts, model_watch
from engine.rollout.roles import Roles
from engine.rollout.watch import Tally
from models_ml import bundle
from models_ml.reference import PART, of_training, to_bytes
from tests.serve_apps.api.world import World, assert_problem
from tests.serve_apps.scoring.small_model import FEATURES, enter, small_bundle


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


async def test_drift_is_told_as_numbers_and_as_a_page(world: World) -> None:
    await _entered(world, 1)
    assert world.replica.deps is not None
    pool, admin, buyer = world.replica.deps.pool, await world.admin(), await world.buyer()
    reference = of_training(FEATURES, np.arange(2_000.0).reshape(1_000, 2))
    parts = {PART: to_bytes(reference), "small.json": b'{"score": 0.7}'}
    version = await enter(pool, ModelStore("memory://models"), bundle.pack(parts))
    tally = Tally()
    tally.answered(1.0, [0.7] * 600)
    tally.saw(reference.counts(np.full((600, 2), 5_000.0)))
    counted = tally.taken()
    assert counted is not None
    await model_counts.count(pool, "r1", "fraud", {(version.version, "live"): counted})
    path = "/v1/admin/models/fraud/drift"
    found = (await admin.get(path, version=version.version, days=1)).json()
    assert (found["rows"], found["note"]) == (600, "")
    assert [each["verdict"] for each in found["features"]] == ["shifted", "shifted"]
    page = await admin.get(f"{path}.html", version=version.version)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Of 2 features 2 have shifted" in page.text
    for suffix in ("", ".html"):
        assert_problem(await buyer.get(path + suffix), 403, "forbidden")
        refused = await admin.get(path + suffix, version=version.version, days=91)
        assert_problem(refused, 422, "validation")


async def test_drift_of_a_version_that_can_not_be_read_says_so(world: World) -> None:
    await _entered(world, 1)
    assert world.replica.deps is not None
    spoilt = await enter(world.replica.deps.pool, ModelStore("memory://models"), b"no bundle")
    admin = await world.admin()
    for path in ("drift", "drift.html"):
        whole = f"/v1/admin/models/fraud/{path}"
        assert_problem(await admin.get(whole), 404, "not-found")
        assert_problem(await admin.get(whole, version=9), 404, "not-found")
        assert_problem(await admin.get(whole, version=spoilt.version), 503, "unavailable")


async def test_a_rollback_of_a_named_version_takes_back_no_other(world: World) -> None:
    await _entered(world, 3)
    admin = await world.admin()
    for path, body in (
        ("promote", {"version": 1}),
        ("promote", {"version": 2}),
        ("canary", {"version": 3, "share": 0.2}),
        ("rollback", {"version": 3}),
    ):
        assert (await admin.post(f"/v1/admin/models/fraud/{path}", body)).status_code == 200
    again = await admin.post("/v1/admin/models/fraud/rollback", {"version": 3})
    assert_problem(again, 409, "model-role")
    assert (await admin.get("/v1/admin/models")).json()["items"][0]["live"] == 2
