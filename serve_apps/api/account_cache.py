"""Account states of the callers of this replica, kept true by PostgreSQL's notifications.

A change of plan, role or status and an ended session are announced in the transaction
that makes them. While the listening connection is away nothing is remembered, and
every request reads the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncpg

from engine.adapters.postgres import accounts
from engine.adapters.postgres.accounts import AccountState

log = logging.getLogger(__name__)

ACCOUNTS_MAX = 100_000
# A dead connection is noticed within about twice this, seconds.
CHECK_EVERY = 3.0
CHECK_TIMEOUT = 3.0
RETRY_PAUSE = 1.0
# Sessions revoked longer ago than their access tokens live need no deny entry.
REVOKED_MARGIN = 60


class AccountCache:
    """`get` is a dict lookup for an account seen before."""

    def __init__(self, pool: asyncpg.Pool, database_url: str, token_seconds: int) -> None:
        self._pool = pool
        self._database_url = database_url
        self._revoked_within = token_seconds + REVOKED_MARGIN
        self._states: dict[str, AccountState] = {}
        self._loads: dict[str, asyncio.Task[AccountState | None]] = {}
        self._watchers: list[Callable[[str | None], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.listening = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen_for_ever(), name="account notifications")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def watch(self, callback: Callable[[str | None], None]) -> None:
        """Call back with a user id when that account changed, with None when any may have."""
        self._watchers.append(callback)

    def known(self, user_id: str) -> AccountState | None:
        """The state if it is remembered."""
        return self._states.get(user_id)

    async def get(self, user_id: str) -> AccountState | None:
        """The account's state, None if there is no such account. Raises when storage is away."""
        state = self._states.get(user_id)
        if state is not None:
            return state
        if not self.listening:
            # Nobody would say that a load under way reads an old state: read anew.
            return await accounts.state(self._pool, user_id, self._revoked_within)
        load = self._loads.get(user_id)
        if load is None:
            load = asyncio.create_task(self._load(user_id))
            self._loads[user_id] = load
        return await asyncio.shield(load)

    def drop(self, user_id: str) -> None:
        """The account changed: a load under way may have read the old state and is not kept."""
        self._states.pop(user_id, None)
        self._loads.pop(user_id, None)
        for watcher in self._watchers:
            watcher(user_id)

    async def _load(self, user_id: str) -> AccountState | None:
        this = asyncio.current_task()
        try:
            state = await accounts.state(self._pool, user_id, self._revoked_within)
            if state is not None and self.listening and self._loads.get(user_id) is this:
                if len(self._states) >= ACCOUNTS_MAX:
                    self._states.pop(next(iter(self._states)))
                self._states[user_id] = state
            return state
        finally:
            if self._loads.get(user_id) is this:
                del self._loads[user_id]

    def _forget_all(self) -> None:
        self._states.clear()
        self._loads.clear()
        for watcher in self._watchers:
            watcher(None)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("account notifications are away: %s", type(error).__name__)
            finally:
                self.listening = False
                self._forget_all()
            await asyncio.sleep(RETRY_PAUSE)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._database_url,
            timeout=CHECK_TIMEOUT,
            server_settings={"application_name": "api accounts"},
        )
        try:
            await connection.add_listener(accounts.CHANNEL, self._notified)
            # Loads begun before the LISTEN may have missed an announcement.
            self._forget_all()
            self.listening = True
            while True:
                await asyncio.sleep(CHECK_EVERY)
                await connection.fetchval("SELECT 1", timeout=CHECK_TIMEOUT)
        finally:
            connection.terminate()

    def _notified(self, connection: object, process: int, channel: str, payload: object) -> None:
        self.drop(str(payload))
