"""`python -m tests.simulation --runs 10000 [--seed N] [--jobs 2]`; `--seed N --trace` shows one."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from tests.simulation.run import Result, run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="how many seeds to run")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in")
    parser.add_argument("--trace", action="store_true", help="print what happened in the run")
    options = parser.parse_args(arguments)
    if options.trace:
        return _show(run(options.seed, trace=True))
    return _run_many(range(options.seed, options.seed + options.runs), options.jobs)


def _show(result: Result) -> int:
    print(*result.trace, sep="\n")
    print(f"\nseed {result.seed}: digest {result.digest}, {result.counts}")
    for violation in result.violations:
        print(f"VIOLATION: {violation}")
    return 1 if result.violations else 0


def _run_many(seeds: range, jobs: int) -> int:
    began = time.perf_counter()
    counts: Counter[str] = Counter()
    failed: list[int] = []
    with multiprocessing.Pool(jobs) as pool:
        for done, result in enumerate(pool.imap_unordered(run, seeds, chunksize=20), 1):
            counts.update(result.counts)
            if result.violations:
                failed.append(result.seed)
                print(f"seed {result.seed}: {result.violations[0]}", flush=True)
            if done % 1000 == 0:
                print(f"{done} runs, {len(failed)} failed", flush=True)
    seconds = time.perf_counter() - began
    print(f"{len(seeds)} runs in {seconds:.0f} s, {1000 * seconds / len(seeds):.1f} ms each")
    print(", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items())))
    if failed:
        print(f"FAILED: {len(failed)}. See one with --seed {min(failed)} --trace")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
