"""Budgets of a test's own."""

from __future__ import annotations

from engine.adapters.sources.host_budget import HostBudget
from engine.adapters.sources.pace import Breaker, Outcome, Pace, Verdict


class NoBudget:
    """Grants every turn: for tests of what comes after it."""

    async def take(self, host: str, pace: Pace, lease: str, lease_seconds: float) -> Verdict:
        return Verdict("go", 0.0)

    async def give_back(
        self, host: str, lease: str, outcome: Outcome, pause_seconds: float, breaker: Breaker
    ) -> None:
        return None


def roomy_budget() -> HostBudget:
    return HostBudget(None, process=NoBudget())
