"""Whether what is on trial may stay: a canary, and a version that was promoted just now.

Every replica asks, by what all of them counted; of those that find the same fault one takes
the role back.
"""

from __future__ import annotations

from typing import Protocol

from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.judge import Bounds, fault
from engine.rollout.roles import Role
from engine.rollout.watch import Watched
from engine.settings import Settings

MINUTE_US = 60_000_000
# How far back the version before is looked at, before the promotion that ended it.
BEFORE_US = 24 * 60 * MINUTE_US
# What was long ago counts no more: a fault that begins after good days is seen as soon as one
# that was there from the start.
LATELY_US = 60 * MINUTE_US


class Counts(Protocol):
    async def watched(
        self, name: str, version: int, role: Role, since_us: int, until_us: int | None = None
    ) -> Watched: ...

    async def roll_back(
        self, name: str, role: Role, version: int, reason: str, change: int
    ) -> int: ...


def bounds_of(settings: Settings) -> Bounds:
    return Bounds(
        error_rate_max=settings.models_error_rate_max,
        latency_ratio_max=settings.models_latency_ratio_max,
        drift_max=settings.models_drift_max,
    )


async def judge(
    counts: Counts, name: str, assigned: Assigned, bounds: Bounds, probation_minutes: int
) -> None:
    """Roll back what does worse than what it is compared with: the canary than the live version
    in the same time, a newly promoted one than the version before it."""
    roles = assigned.roles
    if roles.canary is not None and roles.live is not None:
        since = max(assigned.since["canary"], assigned.now - LATELY_US)
        reason = fault(
            await counts.watched(name, roles.canary, "canary", since),
            await counts.watched(name, roles.live, "live", since),
            bounds,
        )
        if reason is not None:
            await counts.roll_back(name, "canary", roles.canary, reason, roles.change_id)
            return
    if not assigned.promoted or roles.live is None or assigned.before is None:
        return
    since = assigned.since["live"]
    if assigned.now - since > probation_minutes * MINUTE_US:
        return
    lately = max(since, assigned.now - LATELY_US)
    reason = fault(
        await counts.watched(name, roles.live, "live", lately),
        await counts.watched(name, assigned.before, "live", since - BEFORE_US, since),
        bounds,
    )
    if reason is not None:
        await counts.roll_back(name, "live", roles.live, reason, roles.change_id)
