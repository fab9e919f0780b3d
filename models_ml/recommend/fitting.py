"""Fitting the ranking to purchases: which of the leads on offer was bought?

A conditional logit: the chance that a buyer takes one of the candidates goes with the
exponential of its score. The weights are not negative, for every feature is made so that more
of it fits better; so no buyer is led away from what he bought. Half-lives, the kinds of acts
and what counts as one interest are searched along one coordinate at a time, each judged on
buyers that the weights were not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from scipy.optimize import minimize

from models_ml.recommend.facts import Floats
from models_ml.recommend.ours import Ours
from models_ml.recommend.ranking import features, scores
from models_ml.recommend.recommend import candidates
from models_ml.recommend.replay import Question, micros
from models_ml.recommend.settings import COLD, FEATURES, Settings
from models_ml.recommend.shelf import Asked
from models_ml.recommend.simulation.play import Played

SHRINKAGE: Final = 0.002
# Purchases by buyers of these numbers, modulo FOLDS, judge; the others are fitted to.
FOLDS: Final = 4
_OFFERED_MAX: Final = 150
_SEED: Final = 17


class Choice(NamedTuple):
    """One purchase: `offered` (leads, FEATURES), the bought one first; how well the buyer was
    `known`."""

    offered: Floats
    known: float
    buyer: int


class Fitted(NamedTuple):
    """`loss` is the mean negative log-likelihood of the choices judged."""

    settings: Settings
    loss: float


class _Collector(Ours):
    """Notes what was offered at each purchase, as the recommender would have seen it."""

    def __init__(self, played: Played, settings: Settings, rng: np.random.Generator) -> None:
        super().__init__(played, settings)
        self.choices: list[Choice] = []
        self._rng = rng
        self.bought_next = -1

    def top(self, question: Question) -> list[int]:
        taste, now = self.taste(question.buyer, question.at), micros(question.at)
        mine = self.bought_by(question.buyer)
        allowed = self.shelf.allowed(Asked(without=mine))
        rows = candidates(self.shelf, taste, allowed)
        bought = self.shelf.row(self.lead_id(self.bought_next))
        if bought is None:
            return []
        others = rows[rows != bought]
        if len(others) > _OFFERED_MAX:
            others = self._rng.choice(others, size=_OFFERED_MAX, replace=False)
        offered = np.concatenate([[bought], others])
        scored = features(
            self.shelf.facts(offered),
            self.shelf.vectors(offered),
            self.shelf.popularity(offered, now),
            taste,
            now,
            self.settings,
        )
        self.choices.append(Choice(scored.features, taste.known, question.buyer))
        return []


def collected(played: Played, settings: Settings, since: float, every: int = 1) -> list[Choice]:
    """Every `every`th purchase from `since` (days) on, as a choice."""
    collector = _Collector(played, settings, np.random.default_rng(_SEED))
    number = 0
    for event in played.events:
        if event.kind == "visit":
            number += 1
            if event.at >= since and number % every == 0:
                collector.bought_next = event.home
                collector.top(Question(event.buyer, event.at, np.zeros(0, dtype=np.int64)))
        else:
            collector.observe(event)
    return collector.choices


def fit_weights(choices: Sequence[Choice], settings: Settings) -> Settings:
    """The settings with the warm and cold weights that fit the choices best.

    The cold ones are fitted to the same choices with nothing known of the buyer. Standing orders
    are not among what is simulated: the weight of `asked` stays as it is.
    """
    columns = [FEATURES.index(name) for name in COLD]
    cold = _weights([choice.offered[:, columns] for choice in choices])
    unknown = dict(zip(COLD, cold, strict=True)) | {"asked": settings.cold["asked"]}
    settings = msgspec.structs.replace(settings, cold=unknown)
    offset = np.array(list(unknown.values()))
    warm = _weights(
        [_share(choice, settings) * choice.offered for choice in choices],
        [
            (1 - _share(choice, settings)) * (choice.offered[:, columns] @ offset)
            for choice in choices
        ],
    )
    known = dict(zip(FEATURES, warm, strict=True)) | {"asked": settings.warm["asked"]}
    return msgspec.structs.replace(settings, warm=known)


def _weights(designs: Sequence[Floats], offsets: Sequence[Floats] | None = None) -> list[float]:
    """Of each column, 0 or more; each design's first row was chosen. `offsets` are what the
    rows score already."""
    starts = np.cumsum([0, *(len(each) for each in designs[:-1])])
    rows = np.concatenate(designs)
    chosen = rows[starts]
    owner = np.repeat(np.arange(len(designs)), [len(each) for each in designs])
    scale = np.maximum(rows.std(axis=0), 1e-6)
    rows, chosen = rows / scale, chosen / scale
    already = np.zeros(len(rows)) if offsets is None else np.concatenate(offsets)

    def loss(weights: Floats) -> tuple[float, Floats]:
        score = rows @ weights + already
        score -= np.maximum.reduceat(score, starts)[owner]
        odds = np.exp(score)
        total = np.add.reduceat(odds, starts)
        chance = odds / total[owner]
        value = float(np.mean(np.log(total) - score[starts]))
        expected = np.add.reduceat(chance[:, None] * rows, starts)
        slope = (expected - chosen).mean(axis=0) + 2 * SHRINKAGE * weights
        return value + SHRINKAGE * float(weights @ weights), slope

    size = rows.shape[1]
    found = minimize(
        loss, np.full(size, 0.3), jac=True, method="L-BFGS-B", bounds=[(0, None)] * size
    )
    return [round(float(each), 5) for each in found.x / scale]


def loss_of(choices: Sequence[Choice], settings: Settings) -> float:
    """The mean negative log-likelihood of the choices."""
    found = []
    for choice in choices:
        score = scores(choice.offered, choice.known, settings)
        score -= score.max()
        found.append(float(np.log(np.exp(score).sum()) - score[0]))
    return float(np.mean(found))


def fit(
    played: Sequence[Played], settings: Settings, since: float, on_step: Callable[[str], None]
) -> Fitted:
    """Weights, then one coordinate after another, each kept if it judges better."""
    best = _judged(played, settings, since)
    on_step(f"weights fitted, loss {best.loss:.4f}")
    for changed in _tries():
        tried = _judged(played, _changed(best.settings, changed), since)
        kept = tried.loss < best.loss
        on_step(f"{changed}: {tried.loss:.4f}, {'kept' if kept else 'not kept'}")
        best = tried if kept else best
    return best


def _judged(played: Sequence[Played], settings: Settings, since: float) -> Fitted:
    choices = [each for one in played for each in collected(one, settings, since, every=3)]
    learnt = [each for each in choices if each.buyer % FOLDS]
    judging = [each for each in choices if each.buyer % FOLDS == 0]
    fitted = fit_weights(learnt, settings)
    return Fitted(fitted, loss_of(judging, fitted))


def _tries() -> list[Mapping[str, Any]]:
    """Changes to try, in order: names of settings, or of members of one, to values."""
    return [
        {"half_life_days.bought": 60.0},
        {"half_life_days.bought": 15.0},
        {"half_life_days.viewed": 20.0},
        {"act_weights.viewed": 0.4},
        {"act_weights.viewed": 0.05},
        {"apart": 0.8},
        {"apart": 1.3},
        {"known_at": 0.3},
        {"fresh_days": 1.0},
        {"fresh_days": 7.0},
    ]


def _changed(settings: Settings, changed: Mapping[str, Any]) -> Settings:
    found = msgspec.to_builtins(settings)
    for name, value in changed.items():
        outer, _, inner = name.partition(".")
        if inner:
            found[outer][inner] = value
        else:
            found[outer] = value
    return msgspec.convert(found, Settings)


def _share(choice: Choice, settings: Settings) -> float:
    return choice.known / (choice.known + settings.known_at)
