"""How long and how often to try: every wait is bounded."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`budget_seconds` bounds a call with all its repeats and waits; the default outlasts a
    window of the rate limit, which is a minute. `request_seconds` bounds one request.
    """

    budget_seconds: float = 75.0
    request_seconds: float = 15.0
    repeats_max: int = 20
    pause_seconds: float = 0.25
    pause_seconds_max: float = 5.0

    def pause(self, repeats: int, rng: random.Random, at_least: float = 0.0) -> float:
        """Seconds to wait before the next repeat: anything up to a bound that doubles, after
        what the server asked for."""
        bound = min(self.pause_seconds_max, self.pause_seconds * 2.0 ** min(repeats, 16))
        return at_least + rng.uniform(0, bound)


NO_PATIENCE = Patience(repeats_max=0)
"""One request a call, whatever comes of it."""
