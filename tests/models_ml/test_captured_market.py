"""What the captures say of the comparables: what counts as leaving, a cut, and telling."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models_ml.value.captured_market import SNAPSHOTS, NotMeasured, auc, evaluate_captures
from serve_apps.cli.app import app

DAYS = 60
FIRST = date(2026, 5, 1)


def home(number: int, price: int) -> dict[str, Any]:
    return {
        "url": f"https://example.com/{number}",
        "price_usd": price,
        "sqft": 2_000,
        "beds": 3.0,
        "property_type": "Single Family Residential",
        "lat": 32.841 + number % 100 * 1e-4,
        "lng": -96.70,
    }


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A stock of homes; of the homes that come on day 10 every cheap one leaves after two
    weeks and every dear one's price is cut."""
    folder = tmp_path / SNAPSHOTS
    folder.mkdir(parents=True)
    for day in range(DAYS):
        rows = [home(n, 800_000) for n in range(40)]
        if day >= 10:
            rows += [home(n, 900_000 if day < 20 else 890_000) for n in range(100, 110)]
            rows += [home(n, 700_000) for n in range(200, 210) if day < 24]
        if day >= 40:
            rows.append(home(300, 1))
        text = json.dumps({"listings": rows})
        (folder / f"{FIRST + timedelta(day)}_redfin.json").write_text(text)
    return tmp_path


def test_who_leaves_and_whose_price_is_cut(town: Path) -> None:
    found = evaluate_captures(town)
    assert (found.days, found.seen, found.came, found.compared) == (60, 61, 20, 20)
    assert (found.left.share, found.left.auc) == (0.5, 0.0)
    assert (found.left.cheaper_half, found.left.dearer_half) == (1.0, 0.0)
    assert (found.cut.share, found.cut.auc) == (0.5, 1.0)
    assert found.cut.auc_least <= found.cut.auc <= found.cut.auc_most


def test_chance_is_a_half() -> None:
    assert auc(np.array([1.0, 1.0, 1.0]), np.array([True, False, True])) == 0.5
    with pytest.raises(ValueError, match="all or none"):
        auc(np.array([1.0]), np.array([True]))


def test_without_snapshots_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="dallas_2026"):
        evaluate_captures(tmp_path)
    ended = CliRunner().invoke(app, ["eval", "value", "--captures", str(tmp_path)])
    assert ended.exit_code == 2


def test_the_command_tells_both(town: Path) -> None:
    said = CliRunner().invoke(app, ["eval", "value", "--captures", str(town), "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert found["captured"]["left"]["homes"] == 20
    assert found["metrics"]["gain"] > 0
    shown = CliRunner().invoke(app, ["eval", "value", "--captures", str(town)])
    assert "SIMULATED" in shown.stdout


def test_the_captured_town(captures: Path) -> None:
    if not (captures / SNAPSHOTS).is_dir():
        pytest.skip(f"no {SNAPSHOTS} in the captures")
    found = evaluate_captures(captures)
    assert found.compared > 0.9 * found.came
    assert found.left.auc_least <= found.left.auc <= found.left.auc_most
