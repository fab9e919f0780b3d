"""An embedder without a model: the same text, the same direction; away when it is told to be."""

from __future__ import annotations

import hashlib

import asyncpg
import numpy as np

from actors.models import Embedded, ModelUnavailable
from actors.vector_filler import Wanted

DIMENSIONS = 384


class HashingEmbedder:
    """Notes every text; `versions` says which version answers as `live` and as `shadow`,
    `dimensions` of how many its vectors are, if not of DIMENSIONS."""

    def __init__(self) -> None:
        self.versions = {"live": 1}
        self.dimensions: dict[int, int] = {}
        self.is_away = False
        self.texts: list[str] = []

    async def embed(self, texts: list[str], role: str) -> Embedded:
        if self.is_away or role not in self.versions:
            raise ModelUnavailable("the embedder is away")
        self.texts += texts
        version = self.versions[role]
        size = self.dimensions.get(version, DIMENSIONS)
        vectors = np.stack([_vector(f"{version} {text}", size) for text in texts])
        return Embedded(version, vectors)

    async def wanted(self, _: asyncpg.Pool) -> Wanted:
        return Wanted(self.versions.get("live"), self.versions.get("shadow"))


def _vector(text: str, size: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    found = np.random.default_rng(seed).standard_normal(size)
    return (found / np.linalg.norm(found)).astype(np.float32)
