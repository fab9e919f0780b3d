"""What the recommender is measured beside: chance, the newest, popularity, one mean vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_ml.recommend.ours import WANTED
from models_ml.recommend.replay import LISTED, Question
from models_ml.recommend.simulation.play import Event, Played, wanted

Floats = NDArray[np.float64]


class ByChance:
    name = "random"

    def __init__(self, seed: int = 3) -> None:
        self._rng = np.random.default_rng(seed)

    def observe(self, event: Event) -> None:
        """Chance learns nothing."""

    def top(self, question: Question) -> NDArray[np.int64]:
        count = min(LISTED, len(question.allowed))
        return self._rng.choice(question.allowed, size=count, replace=False)


class ByAge:
    name = "newest"

    def __init__(self, played: Played) -> None:
        self._listed_at = np.zeros(len(played.homes.lead_ids))

    def observe(self, event: Event) -> None:
        if event.kind == "listed":
            self._listed_at[event.home] = event.at

    def top(self, question: Question) -> NDArray[np.int64]:
        return best(self._listed_at[question.allowed], question)


class ByPopularity:
    """Who was wanted most lately; what was wanted counts half after `half_life` days."""

    def __init__(self, played: Played, half_life: float, name: str = "popularity") -> None:
        self.name = name
        self._half_life = half_life
        self._wanted = np.zeros(len(played.homes.lead_ids))
        self._since = np.zeros(len(played.homes.lead_ids))

    def observe(self, event: Event) -> None:
        if event.kind in ("bought", "held", "viewed"):
            home, passed = event.home, event.at - self._since[event.home]
            left = self._wanted[home] * 0.5 ** (passed / self._half_life)
            self._wanted[home], self._since[home] = left + WANTED[event.kind], event.at

    def top(self, question: Question) -> NDArray[np.int64]:
        return best(self._now(question.at)[question.allowed], question)

    def _now(self, at: float) -> Floats:
        return np.asarray(self._wanted * 0.5 ** ((at - self._since) / self._half_life))


class ByMeanVector:
    """The mean of what a buyer bought, held and looked at; by popularity while there is none."""

    def __init__(
        self, played: Played, half_life: float, viewed: float, name: str = "single mean vector"
    ) -> None:
        self.name = name
        self._vectors = played.homes.vectors
        self._half_life = half_life
        self._weights = {"bought": 1.0, "held": 0.6, "viewed": viewed}
        self._means: dict[int, tuple[float, NDArray[np.float64]]] = {}
        self._cold = ByPopularity(played, 3.0)

    def observe(self, event: Event) -> None:
        self._cold.observe(event)
        if event.kind in self._weights:
            since, mean = self._means.get(event.buyer, (event.at, np.zeros(self._vectors.shape[1])))
            faded = mean * 0.5 ** ((event.at - since) / self._half_life)
            added = self._weights[event.kind] * self._vectors[event.home]
            self._means[event.buyer] = (event.at, faded + added)

    def top(self, question: Question) -> NDArray[np.int64]:
        if question.buyer not in self._means:
            return self._cold.top(question)
        _, mean = self._means[question.buyer]
        return best(self._vectors[question.allowed] @ mean, question)


class ByHiddenTaste:
    """Knows what the buyer wants, and only not by chance: how far anybody could come."""

    name = "the hidden taste itself"

    def __init__(self, played: Played) -> None:
        self._played = played

    def observe(self, event: Event) -> None:
        """It knows already."""

    def top(self, question: Question) -> NDArray[np.int64]:
        values = wanted(self._played, question.buyer, question.at)
        return best(values[question.allowed], question)


def best(values: Floats, question: Question) -> NDArray[np.int64]:
    """The LISTED allowed homes of the highest values."""
    return question.allowed[np.argsort(-values, kind="stable")[:LISTED]]
