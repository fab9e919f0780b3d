"""The installation's Serve applications, built in one place.

`run` deploys the door: replicas with listeners of their own. `ingress_app` is the same
API behind Serve's ingress, for clusters whose balancer speaks to Serve. `run_models` deploys
the models, each an application of its own without a route: deploying one touches no other.
"""

from __future__ import annotations

import gc
import logging
import sys
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import ProxyLocation

from actors.launch import connect
from engine.settings import Settings
from serve_apps.api.app import Api, create_app
from serve_apps.api.deps import close_deps, open_deps
from serve_apps.api.server import DRAIN_SECONDS, ApiReplica
from serve_apps.scoring.directory import APPS, build

APP_NAME = "api"
INGRESS_NAME = "api-ingress"

# Serve sees none of the listener's requests; its own limits and probes stay out of the
# way. No CPU is reserved: on a small machine a reserved one would never be free.
_OPTIONS: dict[str, Any] = {
    "ray_actor_options": {"num_cpus": 0},
    "graceful_shutdown_timeout_s": DRAIN_SECONDS + 10,
    "graceful_shutdown_wait_loop_s": 0.5,
    "health_check_period_s": 5,
    "health_check_timeout_s": 15,
}


class Door:
    """A Serve replica that serves HTTP through its own listener."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        log_to_stderr(settings)
        self._replica = ApiReplica(settings)
        await self._replica.start()
        # What is loaded by now stays: code, caches, the feed's leads. Passing over it
        # again and again stopped the replica, and its callers, for a third of a second.
        gc.collect()
        gc.freeze()

    async def check_health(self) -> None:
        """Raises RuntimeError when the listener is gone, so that Serve replaces the replica."""
        self._replica.check_health()

    async def __call__(self) -> dict[str, int]:
        """What a handle may ask: this replica's load."""
        deps = self._replica.deps
        return {"in_flight": deps.traffic.in_flight if deps is not None else 0}

    async def __del__(self) -> None:
        # Serve's graceful stop awaits this; a half-built replica has nothing to stop.
        if hasattr(self, "_replica"):
            await self._replica.stop()


class Ingress:
    """The same API as a Serve ingress: Serve's proxies carry the requests."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        log_to_stderr(settings)
        self._deps = await open_deps(settings)

    def __serve_build_asgi_app__(self) -> Api:
        return create_app(self._deps)

    async def __del__(self) -> None:
        if hasattr(self, "_deps"):
            await close_deps(self._deps)


def door_app(settings: Settings) -> Application:
    deployment = serve.deployment(
        Door, name="Door", num_replicas=settings.api_replicas, max_ongoing_requests=64, **_OPTIONS
    )
    return deployment.bind(settings)


def ingress_app(settings: Settings) -> Application:
    """For `serve.run(ingress_app(settings), name=INGRESS_NAME, route_prefix=...)`.

    Every open socket occupies one of `max_ongoing_requests`.
    """
    deployment = serve.deployment(
        serve.ingress()(Ingress), name="Ingress", max_ongoing_requests=1000, **_OPTIONS
    )
    return deployment.bind(settings)


def run(settings: Settings) -> None:
    """Have the API's replicas running and listening; returns when they are.

    Running it again with the same settings replaces every replica, so `up` of a
    running installation must not. Raises RuntimeError when they do not come up.
    """
    connect(settings)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    # No proxy of Serve's own: the door has no route, and two installations on one
    # machine must not fight for Serve's port.
    serve.start(proxy_location=ProxyLocation.Disabled)
    try:
        serve.run(door_app(settings), name=APP_NAME, route_prefix=None)
    except RuntimeError as error:
        raise RuntimeError(_reason() or str(error)) from error


def run_models(settings: Settings) -> dict[str, str]:
    """Have every scoring application running; why not, by those that are not. Those that run are
    left alone: deploying them again would replace their replicas."""
    connect(settings)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location=ProxyLocation.Disabled)
    there = serve.status().applications
    problems: dict[str, str] = {}
    targets: list[serve.RunTarget] = []
    for name in APPS:
        if name in there and there[name].status in ("RUNNING", "DEPLOYING"):
            continue
        try:
            targets.append(serve.RunTarget(build(name, settings), name=name, route_prefix=None))
        except ImportError as error:
            problems[name] = str(error)
    if targets:
        try:
            # Together: each takes seconds to import what it needs.
            serve.run_many(targets)
        except RuntimeError as error:
            for target in targets:
                app = serve.status().applications.get(target.name)
                if app is None or app.status != "RUNNING":
                    problems[target.name] = _reason(target.name) or str(error)
    return problems


def _reason(name: str = APP_NAME) -> str:
    """The last words of a replica that did not start; Serve's own name only the deployment."""
    app = serve.status().applications.get(name)
    told = [deployment.message for deployment in app.deployments.values()] if app else []
    words = [line for line in "\n".join(told).splitlines() if line.strip()]
    return words[-1].strip() if words else ""


def log_to_stderr(settings: Settings) -> None:
    """Ray keeps each worker's stderr in the session's log folder."""
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


__all__ = ["APP_NAME", "INGRESS_NAME", "door_app", "ingress_app", "run", "run_models"]
