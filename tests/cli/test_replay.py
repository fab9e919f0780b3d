"""`aiqleads replay` on a recorded market."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from engine.intake.offer import starting_price
from engine.market import events as e
from engine.market.listing import Listing
from engine.market.pricing.parts import HOUR_US
from serve_apps.cli.app import app

NOW = 1_800_000_000_000_000
LISTING = Listing(list_price=600_000, quality=0.8, property_type="Residential")
PRICE = starting_price(LISTING, 3)


async def _record(database_url: str) -> str:
    market = f"m-{secrets.token_hex(4)}"
    happened = [
        (e.LeadListed("lead", PRICE, 3, LISTING), NOW),
        (e.LeadSold("lead", "ann", 1, PRICE, "o1"), NOW + 1),
        (e.LeadSold("lead", "bob", 2, PRICE, "o2"), NOW + 30 * 24 * HOUR_US),
    ]
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO markets (market, name, time_zone, position) VALUES ($1, $1, 'UTC', 3)", market
    )
    for position, (event, at) in enumerate(happened, start=1):
        await connection.execute(
            "INSERT INTO market_events (market, position, at, lead_id, event)"
            " VALUES ($1, $2, $3, 'lead', $4)",
            *(market, position, at, msgspec.json.encode(event).decode()),
        )
    await connection.close()
    return market


@pytest.fixture
def market(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> str:
    monkeypatch.setenv("AIQLEADS_DATABASE_URL", database_url)
    monkeypatch.setenv("AIQLEADS_DATA_DIR", str(tmp_path_factory.mktemp("data")))
    return asyncio.run(_record(database_url))


def test_what_would_have_changed(market: str) -> None:
    asked = ["replay", "--policy", "decay@1", "--market", market, "--every", "60"]
    answered = CliRunner().invoke(app, [*asked, "--json"])
    assert answered.exit_code == 0, answered.output
    (found,) = json.loads(answered.stdout)["markets"]
    assert found["journal_entries"] == 3
    assert found["changes"]["recorded"] == 0
    assert found["changes"]["replayed"] > 3
    assert (found["sales"]["same"], found["sales"]["lower"]) == (1, 1)
    assert found["mean_price"]["replayed"] < found["mean_price"]["recorded"] == PRICE
    (lead,) = found["leads"]
    assert lead["difference"] < 0
    assert [point["price"] for point in lead["recorded"]] == [PRICE]
    told = CliRunner().invoke(app, asked, env={"COLUMNS": "300"})
    assert told.exit_code == 0
    assert market in told.stdout


def test_policies_and_markets_nobody_knows(market: str) -> None:
    for asked in (["--policy", "wild@1"], ["--policy", "decay@1", "--market", "nowhere"]):
        assert CliRunner().invoke(app, ["replay", *asked]).exit_code == 2


def test_decisions_become_a_table(market: str, tmp_path: Path) -> None:
    asked = ["models", "trials", "--market", market, "--output", str(tmp_path / "t.jsonl")]
    answered = CliRunner().invoke(app, asked)
    assert answered.exit_code == 0, answered.output
    # Nobody knows of these two buyers, so nothing they decide counts.
    assert "0 decisions" in answered.stderr
    assert (tmp_path / "t.jsonl").read_text() == ""
    failed = CliRunner().invoke(app, [*asked, "--market", "atlantis"])
    assert failed.exit_code == 1
    assert "no market atlantis" in failed.stderr
