"""What an operator does with versions, from the command line or over HTTP."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from engine.adapters.postgres import (
    model_counts,
    model_evaluations,
    model_labels,
    model_registry,
    model_watch,
    shadow_scores,
)
from engine.adapters.postgres.model_watch import Acknowledged
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.market.instant import rfc3339
from engine.rollout.histogram import LATENCY_EDGES_MS, quantile
from engine.rollout.roles import Version
from models_ml.drift import Drift, drift
from serve_apps.scoring.loading import reference_of

SERVED_DAYS = 90
APART = 0.2


async def acknowledged(
    pool: asyncpg.Pool, name: str, change_id: int, seconds_max: float
) -> tuple[list[Acknowledged], list[Acknowledged]]:
    """Replicas that follow the change, and those that do not within this time. One that took it
    in and says of a problem does not; its problem ends when the version can be used or is
    refused, which is a change after this one."""
    deadline = time.monotonic() + seconds_max
    while True:
        said = await model_watch.acknowledgements(pool, name)
        there = [each for each in said if each.change_id >= change_id and not each.problem]
        if len(there) == len(said) or time.monotonic() > deadline:
            return there, [each for each in said if each not in there]
        await asyncio.sleep(0.1)


async def find(pool: asyncpg.Pool, name: str, number: int) -> Version:
    """Raises LookupError."""
    for version in await model_registry.versions(pool, name):
        if version.version == number:
            return version
    raise LookupError(f"{name} has no version {number}")


async def find_or_live(pool: asyncpg.Pool, name: str, number: int | None) -> Version:
    """A version, or without a number the live one. Raises LookupError."""
    if number is None:
        number = (await model_registry.assigned(pool, [name]))[name].roles.live
        if number is None:
            raise LookupError(f"no version of {name} is live")
    return await find(pool, name, number)


async def listing(pool: asyncpg.Pool, name: str | None) -> list[dict[str, Any]]:
    """Every version with its role, as it is shown; the newest of each model first."""
    versions = await model_registry.versions(pool, name)
    assigned = await model_registry.assigned(pool, sorted({each.name for each in versions}))
    found = []
    for each in versions:
        roles = assigned[each.name].roles
        role = roles.held_by(each.version)
        found.append(
            {
                "name": each.name,
                "version": each.version,
                "role": role,
                "share": roles.share if role == "canary" else None,
                "sha256": each.sha256,
                "size_bytes": each.size_bytes,
                "schema": each.schema,
                "features": len(each.features),
                "training_sha256": each.training_sha256,
                "metrics": each.metrics,
                "made_at": rfc3339(each.made_at),
                "made_by": each.made_by,
                "note": each.note,
                "retired_at": None if each.retired_at is None else rfc3339(each.retired_at),
            }
        )
    return found


async def compare(pool: asyncpg.Pool, name: str, one: int, other: int) -> dict[str, Any]:
    """Two versions by their metrics, by what they did, and by leads that both scored: one of them
    as the shadow of the other. Raises LookupError if there is no such version."""
    versions = [await find(pool, name, one), await find(pool, name, other)]
    pairs = await shadow_scores.of(pool, name, one, live_version=other)
    shadow = one
    if not pairs:
        shadow, pairs = other, await shadow_scores.of(pool, name, other, live_version=one)
    return {
        "name": name,
        "versions": [
            {
                "version": each.version,
                "metrics": each.metrics,
                "served": await _served(pool, each),
                "evaluations": [
                    {
                        "data": found.data,
                        "rows": found.rows,
                        "metrics": found.metrics,
                        "note": found.note,
                        "at": rfc3339(found.at),
                    }
                    for found in await model_evaluations.newest(pool, name, each.version)
                ],
            }
            for each in versions
        ],
        "shadow": {"version": shadow, **_beside(pairs)} if pairs else None,
    }


async def _served(pool: asyncpg.Pool, version: Version) -> dict[str, Any]:
    found = await model_counts.days(pool, version.name, version.version, SERVED_DAYS)
    p99 = quantile(LATENCY_EDGES_MS, found.latency, 0.99) if found.latency else 0.0
    return {
        "calls": found.calls,
        "errors": found.errors,
        "rows": found.rows,
        "p99_ms": round(p99, 2) if math.isfinite(p99) else None,
    }


def _beside(pairs: Sequence[ShadowScore]) -> dict[str, Any]:
    """How two versions differ on the same leads; the furthest apart are named."""
    apart = sorted(pairs, key=lambda each: -abs(each.score - each.live_score))
    differences = [each.score - each.live_score for each in pairs]
    return {
        "leads": len(pairs),
        "mean_difference": round(sum(differences) / len(pairs), 4),
        "mean_distance": round(sum(map(abs, differences)) / len(pairs), 4),
        "far_apart": sum(abs(each) >= APART for each in differences),
        "furthest": [
            {"subject": each.subject, "shadow": each.score, "live": each.live_score}
            for each in apart[:10]
        ],
    }


async def drift_of(pool: asyncpg.Pool, name: str, number: int | None, days: int) -> Drift:
    """Of a version, or of the live one. Raises LookupError, ArtefactLost or Unusable."""
    version = await find_or_live(pool, name, number)
    # Its reference alone: the model itself may take seconds to build, and much memory.
    reference = await asyncio.to_thread(reference_of, version)
    watched = await model_counts.days(pool, name, version.version, days)
    labelled = await model_labels.labelled(pool, version.version) if name == "fraud" else []
    return drift(name, version.version, days, watched, reference, labelled)
