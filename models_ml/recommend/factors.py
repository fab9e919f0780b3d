"""An implicit-feedback library as a ranker: factors of buyers and leads, fitted again and again.

Leads live for days and have few seats, so what it knows of a new one is little. To be fair it
learns from looks as well as purchases, twice a day, ranks the same leads as the others, and has
its settings chosen on a market of its own.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from models_ml.recommend.baselines import ByPopularity, best
from models_ml.recommend.ours import WANTED
from models_ml.recommend.replay import Question
from models_ml.recommend.simulation.play import Event, Played

FITTED_EVERY_DAYS: Final = 0.5
_SEED: Final = 7


class Missing(ImportError):
    """The library is not installed; the text says how it is."""


class FactorSettings(NamedTuple):
    """`recent_days` is how long an act is learnt from."""

    kind: Literal["als", "bpr"]
    factors: int
    recent_days: float


TRIED: Final = tuple(
    FactorSettings(kind, factors, days)
    for kind in ("als", "bpr")
    for factors in (32, 128)
    for days in (20.0, 60.0)
)


class ByFactors:
    """By popularity for a buyer who did nothing yet. Raises Missing without the library."""

    def __init__(self, played: Played, settings: FactorSettings, name: str) -> None:
        try:
            import implicit
        except ImportError as error:
            raise Missing("install aiqleads[bench] to measure beside implicit feedback") from error
        self.name = name
        self._library: Any = implicit
        self._settings = settings
        self._shape = (len(played.buyers), len(played.homes.lead_ids))
        self._acts: list[tuple[float, int, int, float]] = []
        self._fitted_at = -np.inf
        self._buyers: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._homes: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._known: set[int] = set()
        self._cold = ByPopularity(played, 3.0)

    def observe(self, event: Event) -> None:
        self._cold.observe(event)
        if event.kind in ("bought", "held", "viewed"):
            self._acts.append((event.at, event.buyer, event.home, WANTED[event.kind]))

    def top(self, question: Question) -> NDArray[np.int64]:
        if question.at - self._fitted_at >= FITTED_EVERY_DAYS:
            self._fit(question.at)
        if question.buyer not in self._known:
            return self._cold.top(question)
        return best(self._homes[question.allowed] @ self._buyers[question.buyer], question)

    def _fit(self, at: float) -> None:
        acts = [each for each in self._acts if each[0] > at - self._settings.recent_days]
        _, buyers, homes, weights = zip(*acts, strict=True)
        matrix = coo_matrix((np.array(weights), (buyers, homes)), shape=self._shape).tocsr()
        model = self._model()
        model.fit(matrix.astype(np.float32), show_progress=False)
        self._buyers = np.asarray(model.user_factors)
        self._homes = np.asarray(model.item_factors)
        self._known, self._fitted_at = set(buyers), at

    def _model(self) -> Any:
        made = {"factors": self._settings.factors, "random_state": _SEED, "num_threads": 1}
        if self._settings.kind == "als":
            als = self._library.als.AlternatingLeastSquares
            return als(**made, regularization=0.05, alpha=2.0, iterations=10)
        return self._library.bpr.BayesianPersonalizedRanking(**made, iterations=60)
