"""How a host is asked, what the answer to "may I?" is, and when a host is left alone."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol


class Pace(NamedTuple):
    """At most so many requests a second, and so many under way at a time; `is_spaced` ones
    keep their distance also after a rest."""

    requests_per_second: float
    concurrency: int
    is_spaced: bool = False

    @property
    def interval_seconds(self) -> float:
        return 1.0 / self.requests_per_second

    @property
    def burst(self) -> int:
        """Tokens in a full bucket."""
        return 1 if self.is_spaced or self.requests_per_second <= 1 else self.concurrency

    def share(self, part: float) -> Pace:
        slots = max(1, math.floor(self.concurrency * part))
        return self._replace(requests_per_second=self.requests_per_second * part, concurrency=slots)

    def no_faster_than(self, interval_seconds: float) -> Pace:
        """The pace where a site wants so many seconds between two requests; 0: it doesn't say."""
        if interval_seconds <= 0:
            return self
        slower = min(self.requests_per_second, 1.0 / interval_seconds)
        return Pace(slower, self.concurrency, is_spaced=True)


class Breaker(NamedTuple):
    """After `failures_max` failures in a row a host is left alone for `open_seconds`, twice
    as long each time it fails again, at most `open_seconds_max`."""

    failures_max: int = 10
    open_seconds: float = 60.0
    open_seconds_max: float = 1_800.0


Kind = Literal["go", "wait", "paused", "open"]


class Verdict(NamedTuple):
    """`go` now, or `wait` so long for a token or a slot; `paused` and `open` say for how long
    the host asked for rest, or is left alone for its failures."""

    kind: Kind
    seconds: float


# `good`: the host answered, whatever it said; `bad`: it didn't, or said that it can't now;
# `unknown`: the request was given up on our side.
Outcome = Literal["good", "bad", "unknown"]


class Budget(Protocol):
    """Keeps hosts' tokens, slots, pauses and circuits."""

    async def take(self, host: str, pace: Pace, lease: str, lease_seconds: float) -> Verdict:
        """Ask for a turn; on `go` it is had until given back or `lease_seconds` are over."""
        ...

    async def give_back(
        self, host: str, lease: str, outcome: Outcome, pause_seconds: float, breaker: Breaker
    ) -> None:
        """End a turn. A pause is everybody's."""
        ...
