"""Password hashing off the event loop, in a bounded queue."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from engine.adapters.password_hashing import matches, password_hasher
from serve_apps.api.problems import unavailable

Result = TypeVar("Result")

THREADS = 2
# About two seconds of work: who comes later is told to come back.
QUEUE_MAX = 128


class Passwords:
    """argon2id in a small thread pool; a full queue answers 503 instead of growing."""

    def __init__(self) -> None:
        self._hasher = password_hasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._queued = 0
        self._dummy = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether they match. None is an unknown account: refused after the same work."""
        checked = password_hash or self._dummy
        matched = await self._run(lambda: matches(self._hasher, checked, password))
        return matched and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._queued >= QUEUE_MAX:
            raise unavailable("too many sign-ins at once; try again", retry_after=2)
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._queued -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
