"""Three ways to give a served model another version while it is asked: the application run again,
the same with another `user_config`, and a replica that follows by itself, as the product's do.

    python -m benchmarks.models_swaps

The model takes a second to load. Callers ask without a pause; shown are the calls that failed,
the longest call, how long after the wish the last answer of the old version came, and what
answers in the end; each way once with a version that is good and once with one that is not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from typing import Any

import ray
from ray import serve
from ray.serve.config import ProxyLocation

CALLERS = 8
LOAD_SECONDS = 1.0
GOOD, BAD = 2, 3
SETTLE_SECONDS = 10.0


def load(version: int) -> int:
    time.sleep(LOAD_SECONDS)
    if version == BAD:
        raise ValueError("it is spoilt")
    return version


@serve.deployment(max_ongoing_requests=64, graceful_shutdown_timeout_s=5)
class Model:
    def __init__(self, version: int) -> None:
        self.version = load(version)

    async def reconfigure(self, config: dict[str, int]) -> None:
        if "version" in config:
            self.version = await asyncio.to_thread(load, config["version"])

    async def follow(self, version: int) -> None:
        with contextlib.suppress(ValueError):
            self.version = await asyncio.to_thread(load, version)

    async def ask(self) -> int:
        return self.version


class Load:
    def __init__(self) -> None:
        self.handle = serve.get_app_handle("model")
        self.calls, self.failed, self.longest, self.last_old = 0, 0, 0.0, 0.0
        self.newest: int | None = None

    async def ask(self, end: asyncio.Event) -> None:
        while not end.is_set():
            started = time.monotonic()
            try:
                async with asyncio.timeout(5.0):
                    self.newest = await self.handle.ask.remote()
                if self.newest == 1:
                    self.last_old = time.monotonic()
                self.calls += 1
            except Exception:
                # Whatever Serve raises, it was no answer.
                self.failed += 1
                self.newest = None
                await asyncio.sleep(0.05)
            self.longest = max(self.longest, time.monotonic() - started)


async def measure(way: str, version: int) -> dict[str, Any]:
    asked, end = Load(), asyncio.Event()
    callers = [asyncio.create_task(asked.ask(end)) for _ in range(CALLERS)]
    await asyncio.sleep(1.0)
    asked.longest, started = 0.0, time.monotonic()
    with contextlib.suppress(RuntimeError):
        # Serve says so if the version can't be deployed.
        if way == "application run again":
            await asyncio.to_thread(run, version)
        elif way == "run again with another user_config":
            await asyncio.to_thread(run, 1, {"version": version})
        else:
            await asked.handle.follow.remote(version)
    took = time.monotonic() - started
    await asyncio.sleep(SETTLE_SECONDS)
    end.set()
    await asyncio.gather(*callers)
    return {
        "way": way,
        "version": "good" if version == GOOD else "bad",
        "calls": asked.calls,
        "failed": asked.failed,
        "longest_call_ms": round(asked.longest * 1e3, 1),
        "took_s": round(took, 2),
        "old_answers_until_s": round(asked.last_old - started, 2),
        "answers_in_the_end": asked.newest,
        "serve_says": serve.status().applications["model"].status,
    }


def run(version: int, config: dict[str, int] | None = None) -> None:
    app = Model.options(user_config=config or {}).bind(version)
    serve.run(app, name="model", route_prefix=None)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    serve.start(proxy_location=ProxyLocation.Disabled)
    for way in (
        "application run again",
        "run again with another user_config",
        "followed by the replica",
    ):
        for version in (GOOD, BAD):
            run(1)
            print(json.dumps(asyncio.run(measure(way, version))), flush=True)
            serve.delete("model")
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
