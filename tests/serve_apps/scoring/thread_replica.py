"""A replica as Serve runs it, without Serve: in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

from engine.rollout.roles import Version
from engine.settings import Settings
from serve_apps.scoring.model_replica import ModelReplica
from tests.serve_apps.scoring.small_model import SmallModel, load_small


class Stopped(ModelReplica):
    """Serve awaits `__del__`; Python itself, which calls it too, can't."""

    def __del__(self) -> None:  # type: ignore[override]
        """Stopped by `stop`."""

    async def stop(self) -> None:
        await ModelReplica.__del__(self)


class SmallReplica(Stopped):
    names = ("fraud",)

    @staticmethod
    def load(version: Version) -> SmallModel:
        return load_small(version)


class RealReplica(Stopped):
    """Of the model that is quickest to make."""

    names = ("recommender",)


T = TypeVar("T", bound=Stopped)


async def started(kind: type[T], settings: Settings) -> T:
    """As Serve builds it: the constructor is awaited."""
    replica = kind.__new__(kind)
    await replica.__init__(settings)  # type: ignore[misc]
    return replica


@contextlib.asynccontextmanager
async def serving(kind: type[T], settings: Settings) -> Any:
    replica = await started(kind, settings)
    try:
        yield replica
    finally:
        await replica.stop()


@contextlib.contextmanager
def in_thread(kind: type[T], settings: Settings) -> Iterator[T]:
    """For tests of what runs an event loop itself, such as a command."""
    ready, end = threading.Event(), threading.Event()
    found: list[T] = []
    failed: list[BaseException] = []

    async def run() -> None:
        async with serving(kind, settings) as replica:
            found.append(replica)
            ready.set()
            await asyncio.to_thread(end.wait)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=main)
    thread.start()
    try:
        assert ready.wait(60)
        assert not failed, failed
        yield found[0]
    finally:
        end.set()
        thread.join(60)
    assert not failed, failed
