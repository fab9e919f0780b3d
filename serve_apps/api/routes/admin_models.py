"""What admins see and do of served models."""

from __future__ import annotations

from typing import Annotated, Any, cast

import asyncpg
import msgspec
from fastapi import Query

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres import model_registry, model_watch
from engine.adapters.postgres.idempotency import Stored
from engine.adapters.postgres.model_registry import Change
from engine.market.instant import rfc3339
from engine.rollout.roles import Refusal, Wish
from models_ml.artefact import Unusable
from models_ml.drift import Drift
from models_ml.drift_page import as_html
from models_ml.served import NAMES, ModelName
from serve_apps.api.answers import Answer, answer, document
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.problems import Problem, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas import models as schema
from serve_apps.scoring import operations

routes = Routes("admin")
_CHANGES_SHOWN = 200
_PROBLEMS = ("not-found", "model-role")


@routes.add("GET", "/v1/admin/models", access="admin", answers={200: schema.ServedModels})
async def list_models(call: CurrentCall) -> Answer:
    """Every model: its versions, who serves as what, and what the replicas say."""
    pool = call.deps.pool
    assigned = await model_registry.assigned(pool, NAMES)
    versions = await operations.listing(pool, None)
    said = await model_watch.acknowledgements(pool)
    items = []
    for name in NAMES:
        roles = assigned[name].roles
        items.append(
            {
                "name": name,
                "live": roles.live,
                "canary": roles.canary,
                "canary_share": roles.share,
                "shadow": roles.shadow,
                "change_id": roles.change_id,
                "versions": [_version(each) for each in versions if each["name"] == name],
                "replicas": [_replica(each) for each in said if each.name == name],
            }
        )
    return answer({"items": items, "next_cursor": None})


@routes.add(
    "GET",
    "/v1/admin/models/{name}/changes",
    access="admin",
    answers={200: schema.ModelChanges},
    problems=("not-found",),
)
async def list_changes(call: CurrentCall) -> Answer:
    """Who changed what and why."""
    found = await model_registry.changes(call.deps.pool, _name(call), _CHANGES_SHOWN)
    return answer({"items": [_change(each) for each in found], "next_cursor": None})


@routes.add(
    "GET",
    "/v1/admin/models/{name}/drift",
    access="admin",
    answers={200: schema.ModelDrift},
    problems=("not-found",),
)
async def show_drift(call: CurrentCall, query: Annotated[schema.DriftQuery, Query()]) -> Answer:
    """Features against the training rows, scores, and calibration by reviewers' labels."""
    return answer(await _drift(call, query))


@routes.add(
    "GET",
    "/v1/admin/models/{name}/drift.html",
    access="admin",
    answers={200: "text/html"},
    problems=("not-found",),
)
async def show_drift_page(
    call: CurrentCall, query: Annotated[schema.DriftQuery, Query()]
) -> Answer:
    """The same as a page to read, which loads nothing from elsewhere."""
    return document(as_html(await _drift(call, query)), "text/html; charset=utf-8")


async def _drift(call: Call, query: schema.DriftQuery) -> Drift:
    try:
        return await operations.drift_of(call.deps.pool, _name(call), query.version, query.days)
    except LookupError as error:
        raise not_found(str(error.args[0])) from error
    except (ArtefactLost, Unusable) as error:
        raise Problem("unavailable", f"the version can't be read: {error}") from error


@routes.add(
    "POST",
    "/v1/admin/models/{name}/promote",
    access="admin",
    key="optional",
    body=schema.PromoteRequest,
    answers={200: schema.ModelChange},
    problems=_PROBLEMS,
)
async def promote(call: CurrentCall) -> Answer:
    """Make a version the live one. Replicas swap it in while they serve; `GET` tells how far."""
    form = call.parse(schema.PromoteRequest)
    return await _changed(call, Wish("promote", form.version), form.reason)


@routes.add(
    "POST",
    "/v1/admin/models/{name}/canary",
    access="admin",
    key="optional",
    body=schema.CanaryRequest,
    answers={200: schema.ModelChange},
    problems=_PROBLEMS,
)
async def canary(call: CurrentCall) -> Answer:
    """Let a version answer for a share of the subjects; it is rolled back if it does worse."""
    form = call.parse(schema.CanaryRequest)
    return await _changed(call, Wish("canary", form.version, share=form.share), form.reason)


@routes.add(
    "POST",
    "/v1/admin/models/{name}/shadow",
    access="admin",
    key="optional",
    body=schema.ShadowRequest,
    answers={200: schema.ModelChange},
    problems=_PROBLEMS,
)
async def shadow(call: CurrentCall) -> Answer:
    """Have a version score beside the live one; its scores are kept and answer nobody."""
    form = call.parse(schema.ShadowRequest)
    return await _changed(call, Wish("shadow", form.version), form.reason)


@routes.add(
    "POST",
    "/v1/admin/models/{name}/rollback",
    access="admin",
    key="optional",
    body=schema.RollbackRequest,
    answers={200: schema.ModelChange},
    problems=_PROBLEMS,
)
async def rollback(call: CurrentCall) -> Answer:
    """End the canary, or go back to the version that was live before."""
    form = call.parse(schema.RollbackRequest)
    return await _changed(call, Wish("rollback", form.version, role=form.role), form.reason)


@routes.add(
    "POST",
    "/v1/admin/models/{name}/retire",
    access="admin",
    key="optional",
    body=schema.RetireRequest,
    answers={200: schema.ModelChange},
    problems=_PROBLEMS,
)
async def retire(call: CurrentCall) -> Answer:
    """Take a version that has no role out of use for good."""
    form = call.parse(schema.RetireRequest)
    return await _changed(call, Wish("retire", form.version), form.reason)


async def _changed(call: Call, wish: Wish, reason: str) -> Answer:
    name, by = _name(call), f"admin {call.user.user_id}"

    async def decide(connection: asyncpg.Connection) -> Stored:
        done = await model_registry.change_in(connection, name, wish, by=by, reason=reason)
        if isinstance(done, Refusal):
            raise Problem("model-role", done.reason)
        return decided(200, _change(await model_registry.change_of(connection, done)))

    return await answer_once(call, decide)


def _name(call: Call) -> ModelName:
    (name,) = call.params
    if name not in NAMES:
        raise not_found(f"no such model; there are {', '.join(NAMES)}")
    return cast(ModelName, name)


def _version(shown: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in shown.items() if key not in ("name", "schema")}
    return {**found, "schema_version": shown["schema"]}


def _replica(said: model_watch.Acknowledged) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(said)
    del found["name"]
    return {**found, "at": rfc3339(said.at)}


def _change(change: Change) -> dict[str, Any]:
    return {**msgspec.to_builtins(change), "at": rfc3339(change.at)}
