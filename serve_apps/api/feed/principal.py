"""Who is at the other end of a socket, and whether the token that said so still holds."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple, Protocol

import asyncpg

from engine.adapters.postgres.accounts import AccountState
from serve_apps.api.account_cache import AccountCache
from serve_apps.api.tokens import AccessTokens

log = logging.getLogger(__name__)

_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Principal(NamedTuple):
    """A signed-in account and its session. `expires_at` is Unix seconds."""

    user_id: str
    family_id: str
    expires_at: float


class Authenticator(Protocol):
    """What the feed asks about tokens."""

    async def authenticate(self, authorization: bytes) -> Principal | None:
        """Who an `Authorization` header speaks for; None if it is not valid now.

        Raises asyncpg.PostgresError, asyncpg.InterfaceError, OSError or TimeoutError
        when storage is away.
        """

    async def stands(self, principal: Principal) -> bool:
        """Whether account and session stand now; expiry is not asked here. Raises alike."""

    def is_live(self, principal: Principal) -> bool:
        """The same, from what is known.

        Asked of every socket, often: it must not wait. What is not known now counts as
        live and is known at one of the next calls.
        """

    def swept(self) -> None:
        """Every socket has been asked of once."""


class AccountAuthenticator:
    """The API's own tokens and accounts. `start` before use, `stop` after."""

    def __init__(self, tokens: AccessTokens, accounts: AccountCache) -> None:
        self._tokens = tokens
        self._accounts = accounts
        # Accounts that changed, or that the cache does not remember, to be read again.
        self._unknown: dict[str, None] = {}
        self._read: dict[str, AccountState | None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._read_unknown(), name="feed:accounts")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def authenticate(self, authorization: bytes) -> Principal | None:
        verified = self._tokens.verify_header(authorization)
        if verified is None:
            return None
        principal = Principal(verified.user_id, verified.family_id, verified.expires_at)
        return principal if await self.stands(principal) else None

    async def stands(self, principal: Principal) -> bool:
        return _stands(await self._accounts.get(principal.user_id), principal.family_id)

    def is_live(self, principal: Principal) -> bool:
        user_id = principal.user_id
        state = self._accounts.known(user_id)
        if state is not None:
            return _stands(state, principal.family_id)
        if user_id in self._read:
            return _stands(self._read[user_id], principal.family_id)
        self._unknown[user_id] = None
        self._wake.set()
        return True

    def swept(self) -> None:
        # What was read for this sweep is too old for the next.
        self._read.clear()

    async def _read_unknown(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unknown:
                user_id = next(iter(self._unknown))
                try:
                    state = await self._accounts.get(user_id)
                except _AWAY as error:
                    log.warning("feed: accounts can't be read: %s", type(error).__name__)
                    self._unknown.clear()
                    break
                self._unknown.pop(user_id, None)
                self._read[user_id] = state


def _stands(state: AccountState | None, family_id: str) -> bool:
    return state is not None and state.status == "active" and family_id not in state.revoked
