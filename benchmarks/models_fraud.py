"""Fraud scoring in micro-batches through the deployment, against single-row calls.

    python -m benchmarks.models_fraud [--seconds 9] [--callers 64] [--rounds 3]

One Ray with one replica of the fraud application, and a model of a usual size (200 trees of depth
6, 40 features). Three sides take turns in the same run:

| side | what each call does |
|---|---|
| `single` | one row, scored alone: a replica without batching, one call after the other |
| `batched` | the same calls, as the application takes them: together, 256 rows or 2 ms |
| `turns` | 64 rows in one call, as the intake asks |

Shown are rows per second, the time of a call, the ratio to `single`, and what batching adds to the
p99 of a lone caller. `aim` is ten times the throughput and 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FEATURES = tuple(f"f{number}" for number in range(40))
TREES, DEPTH = 200, 6
TURN_ROWS = 64
AIM_RATIO, AIM_ADDED_MS = 10.0, 5.0


class Measured(NamedTuple):
    rows: int
    seconds: float
    milliseconds: list[float]

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.milliseconds, share))


def trained() -> bytes:
    """Trees as XGBoost stores them; what they say does not matter here."""
    import xgboost

    chance = np.random.default_rng(5)
    rows = chance.normal(size=(8_000, len(FEATURES))).astype(np.float32)
    labels = (rows[:, :6].sum(axis=1) + chance.normal(size=len(rows)) > 4).astype(np.float32)
    matrix = xgboost.DMatrix(rows, labels, feature_names=list(FEATURES))
    options = {"max_depth": DEPTH, "objective": "binary:logistic", "min_child_weight": 0}
    return bytes(xgboost.train(options, matrix, TREES).save_raw("json"))


async def drive(
    call: Callable[[int], Awaitable[Any]], callers: int, rows: int, seconds: float
) -> Measured:
    """So many callers ask one after the other for this long; failures end the run."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        while time.perf_counter() < until:
            started = time.perf_counter()
            await call(number)
            times.append((time.perf_counter() - started) * 1e3)

    started = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return Measured(rows * len(times), time.perf_counter() - started, times)


async def measure(seconds: float, callers: int, rounds: int) -> None:
    from ray import serve

    from actors.served_models import ServedApp, ServedFraudScorer

    batched = ServedFraudScorer(ServedApp("fraud", 30.0))
    alone = await asyncio.to_thread(serve.get_app_handle, "single")
    chance = np.random.default_rng(6)
    one = chance.normal(size=(1, len(FEATURES))).astype(np.float32)
    turn = chance.normal(size=(TURN_ROWS, len(FEATURES))).astype(np.float32)
    turn_ids = [f"lead {number}" for number in range(TURN_ROWS)]

    async def single(_: int) -> None:
        await alone.score.remote(one)

    async def together(number: int) -> None:
        await batched.score([f"lead {number}"], one, {})

    async def in_turns(_: int) -> None:
        await batched.score(turn_ids, turn, {})

    sides: dict[str, tuple[Callable[[int], Awaitable[Any]], int, int]] = {
        "single": (single, callers, 1),
        "batched": (together, callers, 1),
        "turns": (in_turns, 4, TURN_ROWS),
        "single, one caller": (single, 1, 1),
        "batched, one caller": (together, 1, 1),
    }
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for call, count, rows in sides.values():
        await drive(call, count, rows, 1.0)
    for _ in range(rounds):
        for name, (call, count, rows) in sides.items():
            found[name].append(await drive(call, count, rows, seconds / rounds))
    print("| side | rows/s | p50 ms | p99 ms | to single |\n|---|---|---|---|---|")
    rates = {
        name: statistics.median(each.rows / each.seconds for each in runs)
        for name, runs in found.items()
    }
    for name, runs in found.items():
        p50, p99 = (statistics.median(each.quantile(q) for each in runs) for q in (0.5, 0.99))
        ratio = rates[name] / rates["single"]
        print(f"| {name} | {rates[name]:,.0f} | {p50:.2f} | {p99:.2f} | {ratio:.1f} |")
    added = statistics.median(
        pair[0].quantile(0.99) - pair[1].quantile(0.99)
        for pair in zip(found["batched, one caller"], found["single, one caller"], strict=True)
    )
    ratio = rates["turns"] / rates["single"]
    print(f"\nthroughput {ratio:.1f} times single rows (aim {AIM_RATIO:.0f}),")
    print(f"p99 of a lone caller {added:+.2f} ms by waiting for company (aim {AIM_ADDED_MS:.0f})")


def model_only(content: bytes, rows: int = 256) -> None:
    """The model without any calls: what batching is worth to it, at most."""
    from models_ml.artefact import loaded

    booster = loaded(content, FEATURES, "model.json")
    chance = np.random.default_rng(6).normal(size=(rows, len(FEATURES))).astype(np.float32)
    times = {}
    for size in (1, rows):
        part, count = chance[:size], 400 if size == 1 else 50
        booster.inplace_predict(part)
        started = time.perf_counter()
        for _ in range(count):
            booster.inplace_predict(part)
        times[size] = (time.perf_counter() - started) / count / size * 1e6
    alone, together = times[1], times[rows]
    print(f"model alone: {alone:.0f} µs a row singly, {together:.1f} µs in {rows}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=9.0, help="of each side")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    content = trained()
    model_only(content)
    with private_ray() as folder:
        from ray import serve
        from ray.serve.config import ProxyLocation

        from benchmarks.models_fraud_apps import batched_app, single_app

        (folder / "model.json").write_bytes(content)
        serve.start(proxy_location=ProxyLocation.Disabled)
        serve.run(single_app(str(folder / "model.json")), name="single", route_prefix=None)
        serve.run(batched_app(str(folder / "model.json")), name="fraud", route_prefix=None)
        asyncio.run(measure(arguments.seconds, arguments.callers, arguments.rounds))
        memory()
        serve.shutdown()


def memory() -> None:
    """Of the replicas' processes, resident."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        title = " ".join(process.cmdline())[:60]
        if "ServeReplica" in title:
            print(f"{title.strip()}: {process.memory_info().rss / 1e6:.0f} MB")


class private_ray:
    """A Ray of its own in a folder of its own, on loopback, gone at the end."""

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp(prefix="aiq-bench-"))
        os.environ |= {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_AUTH_TOKEN_PATH": str(self._folder / "token"),
            "RAY_AUTH_MODE": "token",
            "RAY_worker_niceness": "0",
        }
        (self._folder / "token").write_text(secrets.token_hex(32))
        import ray

        ray.init(
            num_cpus=2,
            object_store_memory=80 * 1024 * 1024,
            include_dashboard=False,
            namespace="aiqleads",
            log_to_driver=False,
            configure_logging=False,
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[1])}},
            _node_ip_address="127.0.0.1",
            _temp_dir=str(self._folder / "ray"),
        )
        return self._folder

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


if __name__ == "__main__":
    main()
