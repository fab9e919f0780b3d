"""An asyncio event loop without a clock or sockets, and processes that live in it.

Time stands still while anything can run, then jumps to the next timer. What is due at one
instant runs in an order drawn from the seed; everything else is as asyncio promises, so a
run depends on its seed alone.

A process is a context: whatever is started within it belongs to it. A killed one never
runs again, not even its `finally` blocks: what they would have done, nobody sees. A frozen
one runs later.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NoRest(Exception):
    """Something is still awaited that never comes."""


class Killed(Exception):
    """The process that was asked is dead."""


class Process:
    """A part of the simulated world that lives and dies on its own."""

    def __init__(self, name: str, loop: SimulatedLoop) -> None:
        self.name = name
        self.loop = loop
        self.is_alive = True
        self.is_frozen = False
        # It dies instead of running when this many steps are left.
        self.steps_left: int | None = None
        # Or while the answer to a COMMIT is on its way, if there will be one.
        self.dies_at_commit = False
        self.backlog: list[asyncio.Handle] = []
        self.on_death: list[Callable[[], None]] = []
        self.context = contextvars.Context()
        self.context.run(_PROCESS.set, self)

    def start(self, coroutine: Coroutine[Any, Any, T], name: str = "") -> asyncio.Task[T]:
        return self.loop.create_task(coroutine, name=name, context=self.context.copy())

    def kill(self) -> None:
        if self.is_alive:
            self.is_alive = False
            self.loop.drop(self.backlog)
            for tell in self.on_death:
                tell()

    def freeze(self, seconds: float) -> None:
        """Stop, and go on `seconds` later as if nothing had been."""
        self.is_frozen = True
        self.loop.call_later(seconds, self._thaw, context=contextvars.Context())

    def _thaw(self) -> None:
        self.is_frozen = False
        backlog, self.backlog = self.backlog, []
        self.loop.ready.extend(backlog)


_PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


def current_process() -> Process | None:
    """Whose code this is, None for the world's own."""
    return _PROCESS.get(None)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """As much of a loop as code needs that waits for futures and time alone."""

    def __init__(self, rng: random.Random) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.errors: list[str] = []
        self.steps = 0
        self._chance = rng.random
        self._now = 0.0
        self._timers: list[tuple[float, float, asyncio.TimerHandle]] = []
        # Kept until the end: a task that is thrown away runs its `finally` blocks.
        self._tasks: list[asyncio.Task[Any]] = []
        self._never_run: list[asyncio.Handle] = []

    # --- what asyncio asks for -----------------------------------------------------

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self._chance(), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Skipped when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    # --- running -------------------------------------------------------------------

    def run(self, main: Coroutine[Any, Any, T], *, until: float, steps_max: int) -> T:
        """Raises NoRest if `main` is not done at the instant `until`, or after so many steps."""
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(main)
            while not task.done():
                self._run_ready()
                if not task.done():
                    self._jump(until)
                if self.steps > steps_max:
                    raise NoRest(f"it runs in circles at {self._now:.3f} s")
            return task.result()
        finally:
            asyncio._set_running_loop(None)

    def _run_ready(self) -> None:
        ready = self.ready
        while ready:
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(_PROCESS)
            if process is not None and not self._may_run(process, handle):
                continue
            self.steps += 1
            handle._run()

    def _may_run(self, process: Process, handle: asyncio.Handle) -> bool:
        if process.steps_left is not None and process.is_alive:
            process.steps_left -= 1
            if process.steps_left < 0:
                process.kill()
        if process.is_frozen and process.is_alive:
            process.backlog.append(handle)
            return False
        if not process.is_alive:
            self._never_run.append(handle)
        return process.is_alive

    def _jump(self, until: float) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers or timers[0][0] > until:
            raise NoRest(f"nothing more happens before {until} s")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self.ready.append(heapq.heappop(timers)[2])

    def drop(self, handles: list[asyncio.Handle]) -> None:
        """The steps of a process that died before it could take them."""
        self._never_run.extend(handles)

    def bury(self) -> None:
        """Unwind what never ended, with nobody to notice: call when all is over."""
        asyncio._set_running_loop(self)
        try:
            # A task that is stopped may wait once more, for what it lets go.
            for _ in range(5):
                self.ready.extend(self._never_run)
                self._never_run.clear()
                for task in self._tasks:
                    task.cancel()
                self._timers.clear()
                while self.ready:
                    handle = self.ready.popleft()
                    if not handle._cancelled:
                        handle._run()
        finally:
            asyncio._set_running_loop(None)
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks.clear()
