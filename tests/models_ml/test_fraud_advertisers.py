"""The advertiser model: what it reads, what it must not see, and what the command says."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from models_ml.artefact import Unusable
from models_ml.fraud.advertisements import (
    TABLE,
    Advertisement,
    Labelled,
    NotMeasured,
    labelled,
    parts,
    read,
)
from models_ml.fraud.advertiser_features import NAMES, feature_matrix, is_free_mail, out_of_fold
from models_ml.fraud.advertiser_model import AdvertiserModel, load, write
from models_ml.fraud.advertiser_rules import holding
from models_ml.fraud.advertiser_train import Trained, train
from models_ml.fraud.knowledge import learn
from models_ml.fraud.scores import calibration_error, curve, scores
from serve_apps.cli.app import app


def made(count: int, seed: int, salt: str = "") -> list[dict[str, str]]:
    """Scammers log in from elsewhere to thin profiles; one in twenty can't be told."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        scam = rng.random() < 0.15
        shows = scam != (rng.random() < 0.05)
        rows.append({
            "LISTING_KIND": str(rng.integers(0, 3)),
            "LISTING_CITY": str(rng.choice(["Rotterdam", "Berlin", "Milan"])),
            "LISTING_PRICE": str(600.0 if shows else round(float(rng.uniform(300, 900)), 2)),
            "IS_ARCHIVED": str(scam),
            "ARCHIVE_REASON": "scam" if scam else "",
            "LOGIN_COUNTRY_CODE": "us" if shows else "nl",
            "LISTING_COUNTRY_CODE": "nl",
            "LISTING_REGISTRATION_POSSIBLE": str(rng.integers(0, 2)),
            "ADVERTISER_COMPLETENESS_SCORE": str(rng.integers(0, 30) if shows else 70),
            "MANAGED_ACCOUNT": "False",
            "HAS_PROFILE_PIC": "0" if shows else "1",
            "BROWSER": "" if shows else "Chrome",
            "OS": "" if shows else "Windows",
            "IS_SCAMMER": str(int(scam)),
            "ADVERTISER_KEY": f"{salt}{number // 2}",
            "EMAIL_DOMAIN": "gmail.com" if shows else "arthouse.eu",
        })  # fmt: skip
    return rows


