"""Intervals, recovery, targets, and what the command says and writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models_ml.pricing.simulation.figures import recovery_hours
from models_ml.pricing.simulation.intervals import estimate, student_975
from models_ml.pricing.simulation.terms import Shock
from serve_apps.cli.app import app

FEW = ["--leads", "90", "--days", "14", "--processes", "1", "--seeds", "2"]
CHEAP = ["--policies", "fixed,decay@1,clairvoyant"]


@pytest.mark.parametrize(
    ("freedom", "point"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (9, 2.262), (30, 2.042)]
)
def test_students_points(freedom: int, point: float) -> None:
    assert student_975(freedom) == pytest.approx(point, rel=0.01)


def test_an_interval_holds_what_it_should() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(2_000):
        found = estimate(rng.normal(0.9, 0.05, 6).tolist())
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.9 <= found.high
    assert held / 2_000 == pytest.approx(0.95, abs=0.015)
    assert estimate([0.5]).low is None
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_recovery_is_to_the_best_prices() -> None:
    errors = np.full(400, 0.02)
    errors[240:270] = np.linspace(0.4, 0.02, 30)
    shock = Shock(day=10, until_day=20, level=-0.3)
    hours = recovery_hours(errors, shock)
    assert hours is not None
    assert 20 <= hours <= 30
    errors[240:] = 0.4
    assert recovery_hours(errors, shock) is None


def test_the_command_compares_and_draws(tmp_path: Path) -> None:
    page, report = tmp_path / "page.html", tmp_path / "report.md"
    result = CliRunner().invoke(
        app, ["simulate", *FEW, *CHEAP, "--out", str(page), "--report", str(report), "--json"]
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    (scenario,) = answer["scenarios"]
    assert scenario["scenario"] == "stationary"
    assert [each["policy"] for each in scenario["policies"]] == CHEAP[1].split(",")
    by_name = {each["policy"]: each for each in scenario["policies"]}
    assert by_name["clairvoyant"]["to_clairvoyant"]["mean"] == 1.0
    assert by_name["fixed"]["to_clairvoyant"]["mean"] < 1.0
    assert page.read_text().count("<polyline") == 5
    assert "<script" not in page.read_text()
    assert "| fixed |" in report.read_text()


def test_the_command_checks_targets_and_names() -> None:
    run = CliRunner().invoke
    assert run(app, ["simulate", *FEW, "--policies", "best"]).exit_code == 2
    assert run(app, ["simulate", "--days", "9"]).exit_code == 2
    shown = run(app, ["simulate", *FEW, "--policies", "fixed,clairvoyant", "--check"])
    assert shown.exit_code == 0
    assert "clairvoyant" in shown.output
