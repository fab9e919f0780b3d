"""What is on trial is rolled back for each cause, by what was counted in the right time."""

from __future__ import annotations

from typing import Any

import pytest

from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.judge import Bounds
from engine.rollout.roles import Role, Roles
from engine.rollout.watch import Tally, Watched
from serve_apps.scoring.probation import BEFORE_US, MINUTE_US, judge

NOW = 1_000 * MINUTE_US


def watched(*, errors: int = 0, milliseconds: float = 1.0, score: float = 0.1) -> Watched:
    tally = Tally()
    for _ in range(300):
        tally.answered(milliseconds, [score, score])
    for _ in range(errors):
        tally.failed(milliseconds)
    found = tally.taken()
    assert found is not None
    return found


class PaperCounts:
    """Counts by version and role, when they were asked for, and what was rolled back."""

    def __init__(self, counts: dict[tuple[int, Role], Watched]) -> None:
        self._counts = counts
        self.asked: dict[tuple[int, Role], tuple[int, int | None]] = {}
        self.rolled_back: list[tuple[Role, int, str, int]] = []

    async def watched(
        self, name: str, version: int, role: Role, since_us: int, until_us: int | None = None
    ) -> Watched:
        self.asked[version, role] = since_us, until_us
        return self._counts.get((version, role), Watched())

    async def roll_back(self, name: str, role: Role, version: int, reason: str, change: int) -> int:
        self.rolled_back.append((role, version, reason, change))
        return 1


def assigned(roles: Roles, *, promoted_minutes: int | None = None) -> Assigned:
    since = 10 if promoted_minutes is None else promoted_minutes
    return Assigned(
        roles,
        {},
        {"live": NOW - since * MINUTE_US, "canary": NOW - MINUTE_US},
        NOW,
        promoted=promoted_minutes is not None,
        before=1 if promoted_minutes is not None else None,
    )


async def _judged(counts: PaperCounts, roles: Roles, **more: Any) -> PaperCounts:
    await judge(counts, "fraud", assigned(roles, **more), Bounds(), 15)
    return counts


CAUSES = [
    (watched(errors=20), "error rate"),
    (watched(milliseconds=50), "latency"),
    (watched(score=0.9), "scores"),
]


@pytest.mark.parametrize(("bad", "cause"), CAUSES)
async def test_a_canary_goes_for_each_cause(bad: Watched, cause: str) -> None:
    counts = PaperCounts({(1, "live"): watched(), (2, "canary"): bad})
    await _judged(counts, Roles(live=1, canary=2, share=0.1, change_id=7))
    ((role, version, reason, change),) = counts.rolled_back
    assert (role, version, change) == ("canary", 2, 7)
    assert reason.startswith(cause)
    assert counts.asked[1, "live"] == counts.asked[2, "canary"] == (NOW - MINUTE_US, None)


@pytest.mark.parametrize(("bad", "cause"), CAUSES)
async def test_a_new_live_version_goes_for_each_cause(bad: Watched, cause: str) -> None:
    counts = PaperCounts({(1, "live"): watched(), (2, "live"): bad})
    await _judged(counts, Roles(live=2, change_id=7), promoted_minutes=5)
    ((role, version, reason, _),) = counts.rolled_back
    assert (role, version) == ("live", 2)
    assert reason.startswith(cause)
    since = NOW - 5 * MINUTE_US
    assert counts.asked == {(2, "live"): (since, None), (1, "live"): (since - BEFORE_US, since)}


async def test_after_its_probation_a_version_stays() -> None:
    counts = PaperCounts({(1, "live"): watched(), (2, "live"): watched(errors=20)})
    await _judged(counts, Roles(live=2), promoted_minutes=16)
    await _judged(counts, Roles(live=2))
    assert counts.rolled_back == []


async def test_what_does_well_stays() -> None:
    counts = PaperCounts({(1, "live"): watched(), (2, "live"): watched(), (3, "canary"): watched()})
    await _judged(counts, Roles(live=2, canary=3, share=0.1), promoted_minutes=5)
    assert counts.rolled_back == []


async def test_without_counts_nothing_is_said() -> None:
    counts = PaperCounts({(3, "canary"): watched(milliseconds=50, score=0.9)})
    await _judged(counts, Roles(live=2, canary=3, share=0.1), promoted_minutes=5)
    assert counts.rolled_back == []