def written(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / TABLE
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def data() -> Labelled:
    return labelled(made(500, 1))


@pytest.fixture(scope="module")
def trained(data: Labelled) -> Trained:
    return train(data)


def test_what_was_written_after_the_verdict_is_not_looked_at(data: Labelled) -> None:
    rows = made(500, 1)
    for row in rows:
        row["IS_ARCHIVED"], row["ARCHIVE_REASON"] = "True", "other"
    assert labelled(rows).digest() == data.digest()


def test_an_own_label_is_no_part_of_an_own_feature(data: Labelled) -> None:
    turned = data.scam.copy()
    mine = data.advertiser == data.advertiser[7]
    turned[mine] = ~turned[mine]
    other = out_of_fold(Labelled(data.advertisements, turned, data.advertiser))
    np.testing.assert_array_equal(other[mine], out_of_fold(data)[mine])


def test_folds_never_part_an_advertiser(data: Labelled) -> None:
    fold = parts(data.advertiser, 5, "judging")
    homes = {(str(key), int(number)) for key, number in zip(data.advertiser, fold, strict=True)}
    assert len(homes) == len(np.unique(data.advertiser))


def test_odd_and_unseen_values_are_taken(data: Labelled, trained: Trained) -> None:
    nan = float("nan")
    odd = Advertisement("9", "nowhere", nan, "", "zz", nan, nan, nan, nan, "lynx", "plan 9", "")
    model = AdvertiserModel(*trained)
    assert 0 <= model.probabilities([odd])[0] <= 1
    assert feature_matrix([], trained.metadata.knowledge).shape == (0, len(NAMES))
    row = made(1, 3)[0] | {"LISTING_PRICE": "inf", "ADVERTISER_COMPLETENESS_SCORE": "many"}
    with pytest.raises(NotMeasured, match="both kinds"):
        labelled([row])
    with pytest.raises(NotMeasured, match="IS_SCAMMER"):
        labelled([row | {"IS_SCAMMER": "perhaps"}])
    with pytest.raises(NotMeasured, match="BROWSER"):
        labelled([{k: v for k, v in row.items() if k != "BROWSER"}])


def test_serving_answers_as_training_did(data: Labelled, trained: Trained, tmp_path: Path) -> None:
    write(tmp_path, *trained)
    model = load(tmp_path)
    found = model.probabilities(data.advertisements)
    np.testing.assert_array_equal(found, AdvertiserModel(*trained).probabilities(
        data.advertisements))  # fmt: skip
    others = labelled(made(400, 2, "other"))
    told = scores(others.scam, model.probabilities(others.advertisements), others.advertiser,
                  probability=True)  # fmt: skip
    assert told.precision.value > 0.6
    assert told.precision.least <= told.precision.value <= told.precision.most
    assert told.error is not None
    assert told.error < 0.08
    reasons = model.reasons(others.advertisements[:2], most=2)
    assert [len(each) for each in reasons] == [2, 2]
    assert reasons[0][0].endswith("suspicion")


def test_the_same_table_makes_the_same_model(data: Labelled, trained: Trained) -> None:
    assert train(data) == trained


def test_what_was_changed_is_refused(trained: Trained, tmp_path: Path) -> None:
    model, metadata = trained
    with pytest.raises(Unusable, match="not the file"):
        AdvertiserModel(model + b" ", metadata)
    with pytest.raises(Unusable, match="schema"):
        AdvertiserModel(model, msgspec.structs.replace(metadata, schema=99))
    with pytest.raises(Unusable, match="calibration"):
        AdvertiserModel(model, msgspec.structs.replace(metadata, slope=-1.0))
    emptied = msgspec.structs.replace(metadata.knowledge, scams={})
    with pytest.raises(Unusable, match="known"):
        AdvertiserModel(model, msgspec.structs.replace(metadata, knowledge=emptied))
    nothing: dict[str, dict[str, int]] = {facet: {} for facet in metadata.knowledge.seen}
    lying = msgspec.structs.replace(metadata.knowledge, seen=nothing)
    with pytest.raises(Unusable, match="more scams"):
        AdvertiserModel(model, msgspec.structs.replace(metadata, knowledge=lying))
    with pytest.raises(Unusable, match="can't be read"):
        load(tmp_path)


def test_rules_say_their_names(data: Labelled) -> None:
    thin = Advertisement("1", "x", 600.0, "us", "nl", 0, 10, 0, 0, "", "", "gmail.com")
    assert [rule.name for rule in holding(thin)] == [
        "session-elsewhere", "bare-profile", "no-picture", "no-browser", "free-mail", "round-rent"
    ]  # fmt: skip
    assert holding(thin._replace(is_managed=1.0)) == ()
    full = thin._replace(login_country="nl", completeness=90, has_picture=1, browser="x",
                         mail_domain="arthouse.eu", price=612.5)  # fmt: skip
    assert holding(full) == ()
    assert is_free_mail("hotmail.co.uk")


def test_figures_of_a_ranking() -> None:
    scam = np.array([True, False, True, False])
    ones = np.ones(4)
    # Average precision (1/1 + 2/3) / 2; one of two before the first false alarm.
    precision, recall = curve(scam, np.array([0.9, 0.8, 0.7, 0.1]), ones)
    assert (round(precision, 4), recall) == (0.8333, 0.5)
    # Equal scores are no order.
    assert curve(scam, np.zeros(4), ones) == (0.5, 0.0)
    assert calibration_error(scam, np.full(4, 0.5)) == 0.5


def test_prices_are_held_against_what_is_usual(data: Labelled) -> None:
    knowledge = learn(data.advertisements, data.scam)
    column = NAMES.index("price_to_usual")
    one = data.advertisements[0]
    dear, cheap = feature_matrix([one._replace(price=2000.0), one._replace(price=100.0)], knowledge)
    assert dear[column] > 0 > cheap[column]


def test_the_command_scores_other_advertisers(tmp_path: Path) -> None:
    learnt = written(tmp_path / "learnt", made(400, 1))
    rows = made(300, 2, "other") + made(4, 1)
    other = written(tmp_path / "other", rows)
    report, model = tmp_path / "report.md", tmp_path / "model"
    arguments = ["eval", "fraud", "--part", "advertisers", "--json"]
    arguments += ["--train", str(learnt), "--captures", str(other)]
    found = CliRunner().invoke(app, [*arguments, "--report", str(report), "--model", str(model)])
    told = json.loads(found.stdout)
    assert found.exit_code == (0 if told["passed"] else 1)
    assert told["passed"] == told["advertisers"]["passed"]
    assert (told["advertisers"]["rows"], told["advertisers"]["overlap"]) == (300, 4)
    assert told["listings"] is told["captured"] is None
    assert "| advertiser model |" in report.read_text()
    assert load(model).metadata.rows == 400


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["eval", "fraud", "--captures", str(tmp_path)])
    assert found.exit_code == 2
    assert "rental_scam_labels.csv" in found.output
    assert "no listing that is on offer" in found.output


def test_the_labelled_table_is_read() -> None:
    folder = os.environ.get("AIQLEADS_CAPTURES")
    if folder is None or not (Path(folder) / TABLE).is_file():
        pytest.skip("AIQLEADS_CAPTURES names no folder with the labelled table")
    table = read(Path(folder))
    assert 0.01 < table.scam.mean() < 0.2
