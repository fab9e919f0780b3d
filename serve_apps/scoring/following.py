"""Keeps a process on the versions that the registry names: loads beside, checks, then swaps.

Knows neither Serve nor a database, so that tests drive it by hand.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.roles import ROLES, Role, Roles, Version
from models_ml.artefact import Unusable
from models_ml.served import Served
from serve_apps.scoring.in_service import InService, Loaded
from serve_apps.scoring.loading import TooSlow, in_time

log = logging.getLogger(__name__)
T = TypeVar("T")

# A store that is away may come back; a promotion waits for it only so long.
LOST_SECONDS_MAX = 15.0
LOAD_SECONDS_MAX = 120.0
# While it loads, a replica says so often that it is there; one that is silent is taken for gone
# (engine/adapters/postgres/model_watch.py).
STILL_HERE_SECONDS = 5.0
# Roles that change while a version loads are looked at again, so many times in one go.
_LOOKS_MAX = 8


class Registry(Protocol):
    """The registry as one replica uses it. Raises OSError or asyncpg's errors when away."""

    async def assigned(self, names: Sequence[str]) -> Mapping[str, Assigned]: ...

    async def acknowledge(self, name: str, serves: Roles, problem: str) -> None: ...

    async def refuse(self, name: str, role: Role, version: int, reason: str, change: int) -> None:
        """Take the role from a version that can't be used, unless another change came first."""
        ...


Load = Callable[[Version], Served]
Swapped = Callable[[str, InService[Any], InService[Any]], Awaitable[None]]


class _Found(NamedTuple):
    """What could be had of the roles: `refused` can't be used, `problems` says why, in words."""

    service: InService[Any]
    refused: list[tuple[Role, int, str]]
    problems: list[str]
    loaded: bool


