"""Training the base value: what is learnt of decisions, and which tables are refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from engine.intake.offer import starting_price
from engine.market.listing import Listing, QualityParts
from models_ml.value import artefact, trials_table
from models_ml.value.comparables import Compared
from models_ml.value.evaluate import losses
from models_ml.value.features import NAMES
from models_ml.value.sample_law import COMPARABLES, EXCLUSIVE, median_values, table_prices
from models_ml.value.sample_trials import (
    DECISIONS_PER_LEAD,
    SampleLeads,
    market_leads,
    sample_decisions,
)
from models_ml.value.train import train
from models_ml.value.trials_table import COLUMNS, Decisions
from models_ml.value.value_model import load
from serve_apps.cli.app import app


def made(leads: int = 600, seed: int = 3, sd: float = 0.3) -> Decisions:
    """Leads worth 20 credits, or 40 if they can be reached; nothing else matters."""
    rng = np.random.default_rng(seed)
    features = rng.random((leads, len(NAMES))).astype(np.float32)
    # Only the quality's parts differ.
    features[:, 5:] = (3, 0, 0, 0, np.log(300_000), 0.5, 0)
    reachable = features[:, NAMES.index("contactability")] > 0.5
    row = np.repeat(np.arange(leads), 6)
    worth = np.log(np.where(reachable, 40.0, 20.0))[row] + rng.standard_normal(len(row)) * sd
    price = np.exp(rng.uniform(np.log(10), np.log(80), len(row)))
    return Decisions(
        lead=np.array([f"l{n}" for n in range(leads)])[row],
        features=features[row],
        price=price,
        bought=worth >= np.log(price),
        weight=np.ones(len(row)),
        table=np.full(len(row), 25.0),
    )


@pytest.fixture(scope="module")
def decisions() -> Decisions:
    return made()


def test_the_median_willingness_to_pay_is_found(decisions: Decisions, tmp_path: Path) -> None:
    trained = train(decisions, trained_on="made", trained_by="a test")
    artefact.write(tmp_path, trained.model, trained.metadata)
    model = load(tmp_path)
    assert model.reason is None
    listings = [
        Listing(
            list_price=300_000,
            quality_parts=QualityParts(
                completeness=0.5,
                freshness=0.5,
                contactability=share,
                motivation=0.5,
                agreement=0.5,
            ),
        )
        for share in (0.2, 0.8)
    ]
    low, high = model.values(
        listings, [3, 3], Compared(np.array([0.5, 0.5]), np.zeros(2, dtype=np.int32))
    )
    assert low == pytest.approx(20_000, rel=0.12)
    assert high == pytest.approx(40_000, rel=0.12)
    assert trained.metadata.buyer_sd == pytest.approx(0.3, abs=0.051)
    assert trained.outcome.gain[1] > 0
    assert trained.outcome.off < 0.06
    assert trained.metadata.trained_on == "made"
    assert trained.metadata.training_sha256 == decisions.digest()


def test_training_repeats(decisions: Decisions) -> None:
    one, other = (train(decisions, trained_on="x", trained_by="y") for _ in range(2))
    assert one.model == other.model
    assert one.metadata == other.metadata


def test_too_little_is_refused(decisions: Decisions) -> None:
    few = decisions.rows(np.isin(decisions.lead, [f"l{n}" for n in range(150)]))
    with pytest.raises(ValueError, match="200 leads"):
        train(few, trained_on="x", trained_by="y")
    with pytest.raises(ValueError, match="all alike"):
        train(
            decisions._replace(bought=np.ones_like(decisions.bought)),
            trained_on="x",
            trained_by="y",
        )


def test_a_sure_loss_is_small_and_a_wrong_one_large(decisions: Decisions) -> None:
    two = decisions.rows(np.arange(len(decisions.price)) < 2)._replace(
        bought=np.array([True, False])
    )
    assert losses(np.array([9.0, -9.0]), two).max() < 1e-6
    assert losses(np.array([-40.0, 40.0]), two).min() > 100


# --- tables -----------------------------------------------------------------------------


def row(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(NAMES, 0.5)
    return found | {"lead": "l", "price": 20, "bought": 1, "weight": 1, "table": 22} | changes


def test_a_table_reads_as_it_was_written(decisions: Decisions, tmp_path: Path) -> None:
    features = decisions.features.copy()
    features[::7, 4] = np.nan
    written = decisions._replace(features=features)
    trials_table.write(tmp_path / "t.jsonl", written)
    found = trials_table.read(tmp_path / "t.jsonl")
    assert (found.lead == written.lead).all()
    assert (found.price == written.price).all()
    assert (found.bought == written.bought).all()
    np.testing.assert_allclose(found.features, written.features, atol=1e-6)


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    rows = [row(), row(lead="m", agreement=None, bought=0)]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(each) for each in rows))
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    one, other = (trials_table.read(tmp_path / name) for name in ("t.jsonl", "t.csv"))
    assert one.digest() == other.digest()
    assert np.isnan(one.features[1, NAMES.index("agreement")])


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (row(price=0), "row 2: price is 0"),
        (row(price=None), "row 2: price is empty"),
        (row(bought=2), "row 2: bought is 2"),
        (row(weight=-1), "row 2: weight is -1"),
        (row(freshness="x"), "row 2: could not convert"),
        (row(table=float("inf")), "row 2: table is inf"),
        ({"lead": "l"}, "row 2 has no 'price'"),
    ],
)
def test_what_can_t_be_is_named(bad: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match="row 2") as refused:
        trials_table.of_rows([row(), bad])
    assert str(refused.value).startswith(named)


def test_an_empty_or_endless_table_is_refused(tmp_path: Path) -> None:
    for text, named in (("", "no decision"), ("[1]\n", "no object"), ("x" * 70_000, "longer")):
        (tmp_path / "t.jsonl").write_text(text)
        with pytest.raises(ValueError, match=named):
            trials_table.read(tmp_path / "t.jsonl")


# --- the sample world's decisions -------------------------------------------------------


def test_the_law_has_the_tables_level_and_its_own_shape() -> None:
    parts = QualityParts(completeness=0.8, freshness=0.5, contactability=0.5)
    base = Listing(
        quality=0.6, list_price=300_000, property_type="Residential", quality_parts=parts
    )
    reachable = msgspec.structs.replace(
        base, quality_parts=msgspec.structs.replace(parts, contactability=1.0)
    )
    listings, seats = [base, base, reachable, base], [3, 1, 3, 3]
    compared = Compared(np.array([0.0, 0.0, 0.0, -0.2]), np.full(4, 9, dtype=np.int32))
    values = median_values(listings, seats, compared)
    tables = table_prices(listings, seats)
    assert np.mean(np.log(values / tables)) == pytest.approx(0)
    assert values[1] / values[0] == pytest.approx(EXCLUSIVE)
    assert values[2] > values[0]
    assert values[3] / values[0] == pytest.approx(np.exp(COMPARABLES * 0.2))
    assert tables[0] == starting_price(base, 3)
    with pytest.raises(ValueError, match="parts"):
        median_values([Listing()], [1], Compared.unknown(1))


@pytest.fixture(scope="module")
def austin() -> SampleLeads:
    return market_leads(4, 240, "austin")


def test_a_sample_market_has_what_the_model_looks_at(austin: SampleLeads) -> None:
    assert len(austin.lead_ids) == 60
    parts = [listing.quality_parts for listing in austin.listings]
    assert all(part is not None for part in parts)
    assert len({part.freshness for part in parts if part is not None}) > 10
    assert any(part.motivation > 0 for part in parts if part is not None)
    assert set(austin.max_buyers) == {1, 3}
    found = sample_decisions(austin, np.random.default_rng(1))
    decisions = found.decisions
    assert len(decisions.price) == 60 * DECISIONS_PER_LEAD == len(found.truth)
    assert 0.3 < decisions.bought.mean() < 0.7
    assert decisions.bought[decisions.price < found.truth / 2].mean() > 0.9
    assert decisions.bought[decisions.price > found.truth * 2].mean() < 0.1


def test_the_command_trains_on_a_table(decisions: Decisions, tmp_path: Path) -> None:
    table, folder = tmp_path / "trials.jsonl", tmp_path / "model"
    trials_table.write(table, decisions)
    arguments = ["models", "train", "value", "--trials", str(table), "--output", str(folder)]
    ended = CliRunner().invoke(app, [*arguments, "--json"])
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.stdout)
    assert said["metrics"]["log_loss"] < said["metrics"]["table_log_loss"]
    model = load(folder)
    assert model.metadata is not None
    assert model.metadata.trained_on == "recorded decisions"
    assert str(tmp_path) not in model.metadata.trained_by
    shown = CliRunner().invoke(app, arguments[:5])
    assert "predicted" in shown.stdout
    table.write_text("{}\n")
    failed = CliRunner().invoke(app, arguments)
    assert failed.exit_code == 1
    assert "row 1 has no 'lead'" in failed.stderr
