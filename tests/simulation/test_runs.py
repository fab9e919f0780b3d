"""Seeded runs of a whole installation: whatever struck them, what was promised is kept.

AIQLEADS_SIMULATED_RUNS says how many. `python -m tests.simulation --runs 10000 --jobs 2` runs
more without pytest, and `--seed N --trace` shows what happened in one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.run import run
from tests.simulation.weather import STRUCK

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("AIQLEADS_SIMULATED_RUNS", "100"))
# A run takes some 0.1 s, on a busy machine more.
SECONDS_A_RUN = 2


@pytest.mark.timeout(60 + SECONDS_A_RUN * RUNS)
def test_seeded_runs() -> None:
    counts: Counter[str] = Counter()
    failed = []
    for seed in range(RUNS):
        result = run(seed)
        counts.update(result.counts)
        if result.violations:
            failed.append(f"seed {seed}: {result.violations[0]}")
    assert not failed, "\n".join(failed)
    if RUNS >= 100:
        # Or the runs would say little.
        wanted = {*STRUCK, "orders", "contests", "standing orders", "recovered checkouts"}
        assert {name for name in wanted if not counts[name]} == set()
        assert counts["orders"] > 5 * RUNS


def test_a_seed_gives_the_same_run_again() -> None:
    """In this process and in another, where sets and dicts of strings are in another order."""
    first, again = run(7, trace=True), run(7, trace=True)
    assert first.trace == again.trace
    assert first.digest == again.digest == run(7).digest
    assert run(8).digest != first.digest
    script = "from tests.simulation.run import run; print(run(7).digest)"
    for hash_seed in ("1", "2"):
        elsewhere = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert elsewhere.stdout.strip() == first.digest


def test_one_command_runs_many_seeds_or_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "4", "--seed", "20", "--jobs", "2"]) == 0
    assert "4 runs in" in capsys.readouterr().out
    assert main(["--seed", "21", "--trace"]) == 0
    shown = capsys.readouterr().out
    assert "all is well again" in shown
    assert f"seed 21: digest {run(21).digest}" in shown
