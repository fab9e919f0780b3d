"""A replica's versions follow the registry, and what can't be used changes nothing."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.roles import Role, Roles, Version
from models_ml.artefact import Unusable
from models_ml.served import Served
from serve_apps.scoring.following import LOST_SECONDS_MAX, Follower
from serve_apps.scoring.in_service import InService
from serve_apps.scoring.loading import TooSlow, in_time
from tests.serve_apps.scoring.small_model import FEATURES, SmallModel, read_small, small_bundle

# As many as asyncio has for everybody's blocking work.
THREADS = min(32, (os.cpu_count() or 1) + 4)


def version(number: int, sha256: str = "") -> Version:
    sha256 = sha256 or f"sha {number}"
    return Version("fraud", number, "", sha256, 0, 1, FEATURES, "", {}, 0, "", "")


class PaperRegistry:
    """Roles by hand, and what was said of them."""

    def __init__(self) -> None:
        self.roles = Roles()
        self.said: list[tuple[Roles, str]] = []
        self.refused: list[tuple[Role, int, str, int]] = []
        self.told: list[str] = []
        self.artefacts: dict[int, str] = {}

    async def assigned(self, names: Sequence[str]) -> Mapping[str, Assigned]:
        held = [self.roles.live, self.roles.canary, self.roles.shadow]
        versions = {
            number: version(number, self.artefacts.get(number, ""))
            for number in held
            if number is not None
        }
        return {name: Assigned(self.roles, versions, {}) for name in names}

    async def acknowledge(self, name: str, serves: Roles, problem: str) -> None:
        self.said.append((serves, problem))
        self.told.append("acknowledged")

    async def refuse(self, name: str, role: Role, version: int, reason: str, change: int) -> None:
        self.refused.append((role, version, reason, change))
        self.told.append("refused")


class Shelf:
    """Bundles by version number; an exception is raised in place of one. `meanwhile` is called
    while a version loads."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes | Exception] = {}
        self.loads: list[int] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}

    def load(self, wanted: Version) -> Served:
        self.loads.append(wanted.version)
        self.meanwhile.get(wanted.version, int)()
        found = self.kept[wanted.version]
        if isinstance(found, Exception):
            raise found
        return read_small(found)


