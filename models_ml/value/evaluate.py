"""How well a base value tells who buys at a price, on leads that it has not seen.

P(buys at p) = Phi((ln V - ln p) / sd). Beside the model stands the published listing table,
to which a level and an sd are fitted on the same decisions that the model learnt from.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

from models_ml.value.features import NAMES
from models_ml.value.trials_table import Decisions

BINS: Final = 10
RESAMPLES: Final = 400
_SEED = 17


class Score(NamedTuple):
    """Mean log loss (nats) and Brier score of the predicted chances of buying."""

    log_loss: float
    brier: float


class Bin(NamedTuple):
    """Decisions with about the same predicted chance, the mean of it, and who did buy."""

    decisions: int
    predicted: float
    bought: float


class Truth(NamedTuple):
    """Against the law that simulated the decisions: its own log loss, which nobody can beat
    but by luck, and the middle of |ln V - ln law's V| over leads."""

    log_loss: float
    error: float
    table_error: float

    def metrics(self) -> dict[str, float]:
        return {f"law_{name}": round(value, 4) for name, value in self._asdict().items()}


class Outcome(NamedTuple):
    """`gain` is the table's log loss less the model's, with its 95 % interval over leads;
    `off` is the mean distance of the bins' predicted from bought."""

    decisions: int
    leads: int
    model: Score
    table: Score
    gain: tuple[float, float, float]
    bins: list[Bin]
    off: float
    truth: Truth | None = None

    def metrics(self) -> dict[str, float]:
        """By name, for the metadata; what is only known of simulated decisions if it is."""
        known = {} if self.truth is None else self.truth.metrics()
        return known | {
            "held_out_decisions": self.decisions,
            "held_out_leads": self.leads,
            "log_loss": round(self.model.log_loss, 4),
            "brier": round(self.model.brier, 4),
            "table_log_loss": round(self.table.log_loss, 4),
            "table_brier": round(self.table.brier, 4),
            "gain": round(self.gain[0], 4),
            "gain_least": round(self.gain[1], 4),
            "gain_most": round(self.gain[2], 4),
            "calibration_off": round(self.off, 4),
        }


def evaluate(
    booster: xgboost.Booster, buyer_sd: float, learning: Decisions, judging: Decisions
) -> Outcome:
    """The model and the table on `judging`; the table's level and sd come from `learning`."""
    values = predicted(booster, judging)
    model = np.log(values) - np.log(judging.price)
    level, table_sd = _fit_table(learning)
    table = np.log(judging.table) + level - np.log(judging.price)
    own, others = model / buyer_sd, table / table_sd
    bins = calibration(own, judging)
    return Outcome(
        decisions=len(judging.price),
        leads=len(np.unique(judging.lead)),
        model=_score(own, judging),
        table=_score(others, judging),
        gain=_gain(losses(others, judging), losses(own, judging), judging),
        bins=bins,
        off=float(
            np.average(
                [abs(each.predicted - each.bought) for each in bins],
                weights=[each.decisions for each in bins],
            )
        ),
    )


def predicted(booster: xgboost.Booster, decisions: Decisions) -> NDArray[np.float64]:
    """The model's median willingness to pay, credits, for each decision."""
    matrix = xgboost.DMatrix(decisions.features, feature_names=list(NAMES))
    return booster.predict(matrix).astype(np.float64)


def against_truth(
    values: NDArray[np.float64], decisions: Decisions, truth: NDArray[np.float64], sd: float
) -> Truth:
    """`truth` are the law's median values, `sd` the standard deviation around them."""
    _, first = np.unique(decisions.lead, return_index=True)
    own = np.abs(np.log(values[first]) - np.log(truth[first]))
    others = np.abs(np.log(decisions.table[first]) - np.log(truth[first]))
    z = (np.log(truth) - np.log(decisions.price)) / sd
    return Truth(
        float(np.average(losses(z, decisions), weights=decisions.weight)),
        float(np.median(own)),
        float(np.median(others)),
    )


def losses(z: NDArray[np.float64], decisions: Decisions) -> NDArray[np.float64]:
    """Each decision's log loss where buying has the chance Phi(z)."""
    return -np.where(decisions.bought, log_ndtr(z), log_ndtr(-z))


def calibration(z: NDArray[np.float64], decisions: Decisions) -> list[Bin]:
    """Decisions by tenths of the predicted chance."""
    chance = ndtr(z)
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    return [
        Bin(int(inside.sum()), float(chance[inside].mean()), float(decisions.bought[inside].mean()))
        for number in range(BINS)
        if (inside := place == number).any()
    ]


def _score(z: NDArray[np.float64], decisions: Decisions) -> Score:
    error = ndtr(z) - decisions.bought
    return Score(
        float(np.average(losses(z, decisions), weights=decisions.weight)),
        float(np.average(error * error, weights=decisions.weight)),
    )


def _fit_table(decisions: Decisions) -> tuple[float, float]:
    """(level, sd) of greatest likelihood: ln V = ln table + level."""
    distance = np.log(decisions.table) - np.log(decisions.price)

    def loss(parameters: NDArray[np.float64]) -> float:
        level, sd_log = parameters
        z = (distance + level) / np.exp(sd_log)
        return float(np.average(losses(z, decisions), weights=decisions.weight))

    found = minimize(loss, np.array([0.0, np.log(0.5)]), method="Nelder-Mead")
    return float(found.x[0]), float(np.exp(found.x[1]))


def _gain(
    table: NDArray[np.float64], model: NDArray[np.float64], decisions: Decisions
) -> tuple[float, float, float]:
    """Mean gain with a 95 % bootstrap interval; whole leads are drawn."""
    _, place = np.unique(decisions.lead, return_inverse=True)
    gained = np.bincount(place, (table - model) * decisions.weight)
    weight = np.bincount(place, decisions.weight)
    drawn = np.random.default_rng(_SEED).integers(0, len(weight), (RESAMPLES, len(weight)))
    means = gained[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    least, most = np.percentile(means, (2.5, 97.5))
    return float(gained.sum() / weight.sum()), float(least), float(most)
