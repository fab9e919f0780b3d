"""`aiqleads eval recommend`: does the recommender find what buyers then buy?

Buyers have hidden tastes (simulation/tastes.py). What they bought in the last days is held out,
and every ranker is asked just before each visit for the leads on offer at that time. Settings of
the other rankers are chosen on a market of other buyers, the recommender's are those it was
trained to on other homes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from models_ml.recommend.baselines import ByAge, ByChance, ByHiddenTaste, ByMeanVector, ByPopularity
from models_ml.recommend.exposure import Exposure, exposure_of
from models_ml.recommend.factors import TRIED, ByFactors, Missing
from models_ml.recommend.ours import Ours
from models_ml.recommend.recall import Recall, recall_of
from models_ml.recommend.replay import Judged, Ranker, replay
from models_ml.recommend.scores import Interval, Scores, gain_over, scores_of
from models_ml.recommend.settings import Settings
from models_ml.recommend.simulation.homes import Homes
from models_ml.recommend.simulation.play import Played, play

BUYERS: Final = 200
HELD_OUT_FROM_DAY: Final = 48.0
TUNED_FROM_DAY: Final = 56.0
KNOWN_ACTS: Final = 5
RECALL_LEAST: Final = 0.95
OURS: Final = "recommender"
ONE_INTEREST: Final = "recommender, one interest"
NO_VECTORS: Final = "recommender, no vectors"
ORACLE: Final = "the hidden taste itself"
NO_RIVALS: Final = frozenset({OURS, ONE_INTEREST, NO_VECTORS, ORACLE})
"""The recommender, what is left of it without a part, and the bound of what can be reached."""
_PLAY_SEED, _TUNING_SEED = 101, 202


class Outcome(NamedTuple):
    """`known` are purchases of buyers with KNOWN_ACTS acts or more behind them, `cold` those of
    buyers without any; by ranker. `ahead` is how far nDCG@20 of known buyers lies above each
    other's. `missing` says why a ranker is not among them."""

    told: str
    homes: int
    buyers: int
    on_offer: float
    known: dict[str, Scores]
    cold: dict[str, Scores]
    ahead: dict[str, Interval]
    exposure: Exposure | None
    recall: list[Recall]
    chosen: dict[str, str]
    missing: str

    @property
    def passed(self) -> bool:
        """Clearly better than every other for known buyers: by purchase, and so that no
        intervals overlap, of hits or gain; and an index that finds."""
        ours = self.known[OURS]
        rivals = {name: each for name, each in self.known.items() if name not in NO_RIVALS}
        return (
            all(ours.hits.least > each.hits.most for each in rivals.values())
            and all(ours.gain.least > each.gain.most for each in rivals.values())
            and all(self.ahead[name].least > 0 for name in rivals)
            and all(each.found_alone >= RECALL_LEAST for each in self.recall)
        )


def evaluate(
    homes: Homes, settings: Settings, told: str, on_step: Callable[[str], None]
) -> Outcome:
    """Raises ValueError if too little is bought to judge by."""
    tuning = play(homes, BUYERS, _TUNING_SEED)
    chosen, missing = _chosen(tuning, on_step)
    played = play(homes, BUYERS, _PLAY_SEED)
    rankers: list[Ranker] = [
        Ours(played, settings, OURS),
        Ours(played, msgspec.structs.replace(settings, interests=1), ONE_INTEREST),
        Ours(played, settings, NO_VECTORS, has_vectors=False),
        ByChance(),
        ByAge(played),
        *(make(played) for make in chosen.values()),
        ByHiddenTaste(played),
    ]
    judged = replay(played, rankers, HELD_OUT_FROM_DAY)
    on_step(f"{len(judged):,} purchases judged")
    known = [each for each in judged if each.acts >= KNOWN_ACTS]
    cold = [each for each in judged if each.acts == 0]
    names = [ranker.name for ranker in rankers]
    recall = recall_of(homes.vectors)
    on_step("index compared with exact search")
    return Outcome(
        told,
        len(homes.lead_ids),
        len(played.buyers),
        sum(len(each.allowed) for each in judged) / max(len(judged), 1),
        {name: scores_of(name, known, homes.vectors) for name in names},
        {name: scores_of(name, cold, homes.vectors) for name in names},
        {name: gain_over(OURS, name, known) for name in names if name != OURS},
        exposure_of(OURS, judged, homes.listings),
        recall,
        {name: str(make.settings) for name, make in chosen.items()},
        missing,
    )


class _Make(NamedTuple):
    """How a ranker is made, with the settings chosen."""

    make: Callable[[Played], Ranker]
    settings: str

    def __call__(self, played: Played) -> Ranker:
        return self.make(played)


def _chosen(tuning: Played, on_step: Callable[[str], None]) -> tuple[dict[str, _Make], str]:
    """Of each kind of ranker with settings, those that do best on the tuning market."""
    kinds: dict[str, list[_Make]] = {
        "popularity": [_by_popularity(days) for days in (1.0, 3.0, 10.0, 30.0)],
        "single mean vector": [
            _by_mean(days, viewed) for days in (3.0, 10.0, 30.0) for viewed in (0.15, 0.5, 1.0)
        ],
        "implicit feedback": [_by_factors(place) for place in range(len(TRIED))],
    }
    found, missing = {}, ""
    for name, makes in kinds.items():
        try:
            rankers = [make(tuning) for make in makes]
        except Missing as error:
            missing = str(error)
            continue
        for place, ranker in enumerate(rankers):
            ranker.name = str(place)
        judged = [e for e in replay(tuning, rankers, TUNED_FROM_DAY) if e.acts >= KNOWN_ACTS]
        found[name] = makes[_best(judged, len(makes), tuning)]
        on_step(f"{name}: {found[name].settings}")
    return found, missing


def _best(judged: Sequence[Judged], count: int, tuning: Played) -> int:
    gains = [scores_of(str(n), judged, tuning.homes.vectors).gain.value for n in range(count)]
    return max(range(count), key=gains.__getitem__)


def _by_popularity(days: float) -> _Make:
    return _Make(lambda played: ByPopularity(played, days), f"half-life {days:g} days")


def _by_mean(days: float, viewed: float) -> _Make:
    return _Make(
        lambda played: ByMeanVector(played, days, viewed),
        f"half-life {days:g} days, a look counts {viewed:g}",
    )


def _by_factors(place: int) -> _Make:
    tried = TRIED[place]
    return _Make(
        lambda played: ByFactors(played, tried, "implicit feedback"),
        f"{tried.kind}, {tried.factors} factors, of the last {tried.recent_days:g} days",
    )
