"""`aiqleads bench`: the benchmarks that come with a checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def benchmark_names() -> list[str]:
    """The modules of `benchmarks/` with options; empty where the program came without them."""
    folder = ROOT / "benchmarks"
    return sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        # The processes that a benchmark starts take no options of their own.
        if "ArgumentParser" in path.read_text()
    )


def run_benchmark(name: str, arguments: Sequence[str]) -> int:
    """Run one to its end, with its own words on standard output; its exit code."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode
