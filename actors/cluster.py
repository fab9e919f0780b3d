"""The installation's Ray cluster: joined by its drivers, its actors found by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg
import ray

from actors.client import BookUnavailable
from actors.process_log import log_to_stderr
from engine.settings import Settings

log = logging.getLogger(__name__)

NAMESPACE = "aiqleads"

__all__ = ["NAMESPACE", "connect", "keep_starting", "log_to_stderr"]


def connect(settings: Settings) -> None:
    """Join the installation's Ray cluster as a driver. Raises ConnectionError if it is away."""
    if not ray.is_initialized():
        ray.init(
            address=settings.ray_address or None,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
        )


async def keep_starting(name: str, start: Callable[[], Awaitable[None]]) -> None:
    """Start, as often as it takes while a service is away. Ray never restarts an actor whose
    construction raised, so one that comes back before its database would be gone for good.
    """
    pause = 0.1
    while True:
        try:
            await start()
            return
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BookUnavailable) as error:
            log.warning("%s can't start yet: %s", name, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
