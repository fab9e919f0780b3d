"""How long to stay away before connecting again: full jitter, bounded."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class BackOff:
    """A pause is anything from 0 up to a window that doubles with every failure in a row, so
    that the readers of a server that restarts come back spread over time and not together.
    """

    rng: random.Random = field(default_factory=random.Random)
    window_seconds: float = 1.0
    window_seconds_max: float = 30.0
    failures: int = 0

    def pause(self, at_least: float = 0.0) -> float:
        """Seconds to stay away after one more failure."""
        window = min(self.window_seconds_max, self.window_seconds * 2.0 ** min(self.failures, 16))
        self.failures += 1
        return at_least + self.rng.uniform(0, window)

    def recover(self) -> None:
        """The connection was good for a while: what fails next is the first failure."""
        self.failures = 0
