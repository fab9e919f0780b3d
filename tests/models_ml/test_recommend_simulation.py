"""Simulated markets: the same again, nothing sold twice, and no ranker sees what comes."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from models_ml.recommend.baselines import ByChance, ByHiddenTaste, ByMeanVector, ByPopularity
from models_ml.recommend.exposure import exposure_of
from models_ml.recommend.ours import Ours
from models_ml.recommend.replay import LISTED, replay
from models_ml.recommend.scores import gain_over, scores_of
from models_ml.recommend.settings import STARTING
from models_ml.recommend.simulation.homes import Homes, Offered, homes_of
from models_ml.recommend.simulation.play import Played, play
from tests.models_ml.shelves import DIMENSIONS, FLAT, HOUSE, towards

WORDS = ("pool", "garage", "patio", "fenced yard", "updated", "hardwood", "quiet", "office")


@pytest.fixture(scope="module")
def homes() -> Homes:
    rng = np.random.default_rng(8)
    offered = []
    for n in range(500):
        base = (HOUSE, FLAT)[n % 2]
        listing = msgspec.structs.replace(
            base,
            list_price=int(base.list_price or 1) * int(rng.integers(80, 120)) // 100,
            year_built=int(rng.integers(1950, 2024)),
            bedrooms_total=int(rng.integers(1, 5)),
            latitude=30.27 + float(rng.normal(0, 0.05)),
            longitude=-97.74 + float(rng.normal(0, 0.05)),
            public_remarks=f"A home with {WORDS[n % 8]} and {WORDS[(n * 3) % 8]}.",
        )
        offered.append(Offered(f"h{n}", listing, 1 + n % 3))
    return homes_of(offered, lambda all_: np.stack([towards(n % 8, n) for n in range(len(all_))]))


@pytest.fixture(scope="module")
def played(homes: Homes) -> Played:
    return play(homes, 30, 4)


def test_the_same_seed_plays_the_same(homes: Homes, played: Played) -> None:
    assert play(homes, 30, 4).events == played.events
    assert play(homes, 30, 5).events != played.events


def test_no_more_is_sold_than_there_are_seats_and_nothing_twice_to_one(played: Played) -> None:
    bought = [event for event in played.events if event.kind == "bought"]
    assert len(bought) > 100
    sold = Counter(event.home for event in bought)
    assert all(count <= played.homes.seats[home] for home, count in sold.items())
    assert max(Counter((event.home, event.buyer) for event in bought).values()) == 1


def test_what_is_held_out_is_on_offer_when_it_is_asked_for(played: Played) -> None:
    rankers = [Ours(played, STARTING), ByChance(), ByPopularity(played, 3.0),
               ByMeanVector(played, 10.0, 0.1), ByHiddenTaste(played)]  # fmt: skip
    judged = replay(played, rankers, 40.0)
    assert len(judged) > 20
    for each in judged:
        assert each.home in each.allowed
        for top in each.tops.values():
            assert len(top) == len(set(top)) == min(LISTED, len(each.allowed))
            assert set(top) <= set(each.allowed)
    names = [ranker.name for ranker in rankers]
    scores = {name: scores_of(name, judged, played.homes.vectors) for name in names}
    assert scores["the hidden taste itself"].gain.value > scores["random"].gain.value
    assert scores["recommender"].gain.value > scores["random"].gain.value
    ahead = gain_over("the hidden taste itself", "random", judged)
    assert ahead.least <= ahead.value <= ahead.most
    assert scores["random"].reach <= 1.0
    exposure = exposure_of("recommender", judged, played.homes.listings)
    assert exposure is None or exposure.shown_least <= 1 <= exposure.shown_most


def test_nothing_judged_is_an_error(played: Played) -> None:
    with pytest.raises(ValueError, match="nobody bought"):
        scores_of("random", [], np.zeros((1, DIMENSIONS), dtype=np.float32))
