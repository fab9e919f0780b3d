"""The recommender as a bundle: what can't be is refused, and fitting finds what was planted."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from engine.market.fair_housing import NotAllowed, inputs
from models_ml import bundle, served
from models_ml.artefact import Unusable
from models_ml.recommend import model as recommender
from models_ml.recommend.fitting import Choice, fit_weights
from models_ml.recommend.model import EXAMPLE_PART, SETTINGS_PART, Metadata, packaged, packed
from models_ml.recommend.settings import FEATURES, STARTING

MOST = 1_000_000
METADATA = Metadata(trained_on="nothing", training_sha256="ab", metrics={"loss": 1.0})


def parts() -> dict[str, bytes]:
    return bundle.unpack(packed(STARTING, METADATA), MOST)


def changed(part: str, *path: object, to: object) -> dict[str, bytes]:
    found = parts()
    document = json.loads(found[part])
    *outer, last = path
    inner = document
    for key in outer:
        inner = inner[key]
    inner[last] = to
    return found | {part: json.dumps(document).encode()}


def test_a_bundle_is_read_as_it_was_packed_and_answers_its_example() -> None:
    model = recommender.read(parts())
    model.check()
    assert model.features == FEATURES
    assert packed(STARTING, METADATA) == packed(STARTING, METADATA)
    assert model.metadata.training_sha256 == "ab"


def test_the_packaged_one_is_a_model() -> None:
    served.read("recommender", bundle.unpack(packaged(), MOST)).check()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "its parts must be"),
        (changed(SETTINGS_PART, "schema", to=2), "schema 2"),
        (changed(SETTINGS_PART, "features", 0, to="zip_code"), "other features"),
        (changed(SETTINGS_PART, "settings", "interests", to=6), "interests must be 1 to 5"),
        (changed(SETTINGS_PART, "settings", "apart", to=0), "must be above 0"),
        (changed(SETTINGS_PART, "settings", "warm", "likeness", to=-1), "0 to 1,000"),
        (changed(SETTINGS_PART, "settings", "act_weights", to={}), "must name exactly"),
        (changed(SETTINGS_PART, "settings", "diversity", to=1e9), "diversity"),
        (changed(SETTINGS_PART, "settings", "half_life_days", "bought", to=0), "half_life_days"),
        (changed(SETTINGS_PART, "settings", "more", to=1), "unknown field"),
        (changed(EXAMPLE_PART, "scores", to=[]), "known example"),
        (changed(EXAMPLE_PART, "features", 0, 0, to=1e400), "not what a recommender is|finite"),
        ({**parts(), SETTINGS_PART: b"\x00"}, "not what a recommender is"),
        ({**parts(), EXAMPLE_PART: b" " * 200_000}, "longer than"),
    ],
)
def test_what_is_no_recommender_is_refused_with_the_reason(
    given: dict[str, bytes], said: str
) -> None:
    with pytest.raises(Unusable, match=said):
        served.read("recommender", given)


def test_an_example_that_scores_otherwise_is_found_out() -> None:
    model = served.read("recommender", changed(SETTINGS_PART, "settings", "warm", "quality", to=9))
    with pytest.raises(Unusable, match="scores otherwise"):
        model.check()


def test_settings_that_can_not_be_are_not_packed() -> None:
    with pytest.raises(ValueError, match="interests"):
        packed(msgspec.structs.replace(STARTING, interests=0), METADATA)


@pytest.mark.parametrize("name", ["neighborhood", "buyer_id", "school_rating", "anything"])
def test_what_is_not_on_the_list_does_not_rank(name: str) -> None:
    with pytest.raises(NotAllowed):
        inputs("recommendation", [*FEATURES, name])


def test_fitting_finds_what_buyers_go_by() -> None:
    rng = np.random.default_rng(3)
    truth = np.zeros(len(FEATURES))
    truth[FEATURES.index("place_fit")] = 2.0
    truth[FEATURES.index("quality")] = 1.0
    choices = []
    for buyer in range(600):
        offered = rng.normal(0, 1, (20, len(FEATURES)))
        bought = int(np.argmax(offered @ truth + rng.gumbel(0, 1, 20)))
        first = np.concatenate([offered[[bought]], np.delete(offered, bought, axis=0)])
        choices.append(Choice(first, 1e6, buyer))
    warm = fit_weights(choices, STARTING).warm
    assert warm["place_fit"] == pytest.approx(2.0, abs=0.4)
    assert warm["quality"] == pytest.approx(1.0, abs=0.3)
    others = set(FEATURES) - {"place_fit", "quality", "asked"}
    assert max(warm[name] for name in others) < 0.3
    assert warm["asked"] == STARTING.warm["asked"]
