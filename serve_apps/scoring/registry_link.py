"""One replica's way to the registry: what is to serve, what it says of itself, what it counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import asyncpg

from engine.adapters.postgres import model_counts, model_registry, model_watch, shadow_scores
from engine.adapters.postgres.model_registry import CHANNEL, Assigned
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.rollout.roles import Refusal, Role, Roles, Wish
from engine.rollout.watch import Watched

log = logging.getLogger(__name__)

AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What any method raises while the database is away."""


class RegistryLink:
    """Connects when it is first asked, and again after the database was away."""

    def __init__(self, database_url: str, replica: str) -> None:
        self._database_url = database_url
        self._replica = replica
        self._pool: asyncpg.Pool | None = None
        self._listening: asyncpg.Connection | None = None
        self.woken = asyncio.Event()
        """Set when roles may have changed."""

    async def pool(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = await open_pool(
                self._database_url, application="model replica", size_min=0, size_max=2
            )
        return self._pool

    async def listen(self) -> None:
        """Have PostgreSQL wake us, on a connection of its own."""
        if self._listening is None or self._listening.is_closed():
            self._listening = await asyncpg.connect(
                self._database_url,
                timeout=10,
                server_settings={"application_name": "model replica roles"},
            )
            await self._listening.add_listener(CHANNEL, lambda *_: self.woken.set())

    async def assigned(self, names: Sequence[str]) -> dict[str, Assigned]:
        return await model_registry.assigned(await self.pool(), names)

    async def acknowledge(self, name: str, serves: Roles, problem: str) -> None:
        await model_watch.acknowledge(await self.pool(), self._replica, name, serves, problem)

    async def refuse(self, name: str, role: Role, version: int, reason: str, change: int) -> None:
        wish = Wish("refused", version, role=role)
        by = f"replica {self._replica}"
        done = await model_registry.change(
            await self.pool(), name, wish, by=by, reason=reason, if_change=change
        )
        if isinstance(done, Refusal):
            log.info("%s version %d was not taken back: %s", name, version, done.reason)

    async def roll_back(self, name: str, role: Role, version: int, reason: str, change: int) -> int:
        """Take the role from a version that does worse; the change's id, 0 if another came first
        or there is nothing to go back to."""
        wish = Wish("rollback", version, role=role)
        done = await model_registry.change(
            await self.pool(), name, wish, by="watch", reason=reason, if_change=change
        )
        if isinstance(done, Refusal):
            log.warning("%s version %d (%s) stays: %s", name, version, reason, done.reason)
            return 0
        log.error("%s version %d is rolled back as %s: %s", name, version, role, reason)
        return done

    async def count(self, name: str, counted: Mapping[tuple[int, Role], Watched]) -> None:
        await model_counts.count(await self.pool(), self._replica, name, counted)

    async def watched(
        self, name: str, version: int, role: Role, since_us: int, until_us: int | None = None
    ) -> Watched:
        return await model_counts.minutes(
            await self.pool(), name, version, since_us=since_us, until_us=until_us, roles=[role]
        )

    async def shadowed(self, name: str, version: int, scores: Sequence[ShadowScore]) -> None:
        await shadow_scores.write(await self.pool(), name, version, scores)

    async def forget(self, *, shadow_days: int, shadow_rows: int, watch_days: int) -> None:
        pool = await self.pool()
        await shadow_scores.forget(pool, days=shadow_days, rows=shadow_rows)
        await model_counts.forget(pool, watch_days)

    async def leave(self) -> None:
        """Say that this replica ends, if the database is there to hear it."""
        try:
            if self._pool is not None:
                await model_watch.leave(self._pool, self._replica)
        except AWAY as error:
            log.info("the registry was not told of the end: %s", error)
        finally:
            if self._listening is not None:
                self._listening.terminate()
            if self._pool is not None:
                self._pool.terminate()
