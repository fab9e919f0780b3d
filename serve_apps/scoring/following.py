"""Keeps a process on the versions that the registry names: loads beside, checks, then swaps.

Knows neither Serve nor a database, so that tests drive it by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.model_registry import Assigned
from engine.rollout.roles import ROLES, Role, Roles, Version
from models_ml.artefact import Unusable
from models_ml.served import Served
from serve_apps.scoring.in_service import InService, Loaded
from serve_apps.scoring.loading import TooSlow, in_time

log = logging.getLogger(__name__)

# A store that is away may come back; a promotion waits for it only so often.
LOST_TIMES_MAX = 3
LOAD_SECONDS_MAX = 120.0


class Registry(Protocol):
    """The registry as one replica uses it. Raises OSError or asyncpg's errors when away."""

    async def assigned(self, names: Sequence[str]) -> Mapping[str, Assigned]: ...

    async def acknowledge(self, name: str, serves: Roles, problem: str) -> None: ...

    async def refuse(self, name: str, role: Role, version: int, reason: str, change: int) -> None:
        """Take the role from a version that can't be used, unless another change came first."""
        ...


Load = Callable[[Version], Served]
Swapped = Callable[[str, InService[Any], InService[Any]], Awaitable[None]]


class Follower:
    """`load` runs in a thread. `swapped(name, before, after)` is told after each swap. What can't
    be used is refused, and the versions that served go on serving."""

    def __init__(
        self,
        names: Sequence[str],
        registry: Registry,
        load: Load,
        *,
        check_seconds_max: float,
        swapped: Swapped | None = None,
    ) -> None:
        self._names = tuple(names)
        self._registry = registry
        self._load = load
        self._check_seconds_max = check_seconds_max
        self._swapped = swapped
        self._lost: dict[tuple[str, int, int], int] = {}
        self.serving: dict[str, InService[Any]] = {name: InService() for name in self._names}
        self.problems: dict[str, str] = dict.fromkeys(self._names, "")
        self.assigned: Mapping[str, Assigned] = {}

    async def catch_up(self) -> None:
        """Serve with what the registry says now, as far as it can be used, and say so to it."""
        self.assigned = await self._registry.assigned(self._names)
        for name, assigned in self.assigned.items():
            refused = await self._bring(name, assigned)
            serves = self.serving[name].roles(assigned.roles.change_id)
            await self._registry.acknowledge(name, serves, self.problems[name])
            for role, version, reason in refused:
                log.error("%s version %d is refused as %s: %s", name, version, role, reason)
                change = assigned.roles.change_id
                await self._registry.refuse(name, role, version, reason, change)

    async def _bring(self, name: str, assigned: Assigned) -> list[tuple[Role, int, str]]:
        before = self.serving[name]
        at_hand = {
            loaded.version.version: loaded
            for role in ROLES
            if (loaded := before.of(role)) is not None
        }
        found: dict[Role, Loaded[Any] | None] = dict.fromkeys(ROLES)
        refused: list[tuple[Role, int, str]] = []
        problems: list[str] = []
        for role in ROLES:
            version = assigned.roles.of(role)
            if version is None:
                continue
            try:
                found[role] = at_hand.get(version) or await self._loaded(
                    assigned.versions[version], only_one=role == "live" and before.live is None
                )
            except ArtefactLost as lost:
                problems.append(f"version {version} as {role}: {lost}")
                if self._is_lost_for_good(assigned, version, before):
                    refused.append((role, version, str(lost)))
            except Unusable as unusable:
                problems.append(f"version {version} as {role}: {unusable}")
                refused.append((role, version, str(unusable)))
        if found["live"] is None and assigned.roles.live is not None:
            # The one that is meant can't be used: the one that served goes on.
            found["live"] = before.live
        after = InService(
            live=found["live"],
            canary=found["canary"],
            share=assigned.roles.share if found["canary"] is not None else 0.0,
            shadow=found["shadow"],
        )
        self.problems[name] = "; ".join(problems)
        if after != before:
            self.serving[name] = after
            if self._swapped is not None:
                await self._swapped(name, before, after)
        return refused

    async def _loaded(self, version: Version, *, only_one: bool) -> Loaded[Any]:
        """Raises ArtefactLost or Unusable, whatever else reading it may raise."""
        try:
            async with asyncio.timeout(LOAD_SECONDS_MAX):
                model = await asyncio.to_thread(self._load, version)
                try:
                    await asyncio.to_thread(in_time, model, self._check_seconds_max)
                except TooSlow:
                    # Without another, a slow one is better than none.
                    if not only_one:
                        raise
                    log.warning("%s version %d is slow", version.name, version.version)
        except TimeoutError as error:
            raise Unusable(f"not loaded within {LOAD_SECONDS_MAX:.0f} s") from error
        except (ArtefactLost, Unusable):
            raise
        except Exception as error:
            # A file from outside may make a library raise anything; it must not end the replica.
            log.exception("%s version %d can't be loaded", version.name, version.version)
            raise Unusable(f"{type(error).__name__}: {error}") from error
        return Loaded(version, model)

    def _is_lost_for_good(self, assigned: Assigned, version: int, before: InService[Any]) -> bool:
        """A replica that has nothing else goes on trying for ever."""
        name, change = assigned.versions[version].name, assigned.roles.change_id
        times = self._lost.get((name, version, change), 0) + 1
        kept = {key: n for key, n in self._lost.items() if key[0] != name or key[2] == change}
        self._lost = kept | {(name, version, change): times}
        return before.live is not None and times >= LOST_TIMES_MAX
