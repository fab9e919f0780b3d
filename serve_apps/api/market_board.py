"""The markets at a glance, counted by each replica for a twentieth of its time at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import asyncpg

from engine.adapters.postgres import market_overview
from engine.market_directory import Market

# What took long to count is kept longer: this many times as long, and never over a second.
REST_FACTOR = 20
FRESH_SECONDS_MAX = 1.0
INDEX_BASE = 100


class MarketBoard:
    """Names, counts, newest feed number and price index of every market."""

    def __init__(
        self, pool: asyncpg.Pool, markets: Mapping[str, Market], samples_expected: bool
    ) -> None:
        self._pool = pool
        self._markets = markets
        self._samples_expected = samples_expected
        self._stale_at = float("-inf")
        self._entries: dict[str, dict[str, Any]] = {}
        self._bases: dict[str, float] = {}
        self._reading = asyncio.Lock()

    async def entries(self) -> dict[str, dict[str, Any]]:
        """The contract's entry of each market, by slug, in configured order; up to a second
        old where counting takes long, some hundredths where it does not."""
        if time.monotonic() >= self._stale_at:
            async with self._reading:
                began = time.monotonic()
                if began >= self._stale_at:
                    self._entries = await self._read()
                    took = time.monotonic() - began
                    self._stale_at = began + min(FRESH_SECONDS_MAX, REST_FACTOR * took)
        return self._entries

    async def _read(self) -> dict[str, dict[str, Any]]:
        found = await market_overview.overview(self._pool, list(self._markets))
        entries = {}
        for slug, market in self._markets.items():
            seen = found[slug]
            sample = self._samples_expected if seen["sample"] is None else seen["sample"]
            entries[slug] = {
                "market": slug,
                "name": market.name,
                "counts": seen["counts"],
                "seq": seen["seq"],
                "price_index": await self._index(slug, seen["mean_price"]),
                "world": "sample" if sample else "captures",
            }
        return entries

    async def _index(self, market: str, mean_price: float | None) -> float | None:
        """100 x mean price of available leads / median listing price of the market's first
        leads (its first thousand journal entries); None while nothing is available."""
        if mean_price is None:
            return None
        base = self._bases.get(market)
        if base is None:
            base, settled = await market_overview.base_price(self._pool, market)
            if base is None:
                return None
            if settled:
                self._bases[market] = base
        return round(INDEX_BASE * mean_price / base, 1)
