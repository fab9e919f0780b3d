"""What the model answered, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg


class RepairAnswers:
    """The `repairs` table as the repairer's cache."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def known(self, model: str, hashes: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        rows = await self._pool.fetch(
            "SELECT content_hash, answer FROM repairs"
            " WHERE model = $1 AND content_hash = ANY($2::text[])",
            model,
            list(hashes),
        )
        return {row["content_hash"]: row["answer"] for row in rows}

    async def keep(
        self, model: str, content_hash: str, answer: Mapping[str, Any], tokens: int
    ) -> None:
        """Two runs may have asked at once: the later answer stays."""
        await self._pool.execute(
            "INSERT INTO repairs (content_hash, model, answer, tokens) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (content_hash, model)"
            " DO UPDATE SET answer = excluded.answer, tokens = excluded.tokens, at = now()",
            content_hash,
            model,
            dict(answer),
            tokens,
        )
