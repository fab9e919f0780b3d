"""The smallest model there can be: says the same of everything, as its file tells."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from engine.adapters.model_store import ModelStore
from engine.adapters.postgres import model_registry
from engine.rollout.roles import Refusal, Version, Wish
from models_ml import bundle, served
from models_ml.artefact import Unusable
from models_ml.reference import Reference, of_training
from serve_apps.scoring import loading

FEATURES = ("price", "photos")
SCHEMA = 1


class SmallModel:
    """`fails` is how many answers after the check raise; `check_seconds` is what a check takes."""

    schema = SCHEMA
    features = FEATURES
    base_rate = 0.1

    def __init__(
        self,
        score: float,
        *,
        seconds: float = 0.0,
        check_seconds: float = 0.0,
        example: float | None = None,
        fails: bool = False,
    ) -> None:
        self.score, self.seconds, self.check_seconds = score, seconds, check_seconds
        self.example = score if example is None else example
        self.fails = fails
        self.reference: Reference = of_training(FEATURES, np.arange(200).reshape(100, 2) / 1.0)

    def check(self) -> None:
        time.sleep(self.check_seconds)
        if self.example != self.score:
            raise Unusable(f"its known example is {self.score}, not {self.example}")

    def probabilities(self, rows: Sequence[Any] | NDArray[np.float32]) -> NDArray[np.float64]:
        if self.fails:
            raise RuntimeError("it fails")
        time.sleep(self.seconds)
        return np.full(len(rows), self.score)

    def reasons(self, rows: Sequence[Any] | NDArray[np.float32]) -> list[list[str]]:
        return [["it always says so"] for _ in rows]


def small_bundle(score: float, **more: Any) -> bytes:
    return bundle.pack({"small.json": json.dumps({"score": score, **more}).encode()})


def read_small(content: bytes) -> SmallModel:
    """Raises Unusable."""
    parts = bundle.unpack(content, served.PARTS_BYTES_MAX)
    if "small.json" not in parts:
        raise Unusable("small.json is missing")
    model = SmallModel(**json.loads(parts["small.json"]))
    model.check()
    return model


def load_small(version: Version) -> SmallModel:
    return read_small(loading.content_of(version))


async def enter(
    pool: asyncpg.Pool, store: ModelStore, content: bytes, name: str = "fraud"
) -> Version:
    """The bundle as a version, unchecked."""
    url, sha256 = store.put(name, content)
    made = Version(
        name, 0, url, sha256, len(content), SCHEMA, FEATURES, "", {}, 0, "tests", ""
    )  # fmt: skip
    version, _ = await model_registry.register(pool, made)
    return version


async def wish(pool: asyncpg.Pool, action: Any, version: int | None = None, **more: Any) -> int:
    """Change roles of `fraud`; it must be possible."""
    done = await model_registry.change(pool, "fraud", Wish(action, version, **more), by="tests")
    assert not isinstance(done, Refusal), done.reason
    return done
