"""`aiqleads eval fraud` on folders that hold one part, another, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets
from models_ml.fraud.evaluate import Outcome
from models_ml.fraud.listing_evaluate import OWN, ListingOutcome
from models_ml.fraud.scores import Interval, Scores
from serve_apps.cli.app import app
from serve_apps.cli.captured_fraud import CapturedFraud, OfSource
from serve_apps.cli.fraud_report import as_json, as_markdown
from serve_apps.cli.fraud_trial import FraudTrial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captured listings, and no labelled table."""
    found = tmp_path_factory.mktemp("captures")
    world = SampleWorld(5, 60, [load_markets()["austin"]])
    for source in ("zillow", "redfin"):
        (found / source).mkdir()
        for name, _, content in world.documents(source, "austin"):
            (found / source / Path(name).name).write_bytes(content)
    return found


def told(*arguments: str) -> tuple[int, dict[str, Any], str]:
    found = CliRunner().invoke(app, ["eval", "fraud", *arguments, "--json"])
    return found.exit_code, json.loads(found.stdout) if found.stdout else {}, found.stderr


def test_captured_listings_are_judged_by_the_packaged_model(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    code, found, _ = told("--captures", str(folder), "--part", "captured", "--report", str(report))
    captured = found["captured"]
    assert code == (0 if captured["passed"] else 1)
    assert captured["leads"] >= 20
    assert sum(each["leads"] for each in captured["sources"]) == captured["leads"]
    assert captured["quarantined"] == sum(each["quarantined"] for each in captured["sources"])
    assert "| zillow |" in report.read_text()
    assert found["advertisers"] is found["listings"] is None


def test_a_folder_without_the_table_says_so_and_measures_the_rest(folder: Path) -> None:
    code, found, said = told(
        "--captures", str(folder), "--part", "captured", "--part", "advertisers"
    )
    assert code == (0 if found["passed"] else 1)
    assert "rental_scam_labels.csv" in found["not_measured"]["advertisers"]
    assert "rental_scam_labels.csv" in said
    assert found["captured"]["leads"] >= 20


def test_a_folder_with_neither_is_refused_before_the_long_part(tmp_path: Path) -> None:
    code, _, said = told("--captures", str(tmp_path))
    assert code == 2
    assert "rental_scam_labels.csv" in said
    assert "no listing that is on offer" in said


def scored(precision: float, recall: float = 0.9) -> dict[str, Scores]:
    row = Scores(Interval(precision, 0, 1), Interval(recall, 0, 1), 0.01, 0.02)
    return {OWN: row, "advertiser model": row}


def trial(advertisers: float, listings: float, quarantined: int) -> FraudTrial:
    return FraudTrial(
        Outcome("so", 9, 3, 0, scored(advertisers), [], [], [], None),
        None,
        ListingOutcome(9, 3, 9, 3, scored(listings), [], [], [], [(0.9, "clone", ["why"])], None),
        CapturedFraud(10_000, 7, quarantined, (7, quarantined), (0, 0),
                      [OfSource("zillow", 10_000, 7, quarantined)], {}, {"its price": 7}, []),
        {},
        12.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("advertisers", "listings", "quarantined", "passed"),
    [
        (0.8, 0.95, 10, True),
        (0.79, 0.95, 10, False),
        (0.8, 0.9499, 10, False),
        (0.8, 0.95, 11, False),
    ],
)
def test_each_threshold_fails_the_whole(
    advertisers: float, listings: float, quarantined: int, passed: bool
) -> None:
    found = trial(advertisers, listings, quarantined)
    assert found.passed is passed
    assert as_json(found)["passed"] is passed
    assert ("A threshold was missed" in as_markdown(found)) is not passed
    assert "## Listings" in as_markdown(found)
    json.dumps(as_json(found))
