"""Health and metrics."""

from __future__ import annotations

import asyncio

import asyncpg
from prometheus_client import generate_latest

from serve_apps.api.answers import Answer, answer, document
from serve_apps.api.call import CurrentCall
from serve_apps.api.deps import Deps
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.operations import Health, Readiness

routes = Routes("operations")

CHECK_SECONDS = 2.0
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@routes.add("GET", "/healthz", access="anyone", limited=False, answers={200: Health})
async def healthz(call: CurrentCall) -> Answer:
    """The process answers."""
    return answer({"status": "ok"})


@routes.add(
    "GET", "/readyz", access="anyone", limited=False, answers={200: Readiness, 503: Readiness}
)
async def readyz(call: CurrentCall) -> Answer:
    """Whether this replica can serve now, by part."""
    checks = {"database": await _database_answers(call.deps)}
    checks |= {name: holds() for name, holds in call.deps.readiness.items()}
    ready = all(checks.values())
    return answer(
        {"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503
    )


@routes.add("GET", "/metrics", access="anyone", limited=False, answers={200: "text/plain"})
async def metrics(call: CurrentCall) -> Answer:
    """Counts of this replica for Prometheus; `replica` tells them apart behind one port."""
    return document(generate_latest(call.deps.traffic.registry).decode(), _METRICS_TYPE)


async def _database_answers(deps: Deps) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await deps.pool.fetchval("SELECT 1")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True
