"""What every replica of a served model is: versions by the registry, swapped while it serves.

A model's deployment is a subclass that says which models it needs and answers with them:

    class Embedder(ModelReplica):
        names = ("embedder",)
        check_seconds_max = 0.25

        async def embed(self, texts: list[str]) -> Embedded:
            service = self.service("embedder")        # once per call or batch: one snapshot
            loaded = service.live                     # there is one, else service() has raised
            with self.watching("embedder", loaded.version.version, "live"):
                vectors = await asyncio.to_thread(loaded.model.embed, texts)
            return Embedded(loaded.version.version, vectors)

        async def swapped(self, name, before, after) -> None:
            ...                                       # optional: what depends on the version

Its application is made by `scoring_app` (serve_apps/scoring/apps.py), and callers find it by
`ServedApp` (actors/served_models.py). A subclass with an `__init__` of its own awaits
`super().__init__(settings)` last: it returns when the first versions are loaded, or the
database could not be reached for a while. Serve builds it in the event loop; whatever takes
more than a millisecond belongs into a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from actors.models import ModelUnavailable
from actors.process_log import log_to_stderr
from engine.rollout.roles import Role, Version
from engine.rollout.watch import Tally, Watched
from engine.settings import Settings
from models_ml.artefact import Unusable
from models_ml.served import ModelName, Served
from serve_apps.scoring.following import Follower
from serve_apps.scoring.in_service import InService
from serve_apps.scoring.loading import from_store
from serve_apps.scoring.probation import bounds_of, judge
from serve_apps.scoring.registry_link import AWAY, RegistryLink

log = logging.getLogger(__name__)

# Roles are looked up so often even if nobody tells of a change; seconds.
POLL_SECONDS = 5.0
FIRST_SECONDS_MAX = 30.0
FORGET_SECONDS = 600.0
WATCH_DAYS = 90
VERSIONS_COUNTED_MAX = 64


class Watching:
    """What is counted of one call: whoever answers says which scores came of it."""

    def __init__(self) -> None:
        self.scores: Iterable[float] = ()
        self.features: Iterable[int] = ()


class ModelReplica:
    """Base of the classes that Serve runs. It serves with what it has while the database is
    away; without a live version it is there, and every call raises ModelUnavailable."""

    names: ClassVar[tuple[ModelName, ...]]
    check_seconds_max: ClassVar[float] = 0.05
    """For the known example of a version, the best of five; slower ones are refused."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        log_to_stderr(settings)
        self.settings = settings
        self.replica = secrets.token_hex(4)
        self.registry = RegistryLink(settings.database_url, self.replica)
        self._tallies: dict[tuple[str, int, Role], Tally] = {}
        self._follower = Follower(
            self.names,
            self.registry,
            self.load,
            check_seconds_max=self.check_seconds_max,
            swapped=self.swapped,
        )
        self._first = asyncio.Event()
        self._forgotten = time.monotonic()
        self._telling = asyncio.Lock()
        self._following = asyncio.create_task(self._follow(), name="model roles")
        self._watching = asyncio.create_task(self._watch(), name="model watch")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS_MAX):
                await self._first.wait()

    def service(self, name: ModelName) -> InService[Any]:
        """What serves now, with a live version. Raises ModelUnavailable if none does."""
        found = self._follower.serving[name]
        if found.live is None:
            problem = self._follower.problems[name]
            raise ModelUnavailable(
                f"no version of {name} is live" + (f": {problem}" if problem else "")
            )
        return found

    def optional(self, name: ModelName) -> InService[Any] | None:
        """The same, None if no version is live."""
        found = self._follower.serving[name]
        return None if found.live is None else found

    @contextlib.contextmanager
    def watching(self, name: ModelName, version: int, role: Role) -> Iterator[Watching]:
        """Counts the call inside, its time and whether it raised, for the watch over versions."""
        watching, started = Watching(), time.perf_counter()
        try:
            yield watching
        except Exception:
            self._tally(name, version, role).failed((time.perf_counter() - started) * 1e3)
            raise
        tally = self._tally(name, version, role)
        tally.answered((time.perf_counter() - started) * 1e3, watching.scores)
        tally.saw(watching.features)

    @staticmethod
    def load(version: Version) -> Served:
        """The version's model, made sure of, in a thread. Raises ArtefactLost or Unusable."""
        return from_store(version)

    async def swapped(self, name: str, before: InService[Any], after: InService[Any]) -> None:
        """Called after each swap, before the registry is told of it."""

    async def status(self) -> dict[str, Any]:
        """What it serves with, by model."""
        return {
            name: {
                **{
                    role: None if (loaded := found.of(role)) is None else loaded.version.version
                    for role in ("live", "canary", "shadow")
                },
                "share": found.share,
                "problem": self._follower.problems[name],
                "replica": self.replica,
                "pid": os.getpid(),
            }
            for name, found in self._follower.serving.items()
        }

    async def check_health(self) -> None:
        """Scores the known example of every live version. Raises RuntimeError if one fails, so
        that Serve replaces the replica."""
        if self._following.done() or self._watching.done():
            raise RuntimeError("the registry is not followed any more")
        for name, found in self._follower.serving.items():
            if found.live is None:
                continue
            try:
                await asyncio.to_thread(found.live.model.check)
            except Unusable as unusable:
                raise RuntimeError(
                    f"{name} version {found.live.version.version}: {unusable}"
                ) from unusable

    async def __del__(self) -> None:
        # Serve's graceful stop awaits this; a half-built replica has nothing to stop.
        if hasattr(self, "_following"):
            self._following.cancel()
            self._watching.cancel()
            await asyncio.gather(self._following, self._watching, return_exceptions=True)
            await self.registry.leave()

    async def _follow(self) -> None:
        while True:
            self.registry.woken.clear()
            try:
                await self.registry.listen()
                await self._follower.catch_up()
                self._first.set()
            except AWAY as error:
                log.warning("the model registry is away: %s", error or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.registry.woken.wait()

    async def _watch(self) -> None:
        """Beside the following: a version that takes minutes to load must not keep another, which
        does harm, in its role."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._tell()
            except AWAY as error:
                log.warning("counts of models are lost: %s", error or type(error).__name__)

    async def _tell(self) -> None:
        """Write what was counted, and judge what is on trial by what all counted."""
        async with self._telling:
            await self._tell_now()

    async def _tell_now(self) -> None:
        counted: dict[str, dict[tuple[int, Role], Watched]] = {}
        for name, version, role in list(self._tallies):
            found = self._tallies[name, version, role].taken()
            if found is None:
                # Nobody asked it since the last time: it may have been swapped for another.
                del self._tallies[name, version, role]
            else:
                counted.setdefault(name, {})[version, role] = found
        for name, watched in counted.items():
            await self.registry.count(name, watched)
        minutes = self.settings.models_probation_minutes
        for name, assigned in self._follower.assigned.items():
            await judge(self.registry, name, assigned, bounds_of(self.settings), minutes)
        if time.monotonic() - self._forgotten > FORGET_SECONDS:
            self._forgotten = time.monotonic()
            await self.registry.forget(
                shadow_days=self.settings.models_shadow_days,
                shadow_rows=self.settings.models_shadow_rows,
                watch_days=WATCH_DAYS,
            )

    def _tally(self, name: ModelName, version: int, role: Role) -> Tally:
        key = (name, version, role)
        if key not in self._tallies and len(self._tallies) >= VERSIONS_COUNTED_MAX:
            # The database was away over many swaps: the longest ago matters least.
            del self._tallies[next(iter(self._tallies))]
        return self._tallies.setdefault(key, Tally())
