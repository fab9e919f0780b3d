"""Served models as Serve applications: one each, without a route, with bounds on everything."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application

from engine.settings import Settings
from serve_apps.scoring.model_replica import ModelReplica


def scoring_app(
    replica: type[ModelReplica],
    settings: Settings,
    *,
    max_ongoing_requests: int,
    max_queued_requests: int,
) -> Application:
    """For `serve.run(app, name=..., route_prefix=None)`.

    `max_ongoing_requests` is of a replica; beyond it `max_queued_requests` wait in each calling
    process, and a call beyond that is refused at once.
    """
    options: dict[str, Any] = {
        "ray_actor_options": {"num_cpus": settings.models_replica_cpus},
        "max_ongoing_requests": max_ongoing_requests,
        "max_queued_requests": max_queued_requests,
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": 10,
        "graceful_shutdown_wait_loop_s": 0.5,
    }
    options |= _replicas(settings, max_ongoing_requests)
    deployment: serve.Deployment = serve.deployment(name=replica.__name__, **options)(replica)
    return deployment.bind(settings)


def _replicas(settings: Settings, max_ongoing_requests: int) -> dict[str, Any]:
    least, most = settings.models_replicas_min, settings.models_replicas_max
    if least >= most:
        return {"num_replicas": least}
    return {
        "autoscaling_config": {
            "min_replicas": least,
            "max_replicas": most,
            # Half of what a replica takes at once: the rest is for the time another one starts.
            "target_ongoing_requests": max_ongoing_requests / 2,
        }
    }
