"""A wall clock that does not jump: a step of the machine's clock must end nobody's hold."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Time servers slew a clock by less than this between two readings; more is a step.
STEP_NS = 500_000_000


class SteadyClock:
    """Nanoseconds since the epoch. It follows the wall clock while that runs evenly; after a
    step it goes on by the monotonic clock, as far as the process lives."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._wall_at = wall()
        self._monotonic_at = monotonic()
        # How far the wall clock was stepped away from us, ns.
        self.stepped_ns = 0

    def __call__(self) -> int:
        wall, monotonic = self._wall(), self._monotonic()
        expected = self._wall_at + monotonic - self._monotonic_at
        off = wall - self.stepped_ns - expected
        if abs(off) > STEP_NS:
            log.warning("the machine's clock was stepped by %.3f s", off / 1e9)
            self.stepped_ns += off
        self._wall_at, self._monotonic_at = wall - self.stepped_ns, monotonic
        return self._wall_at