class Follower:
    """`load` runs in a thread of its own. `swapped(name, before, after)` is told after each swap.
    What can't be used is refused, and the versions that served go on serving."""

    def __init__(
        self,
        names: Sequence[str],
        registry: Registry,
        load: Load,
        *,
        check_seconds_max: float,
        load_seconds_max: float = LOAD_SECONDS_MAX,
        still_here_seconds: float = STILL_HERE_SECONDS,
        swapped: Swapped | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = tuple(names)
        self._registry = registry
        self._load = load
        self._check_seconds_max = check_seconds_max
        self._load_seconds_max = load_seconds_max
        self._still_here_seconds = still_here_seconds
        self._swapped = swapped
        self._clock = clock
        # When a version of a change was first found lost.
        self._lost: dict[tuple[str, int, int], float] = {}
        self._taken_in = dict.fromkeys(self._names, 0)
        self.serving: dict[str, InService[Any]] = {name: InService() for name in self._names}
        self.problems: dict[str, str] = dict.fromkeys(self._names, "")
        self.assigned: Mapping[str, Assigned] = {}

    async def catch_up(self) -> None:
        """Serve with what the registry says now, as far as it can be used, and say so to it."""
        self.assigned = await self._registry.assigned(self._names)
        for name in self._names:
            assigned, found = await self._meant(name, self.assigned[name])
            self.assigned = {**self.assigned, name: assigned}
            await self._swap(name, found)
            self.problems[name] = "; ".join(found.problems)
            change = self._taken_in[name] = assigned.roles.change_id
            # Whoever waits for the acknowledgement is to find the refusal beside it.
            for role, version, reason in found.refused:
                log.error("%s version %d is refused as %s: %s", name, version, role, reason)
                await self._registry.refuse(name, role, version, reason, change)
            await self._acknowledge(name)

    async def _meant(self, name: str, assigned: Assigned) -> tuple[Assigned, _Found]:
        """The roles as they are when all is loaded: a version that was taken back meanwhile
        never serves."""
        at_hand = _at_hand(self.serving[name])
        for _ in range(_LOOKS_MAX):
            found = await self._find(name, assigned, at_hand)
            if not found.loaded:
                break
            newer = (await self._registry.assigned([name]))[name]
            if newer.roles.change_id == assigned.roles.change_id:
                break
            assigned = newer
            at_hand |= _at_hand(found.service)
        return assigned, found

    async def _find(
        self, name: str, assigned: Assigned, at_hand: Mapping[str, Loaded[Any]]
    ) -> _Found:
        before = self.serving[name]
        found: dict[Role, Loaded[Any] | None] = dict.fromkeys(ROLES)
        refused: list[tuple[Role, int, str]] = []
        problems: list[str] = []
        loaded = False
        for role in ROLES:
            number = assigned.roles.of(role)
            if number is None:
                continue
            version = assigned.versions[number]
            try:
                found[role] = at_hand.get(version.sha256)
                if found[role] is None:
                    loaded = True
                    only_one = role == "live" and before.live is None
                    found[role] = await self._loaded(version, only_one=only_one)
            except ArtefactLost as lost:
                problems.append(f"version {number} as {role}: {lost}")
                if self._is_lost_for_good(assigned, number, before):
                    refused.append((role, number, str(lost)))
            except Unusable as unusable:
                problems.append(f"version {number} as {role}: {unusable}")
                refused.append((role, number, str(unusable)))
        if found["live"] is None and assigned.roles.live is not None:
            # The one that is meant can't be used: the one that served goes on.
            found["live"] = before.live
        share = assigned.roles.share if found["canary"] is not None else 0.0
        return _Found(InService(**found, share=share), refused, problems, loaded)

    async def _swap(self, name: str, found: _Found) -> None:
        before = self.serving[name]
        if found.service == before:
            return
        self.serving[name] = found.service
        if self._swapped is not None:
            await self._swapped(name, before, found.service)

    async def _acknowledge(self, name: str) -> None:
        serves = self.serving[name].roles(self._taken_in[name])
        await self._registry.acknowledge(name, serves, self.problems[name])

    async def _still_here(self) -> None:
        while True:
            await asyncio.sleep(self._still_here_seconds)
            for name in self._names:
                await self._acknowledge(name)

    async def _loaded(self, version: Version, *, only_one: bool) -> Loaded[Any]:
        """Raises ArtefactLost or Unusable, whatever else reading it may raise."""
        saying = asyncio.create_task(self._still_here(), name="still here")
        try:
            return Loaded(version, await self._checked(version, only_one=only_one))
        finally:
            saying.cancel()
            # If the registry is away, that is for the next look at it to find out.
            await asyncio.gather(saying, return_exceptions=True)

    async def _checked(self, version: Version, *, only_one: bool) -> Served:
        try:
            async with asyncio.timeout(self._load_seconds_max):
                model = await _in_own_thread(self._load, version)
                try:
                    await _in_own_thread(in_time, model, self._check_seconds_max)
                except TooSlow:
                    # Without another, a slow one is better than none.
                    if not only_one:
                        raise
                    log.warning("%s version %d is slow", version.name, version.version)
        except TimeoutError as error:
            raise Unusable(f"not loaded within {self._load_seconds_max:g} s") from error
        except (ArtefactLost, Unusable):
            raise
        except Exception as error:
            # A file from outside may make a library raise anything; it must not end the replica.
            log.exception("%s version %d can't be loaded", version.name, version.version)
            raise Unusable(f"{type(error).__name__}: {error}") from error
        return model

    def _is_lost_for_good(self, assigned: Assigned, version: int, before: InService[Any]) -> bool:
        """A replica that has nothing else goes on trying for ever."""
        name, change = assigned.versions[version].name, assigned.roles.change_id
        kept = {key: at for key, at in self._lost.items() if key[0] != name or key[2] == change}
        since = kept.setdefault((name, version, change), self._clock())
        self._lost = kept
        return before.live is not None and self._clock() - since >= LOST_SECONDS_MAX


def _at_hand(service: InService[Any]) -> dict[str, Loaded[Any]]:
    """By hash: a number may come to mean another artefact, if the registry was put back."""
    found = (service.of(role) for role in ROLES)
    return {loaded.version.sha256: loaded for loaded in found if loaded is not None}


async def _in_own_thread(work: Callable[..., T], *arguments: object) -> T:
    """One that never ends takes no thread from those that score."""
    pool = ThreadPoolExecutor(1, "loading a model")
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
    finally:
        pool.shutdown(wait=False)
