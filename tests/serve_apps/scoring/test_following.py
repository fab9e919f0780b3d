"""A replica's versions follow the registry, and what can't be used changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.roles import Role, Roles, Version
from models_ml.artefact import Unusable
from models_ml.served import Served
from serve_apps.scoring.following import LOST_TIMES_MAX, Follower
from serve_apps.scoring.in_service import InService
from serve_apps.scoring.loading import TooSlow, in_time
from tests.serve_apps.scoring.small_model import FEATURES, SmallModel, read_small, small_bundle


def version(number: int) -> Version:
    return Version("fraud", number, "", "", 0, 1, FEATURES, "", {}, 0, "", "")


class PaperRegistry:
    """Roles by hand, and what was said of them."""

    def __init__(self) -> None:
        self.roles = Roles()
        self.said: list[tuple[Roles, str]] = []
        self.refused: list[tuple[Role, int, str, int]] = []

    async def assigned(self, names: Sequence[str]) -> Mapping[str, Assigned]:
        held = [self.roles.live, self.roles.canary, self.roles.shadow]
        versions = {number: version(number) for number in held if number is not None}
        return {name: Assigned(self.roles, versions, {}) for name in names}

    async def acknowledge(self, name: str, serves: Roles, problem: str) -> None:
        self.said.append((serves, problem))

    async def refuse(self, name: str, role: Role, version: int, reason: str, change: int) -> None:
        self.refused.append((role, version, reason, change))


class Shelf:
    """Bundles by version number; an exception is raised in place of one."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes | Exception] = {}
        self.loads: list[int] = []

    def load(self, wanted: Version) -> Served:
        self.loads.append(wanted.version)
        found = self.kept[wanted.version]
        if isinstance(found, Exception):
            raise found
        return read_small(found)


class Stand:
    def __init__(self) -> None:
        self.registry, self.shelf = PaperRegistry(), Shelf()
        self.swaps: list[tuple[int | None, int | None]] = []
        for number in (1, 2, 3):
            self.shelf.kept[number] = small_bundle(number / 10)
        self.follower = Follower(
            ["fraud"],
            self.registry,
            self.shelf.load,
            check_seconds_max=0.02,
            swapped=self._swapped,
        )

    async def _swapped(self, name: str, before: InService[Any], after: InService[Any]) -> None:
        self.swaps.append((_number(before), _number(after)))

    async def when(self, **roles: Any) -> tuple[int | None, int | None, int | None]:
        """Serving live, canary, shadow after these roles were given."""
        self.registry.roles = Roles(**roles, change_id=self.registry.roles.change_id + 1)
        await self.follower.catch_up()
        found = self.follower.serving["fraud"].roles(0)
        return found.live, found.canary, found.shadow


def _number(service: InService[Any]) -> int | None:
    return None if service.live is None else service.live.version.version


async def test_roles_are_followed_and_nothing_is_loaded_twice() -> None:
    stand = Stand()
    assert await stand.when(live=1) == (1, None, None)
    assert await stand.when(live=1, canary=2, share=0.1, shadow=3) == (1, 2, 3)
    assert await stand.when(live=2, shadow=1) == (2, None, 1)
    assert await stand.when() == (None, None, None)
    assert stand.shelf.loads == [1, 2, 3]
    assert [serves.change_id for serves, _ in stand.registry.said] == [1, 2, 3, 4]
    assert stand.swaps[0] == (None, 1)
    assert stand.swaps[-1] == (2, None)


async def test_a_change_of_share_alone_is_followed() -> None:
    stand = Stand()
    await stand.when(live=1, canary=2, share=0.1)
    await stand.when(live=1, canary=2, share=0.4)
    assert stand.follower.serving["fraud"].share == 0.4
    assert stand.registry.said[-1][0].share == 0.4


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b"no bundle at all", "no bundle"),
        (small_bundle(0.5, example=0.6), "its known example is 0.5, not 0.6"),
        (small_bundle(0.5, check_seconds=0.03), "too slow"),
        (Unusable("made for features of schema 7"), "schema 7"),
        (MemoryError("cannot allocate"), "MemoryError: cannot allocate"),
    ],
)
@pytest.mark.parametrize("role", ["live", "canary", "shadow"])
async def test_what_can_not_be_used_is_refused_and_what_serves_goes_on(
    spoilt: bytes | Exception, reason: str, role: Role
) -> None:
    stand = Stand()
    await stand.when(live=1)
    before = stand.follower.serving["fraud"]
    stand.shelf.kept[2] = spoilt
    wanted = {"live": 1} | {role: 2} | ({"share": 0.1} if role == "canary" else {})
    assert await stand.when(**wanted) == (1, None, None)
    assert stand.follower.serving["fraud"].live is before.live
    ((refused_role, number, why, change),) = stand.registry.refused
    assert (refused_role, number, change) == (role, 2, 2)
    assert reason in why
    serves, problem = stand.registry.said[-1]
    assert (serves.live, serves.change_id) == (1, 2)
    assert problem.startswith(f"version 2 as {role}: ")
    # The registry takes it back, and nothing is wrong any more.
    assert await stand.when(live=1) == (1, None, None)
    assert stand.registry.said[-1][1] == ""


async def test_a_store_that_is_away_for_a_moment_refuses_nothing() -> None:
    stand = Stand()
    await stand.when(live=1)
    stand.shelf.kept[2] = ArtefactLost("the store is away")
    assert await stand.when(live=2) == (1, None, None)
    stand.shelf.kept[2] = small_bundle(0.2)
    await stand.follower.catch_up()
    assert stand.follower.serving["fraud"].roles(0).live == 2
    assert stand.registry.refused == []


async def test_a_file_that_stays_away_is_refused() -> None:
    stand = Stand()
    await stand.when(live=1)
    stand.shelf.kept[2] = ArtefactLost("it is not there")
    await stand.when(live=2)
    for _ in range(LOST_TIMES_MAX - 1):
        await stand.follower.catch_up()
    assert [each[:3] for each in stand.registry.refused] == [("live", 2, "it is not there")]


async def test_a_replica_that_has_nothing_keeps_asking_and_is_not_choosy() -> None:
    stand = Stand()
    stand.shelf.kept[1] = ArtefactLost("the store is away")
    for _ in range(3 * LOST_TIMES_MAX):
        assert await stand.when(live=1) == (None, None, None)
    assert stand.registry.refused == []
    # Slow, but all there is.
    stand.shelf.kept[1] = small_bundle(0.1, check_seconds=0.03)
    assert await stand.when(live=1) == (1, None, None)
    assert stand.registry.refused == []


def _clock(*readings: float) -> Callable[[], float]:
    left = list(readings)
    return lambda: left.pop(0)


def test_one_quick_answer_is_enough() -> None:
    in_time(SmallModel(0.5), 0.05, _clock(0, 1.0, 1.0, 1.04))
    with pytest.raises(TooSlow, match="takes 60 ms, at most 50 ms"):
        in_time(SmallModel(0.5), 0.05, _clock(0, 0.1, 1, 1.06, 2, 2.1, 3, 3.2, 4, 4.3))
