"""Training and measuring resolution: what is learnt, how it is counted, what is skipped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from engine.intake.resolution.comparison import DOORS, FIELDS, LEVELS
from engine.intake.resolution.resolver import Pairs
from engine.intake.resolution.weights import Scorer, Weights, packaged_weights
from models_ml.resolution.captured import NotMeasured
from models_ml.resolution.dallas_pairs import evaluate_dallas
from models_ml.resolution.evaluate import EVALUATION_SEED, evaluate
from models_ml.resolution.fitting import fellegi_sunter, logistic
from models_ml.resolution.repost_groups import evaluate_reposts
from models_ml.resolution.sample_outcome import evaluate_sample
from models_ml.resolution.scores import (
    PairCounts,
    calibration,
    pairs_within,
    partition_counts,
    wilson,
)
from models_ml.resolution.train import main as train
from serve_apps.cli.app import app
from serve_apps.cli.resolution_report import as_json, as_markdown


def made_pairs(count: int = 4_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one kind of door of which equal prices are one lead nine times in ten."""
    rng = np.random.default_rng(3)
    doors = np.full(count, DOORS.index("same-house"), dtype=np.uint8)
    levels = np.zeros((count, len(FIELDS)), dtype=np.uint8)
    equal = rng.random(count) < 0.5
    price = LEVELS["price"]
    levels[:, FIELDS.index("price")] = np.where(equal, price.index("equal"), price.index("more"))
    same = np.where(equal, rng.random(count) < 0.9, rng.random(count) < 0.05)
    return doors, levels, same


@pytest.mark.parametrize("fit", [logistic, fellegi_sunter])
def test_fitted_weights_are_calibrated(fit) -> None:
    doors, levels, same = made_pairs()
    bias, log_odds = fit(doors, levels, same)
    scorer = Scorer(Weights({}, 0.5, bias, log_odds))
    probability = scorer.probability(doors, levels)
    for level in ("equal", "more"):
        chosen = levels[:, FIELDS.index("price")] == LEVELS["price"].index(level)
        assert probability[chosen].mean() == pytest.approx(same[chosen].mean(), abs=0.02)


def test_what_was_never_one_lead_is_never_judged_one() -> None:
    doors, levels, same = made_pairs()
    bias, log_odds = logistic(doors, levels, np.zeros_like(same))
    scorer = Scorer(Weights({}, 0.5, bias, log_odds))
    assert scorer.probability(doors, levels).max() < 1e-6


def test_weights_that_name_unknown_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        Scorer(Weights({}, 0.5, {}, {"same-house": {"colour": {"red": 1.0}}}))
    with pytest.raises(ValueError, match="threshold"):
        Scorer(Weights({}, 0.0, {}, {}))


def test_packaged_weights_tell_where_they_come_from() -> None:
    told = packaged_weights().provenance
    assert {"method", "sample_world_seeds", "sample_world_test_seed", "pairs"} <= set(told)
    assert str(EVALUATION_SEED) not in str(told["sample_world_seeds"]).split(",")


def test_joined_through_a_third_counts() -> None:
    pairs = Pairs(np.array([1, 2]), np.array([0, 1]), np.array([0.99, 0.99]))
    lead = np.array([7, 7, 8])
    counts = partition_counts(pairs, pairs.probability, lead, 0.9)
    assert counts == PairCounts(judged=3, right=1, true=1)
    assert partition_counts(pairs, pairs.probability, lead, 0.995) == PairCounts(0, 0, 1)
    assert pairs_within(np.array([1, 1, 1, 2])) == 3


def test_wilson_intervals() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    least, most = wilson(73, 73)
    assert (round(least, 3), round(most, 3)) == (0.95, 1.0)
    least, most = wilson(50, 100)
    assert (round(least, 3), round(most, 3)) == (0.404, 0.596)


def test_calibration_counts_every_pair_once() -> None:
    probability = np.array([0.0, 0.2, 0.95, 1.0])
    same = np.array([False, False, True, True])
    rows = calibration(probability, same, (0.0, 0.5, 1.0))
    assert [(row[2], row[4]) for row in rows] == [(2, 0.0), (2, 1.0)]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    for measure in (evaluate_dallas, evaluate_reposts):
        with pytest.raises(NotMeasured, match="labels"):
            measure(tmp_path)
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "dallas_zillow_redfin_pairs.csv").write_text(
        "label,zillow_zpid,redfin_home_id\nsame,1,2\n"
    )
    with pytest.raises(NotMeasured, match="zillow/dallas"):
        evaluate_dallas(tmp_path)


def test_a_small_world_is_resolved_and_reported(tmp_path: Path) -> None:
    heard: list[int] = []
    outcome = evaluate(tmp_path, sample_records=1_500, on_records=heard.append)
    sample = outcome.sample
    assert sum(heard) == sample.records + sample.unread
    assert sample.same_in_reverse
    assert sample.counts.precision > 0.97
    assert sample.counts.recall > 0.9
    assert sum(kind.true for kind in sample.noise) > 100
    text = as_markdown(outcome)
    assert "Skipped: " in text
    assert "| threshold | precision" in text
    assert as_json(outcome)["sample"]["counts"]["precision"] == sample.counts.precision


def test_the_seed_of_the_training_is_refused(tmp_path: Path) -> None:
    seed = str(packaged_weights().provenance["sample_world_test_seed"])
    result = CliRunner().invoke(
        app, ["eval", "resolution", "--captures", str(tmp_path), "--seed", seed]
    )
    assert result.exit_code == 2
    assert "used in training" in result.output


def test_captured_pairs(captures: Path) -> None:
    dallas = evaluate_dallas(captures)
    assert dallas.missing == 0
    assert dallas.counts.precision > 0.95
    assert dallas.counts.recall > 0.98


def test_captured_reposts(captures: Path) -> None:
    reposts = evaluate_reposts(captures)
    assert reposts.copies.precision > 0.99
    assert reposts.copies.recall > 0.9
    assert reposts.leads.precision > 0.9
    assert reposts.leads.recall > 0.93


def test_training_writes_weights_with_their_provenance(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    train(["--seeds", "1", "--test-seed", "2", "--records", "1500", "--output", str(file)])
    weights = msgspec.json.decode(file.read_bytes(), type=Weights)
    assert weights.provenance["sample_world_seeds"] == "1"
    assert Scorer(weights).threshold == weights.threshold


def test_evaluations_are_the_same_twice() -> None:
    assert evaluate_sample(77, 1_000) == evaluate_sample(77, 1_000)
