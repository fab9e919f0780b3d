"""The audit of runs catches installations with one thing wrong, each for what is wrong."""

from __future__ import annotations

import secrets

import pytest

from serve_apps.api import checkout
from tests.simulation import checkouts
from tests.simulation.hosts import Parts
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run

SEEDS = 120


def caught(parts: Parts, said: str) -> bool:
    return any(
        said in violation for seed in range(SEEDS) for violation in run(seed, parts).violations
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_the_audit_catches(name: str) -> None:
    parts, said = MUTANTS[name]
    assert caught(parts, said), f"{SEEDS} runs did not tell {name} from what is right"


def test_the_audit_catches_checkouts_that_ask_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "_command_id", lambda *_: secrets.token_bytes(16))
    assert caught(Parts(), "was sold, and nobody was told")


def test_the_audit_catches_checkouts_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkouts, "RECOVERED_AFTER", 1e9)
    assert caught(Parts(), "was never finished")