class Stand:
    def __init__(self, **more: float) -> None:
        self.registry, self.shelf = PaperRegistry(), Shelf()
        self.now = 0.0
        self.swaps: list[tuple[int | None, int | None]] = []
        for number in (1, 2, 3):
            self.shelf.kept[number] = small_bundle(number / 10)
        self.follower = Follower(
            ["fraud"],
            self.registry,
            self.shelf.load,
            check_seconds_max=0.02,
            swapped=self._swapped,
            clock=lambda: self.now,
            **more,
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
    for _ in range(20):
        # However often others wake it.
        await stand.follower.catch_up()
    assert stand.registry.refused == []
    stand.now += LOST_SECONDS_MAX
    await stand.follower.catch_up()
    assert [each[:3] for each in stand.registry.refused] == [("live", 2, "it is not there")]


async def test_a_replica_that_has_nothing_keeps_asking_and_is_not_choosy() -> None:
    stand = Stand()
    stand.shelf.kept[1] = ArtefactLost("the store is away")
    for _ in range(3):
        stand.now += LOST_SECONDS_MAX
        assert await stand.when(live=1) == (None, None, None)
    assert stand.registry.refused == []
    # Slow, but all there is.
    stand.shelf.kept[1] = small_bundle(0.1, check_seconds=0.03)
    assert await stand.when(live=1) == (1, None, None)
    assert stand.registry.refused == []


async def test_what_is_taken_back_while_it_loads_never_serves() -> None:
    stand = Stand()
    await stand.when(live=1)

    def roll_back() -> None:
        stand.registry.roles = Roles(live=1, change_id=9)

    stand.shelf.meanwhile[2] = roll_back
    await stand.when(live=2)
    assert stand.swaps == [(None, 1)]
    assert stand.registry.said[-1][0] == Roles(live=1, change_id=9)
    assert stand.follower.assigned["fraud"].roles.change_id == 9


async def test_a_replica_that_starts_serves_with_what_is_live_when_it_is_ready() -> None:
    stand = Stand()

    def promote() -> None:
        stand.registry.roles = Roles(live=2, change_id=9)

    stand.shelf.meanwhile[1] = promote
    await stand.when(live=1)
    assert stand.swaps == [(None, 2)]
    assert stand.registry.said == [(Roles(live=2, change_id=9), "")]


async def test_what_was_loaded_is_not_loaded_again_because_roles_changed() -> None:
    stand = Stand()
    await stand.when(live=1)

    def more() -> None:
        stand.registry.roles = Roles(live=2, canary=3, share=0.1, change_id=9)

    stand.shelf.meanwhile[2] = more
    assert await stand.when(live=2) == (2, 3, None)
    assert stand.shelf.loads == [1, 2, 3]


async def test_while_it_loads_it_says_that_it_is_there() -> None:
    stand = Stand(still_here_seconds=0.01)
    await stand.when(live=1)
    stand.shelf.meanwhile[2] = lambda: time.sleep(0.2)
    await stand.when(live=2)
    waiting = [serves for serves, _ in stand.registry.said[1:-1]]
    assert waiting
    assert set(waiting) == {Roles(live=1, change_id=1)}
    assert stand.registry.said[-1][0] == Roles(live=2, change_id=2)


async def test_a_registry_that_goes_away_while_it_loads_costs_nothing() -> None:
    stand = Stand(still_here_seconds=0.01)
    await stand.when(live=1)
    acknowledge = stand.registry.acknowledge

    async def away(name: str, serves: Roles, problem: str) -> None:
        raise ConnectionRefusedError("the database is away")

    stand.registry.acknowledge = away  # type: ignore[method-assign]
    stand.shelf.meanwhile[2] = lambda: time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        await stand.when(live=2)
    assert stand.follower.serving["fraud"].roles(0).live == 2
    stand.registry.acknowledge = acknowledge  # type: ignore[method-assign]
    await stand.follower.catch_up()
    assert stand.registry.said[-1][0] == Roles(live=2, change_id=2)
    assert stand.shelf.loads == [1, 2]


async def test_a_refusal_is_there_when_the_change_is_acknowledged() -> None:
    stand = Stand()
    await stand.when(live=1)
    stand.shelf.kept[2] = b"no bundle"
    await stand.when(live=2)
    assert stand.registry.told == ["acknowledged", "refused", "acknowledged"]


async def test_a_number_that_means_another_artefact_is_loaded_again() -> None:
    stand = Stand()
    await stand.when(live=1)
    stand.registry.artefacts[1] = "another"
    stand.shelf.kept[1] = small_bundle(0.9)
    await stand.when(live=1)
    live = stand.follower.serving["fraud"].live
    assert live is not None
    assert (live.version.sha256, live.model.score) == ("another", 0.9)


async def test_versions_that_never_load_take_no_thread_from_those_that_score() -> None:
    stand = Stand(load_seconds_max=0.02)
    await stand.when(live=1)
    end = threading.Event()
    for number in range(2, 2 + 2 * THREADS):
        stand.shelf.kept[number] = small_bundle(0.5)
        stand.shelf.meanwhile[number] = end.wait
        await stand.when(live=number)
    try:
        assert len(stand.registry.refused) == 2 * THREADS
        assert stand.registry.refused[0][2] == "not loaded within 0.02 s"
        scored = asyncio.to_thread(SmallModel(0.5).check)
        await asyncio.wait_for(scored, 10)
    finally:
        end.set()


def _clock(*readings: float) -> Callable[[], float]:
    left = list(readings)
    return lambda: left.pop(0)


def test_one_quick_answer_is_enough() -> None:
    in_time(SmallModel(0.5), 0.05, _clock(0, 1.0, 1.0, 1.04))
    with pytest.raises(TooSlow, match="takes 60 ms, at most 50 ms"):
        in_time(SmallModel(0.5), 0.05, _clock(0, 0.1, 1, 1.06, 2, 2.1, 3, 3.2, 4, 4.3))
