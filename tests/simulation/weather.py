"""What goes wrong in one run, and how often: drawn from the seed, so that some runs have a
little of everything and some have much of one thing."""

from __future__ import annotations

import math
import random

# Of a run's troubles, each is there with this probability.
PRESENT = 0.45

# Per call to a book, per request to the database or to Redis: the highest probability.
SPOILED = {
    "lose call": 0.15,
    "lose answer": 0.15,
    "duplicate call": 0.25,
    "hang up": 0.08,
    "break connection": 0.03,
    "break redis": 0.05,
    "hog wallet": 0.15,
    "poison": 0.03,
}
# Per simulated second: the highest rate.
STRUCK = {
    "kill book": 1.2,
    "second book": 0.8,
    "restart book": 0.4,
    "freeze book": 0.8,
    "kill replica": 0.5,
    "stall database": 0.4,
    "restart database": 0.2,
    "step clock": 0.8,
    "empty redis": 0.3,
    "change account": 0.5,
}


class Weather:
    """`rng` is the run's only source of chance."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.spoiled = {name: self._drawn(most) for name, most in SPOILED.items()}
        self.struck = {name: self._drawn(most) for name, most in STRUCK.items()}
        # Seconds one way, on average.
        self.database_delay = rng.choice((0.0002, 0.001, 0.004))
        self.network_delay = rng.choice((0.0003, 0.002, 0.02))

    def _drawn(self, most: float) -> float:
        return most * self.rng.random() if self.rng.random() < PRESENT else 0.0

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.spoiled = dict.fromkeys(self.spoiled, 0.0)
        self.struck = dict.fromkeys(self.struck, 0.0)
        self.database_delay, self.network_delay = 0.0002, 0.0003

    def spoils(self, what: str) -> bool:
        probability = self.spoiled[what]
        return probability > 0 and self.rng.random() < probability

    def next_strike(self) -> tuple[float, str] | None:
        """When, in seconds from now, the next trouble strikes, and which; None for never."""
        total = sum(self.struck.values())
        if not total:
            return None
        (what,) = self.rng.choices(list(self.struck), list(self.struck.values()))
        return self.span(1 / total), what

    def span(self, mean: float) -> float:
        """Seconds, exponential around `mean`."""
        return -math.log(1.0 - self.rng.random()) * mean

    def to_database(self) -> float:
        return self.span(self.database_delay)

    def to_book(self) -> float:
        """Now and then a call is overtaken by many others."""
        mean = self.network_delay * (40 if self.rng.random() < 0.03 else 1)
        return self.span(mean)
