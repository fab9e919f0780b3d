"""`aiqleads models train|evaluate`: what is learnt from, where it goes, what is said when not."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from engine.adapters.postgres import model_labels
from engine.settings import Settings
from models_ml.fraud.listing_features import NAMES, SCHEMA
from models_ml.recommend.simulation.bought_together import bought_together
from models_ml.recommend.simulation.homes import sample_homes
from models_ml.recommend.simulation.play import Event, Played, play
from serve_apps.cli.app import app
from tests.cli.test_models import Command, answered, in_registry, models, settings
from tests.models_ml.test_fraud_advertisers import made, written

__all__ = ["models", "settings"]


def test_an_advertiser_model_is_trained_registered_and_judged(
    models: Command, tmp_path: Path
) -> None:
    learnt = written(tmp_path / "learnt", made(400, 1))
    other = written(tmp_path / "other", made(400, 2, "other "))
    done = answered(models("train", "advertiser", "--train", learnt, "--note", "mine", "--json"))
    assert (done["version"], done["new"], done["note"]) == (1, True, "mine")
    assert done["metrics"]["choosing_average_precision"] > 0.5
    assert len(done["training_sha256"]) == 64
    again = models("train", "advertiser", "--train", learnt)
    assert "version 1, there already" in again.stdout

    judged = answered(models("evaluate", "advertiser", 1, "--captures", learnt, "--json"))
    assert judged["known_example"] == "as it should be"
    (found,) = judged["evaluations"]
    assert found["note"].startswith("it has learnt from this very table")
    (found,) = answered(models("evaluate", "advertiser", 1, "--captures", other, "--json"))[
        "evaluations"
    ]
    assert (found["rows"], found["note"]) == (400, "")
    assert 0.5 < found["metrics"]["average_precision"] <= 1

    # It is kept, and versions compare by it.
    models("train", "advertiser", "--train", other)
    models("evaluate", "advertiser", 2, "--captures", other)
    one, two = answered(models("compare", "advertiser", 1, 2, "--json"))["versions"]
    assert {each["data"] for each in two["evaluations"]} < {
        each["data"] for each in one["evaluations"]
    }
    assert f"average_precision, {found['data']}" in models("compare", "advertiser", 1, 2).stdout


def test_a_bundle_goes_to_a_file_and_needs_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIQLEADS_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("AIQLEADS_DATABASE_URL", raising=False)
    learnt, file = written(tmp_path / "learnt", made(400, 1)), tmp_path / "new" / "a.model"
    done = _run("train", "advertiser", "--train", learnt, "--output", file, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["file"] == str(file)
    judged = _run("evaluate", "advertiser", "--file", file, "--captures", learnt, "--json")
    assert json.loads(judged.stdout)["version"] is None
    assert _run("evaluate", "advertiser", 1, "--file", file).exit_code == 2
    assert _run("train", "advertiser", "--train", learnt, "--output", tmp_path).exit_code == 2


def test_a_bundle_that_can_not_be_registered_is_kept(
    models: Command, settings: Settings, tmp_path: Path
) -> None:
    learnt = written(tmp_path / "learnt", made(400, 1))
    # A file where the store's folder should be.
    settings.data_dir.mkdir()
    (settings.data_dir / "models").write_text("")
    done = models("train", "advertiser", "--train", learnt, code=1)
    assert "can't be written" in done.stderr
    (kept,) = settings.data_dir.glob("advertiser-*.model")
    assert f"aiqleads models register advertiser {kept}" in " ".join(done.stderr.split())
    (settings.data_dir / "models").unlink()
    models("register", "advertiser", kept)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["advertiser"], 1, "name its folder by --train"),
        (["advertiser", "--train", "."], 1, "can't be read"),
        (["fraud", "--train", "."], 2, "--train means nothing for fraud"),
        (["recommender", "--reviews"], 2, "--reviews/--no-reviews means nothing for recommender"),
        (["value", "--note", "x"], 2, "--note means nothing for value"),
        (["fraud", "--homes", "3"], 2, "greater than or equal to 500"),
        (["everything"], 2, "everything"),
        (["embedder", "--purchases"], 1, "0 pairs to learn from"),
    ],
)
def test_what_can_not_be_trained_is_said(
    models: Command, arguments: list[object], code: int, reason: str
) -> None:
    assert reason in " ".join(models("train", *arguments, code=code).output.split())
    assert answered(models("list", "--json")) == []


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="the extra is there")
def test_a_missing_extra_is_named(models: Command) -> None:
    done = models("train", "embedder", "--homes", 1_000, code=1)
    assert "aiqleads[ml]" in " ".join(done.stderr.split())


# Three worlds are read and four models fitted: half a minute where nothing else runs.
@pytest.mark.timeout(600)
def test_a_listing_model_learns_from_reviewers_and_is_judged_by_them(
    models: Command, settings: Settings
) -> None:
    in_registry(settings, _label)
    done = models("train", "fraud", "--homes", 500, "--json")
    assert "reviewers' decisions of the installation that runs here count too" in done.stderr
    assert "20 leads decided by reviewers; 3 of other features left out" in done.stderr
    version = answered(done)
    assert version["note"] == (
        "sample worlds 101 to 103 of 500 homes and 20 leads decided by reviewers"
    )
    judged = answered(models("evaluate", "fraud", 1, "--homes", 500, "--json"))
    world, reviewers = judged["evaluations"]
    assert world["data"] == "sample world 202 of 500 homes"
    assert 0 < world["metrics"]["average_precision"] <= 1
    assert (reviewers["data"], reviewers["rows"]) == ("reviewers' decisions", 20)
    assert reviewers["note"] == "it has learnt from 20 decisions, perhaps of these"
    assert {"quarantined_scams", "quarantined_honest"} <= reviewers["metrics"].keys()


def test_the_last_word_of_reviewers_on_each_lead_is_learnt(
    models: Command, settings: Settings
) -> None:
    in_registry(settings, _label)
    found = in_registry(settings, lambda pool: model_labels.reviews(pool, SCHEMA))
    assert found.is_scam == [number % 2 == 0 for number in range(20)]
    assert (len(found.features[0]), found.others) == (len(NAMES), 3)
    assert in_registry(settings, lambda pool: model_labels.reviews(pool, SCHEMA + 7)).others == 23


async def _label(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "INSERT INTO markets (market, name, time_zone) VALUES ('austin', 'Austin', 'UTC')"
        " ON CONFLICT DO NOTHING"
    )
    rng = np.random.default_rng(3)
    for number in range(23):
        features = rng.random(len(NAMES)).tolist()
        schema = SCHEMA if number < 20 else SCHEMA + 1
        # A reviewer may change his mind: the last word counts.
        for is_scam in (number % 2 == 1, number % 2 == 0):
            await pool.execute(
                "INSERT INTO fraud_labels (lead_id, market, is_scam, reason, decided_by,"
                " features, feature_schema) VALUES ($1, 'austin', $2, 'seen', 'me', $3, $4)",
                f"lead {number}",
                is_scam,
                features,
                schema,
            )


def test_simulated_buyers_buy_together_as_real_ones_do() -> None:
    homes = sample_homes(3, "austin", 300, lambda known: np.zeros((len(known), 1), np.float32))
    played = play(homes, 20, 3)
    pairs = bought_together(played)
    assert len(pairs) == len(set(pairs)) > 0
    assert all(one < other for one, other in pairs)
    bought = [Event(0.0, "bought", 0, 1), Event(31.0, "bought", 1, 1), Event(31.5, "bought", 2, 1)]
    few = Played(homes, [], [*bought, Event(31.5, "bought", 3, 2)], played.about, played.appeal)
    ids = homes.lead_ids
    assert bought_together(few) == [(min(ids[1], ids[2]), max(ids[1], ids[2]))]


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])
