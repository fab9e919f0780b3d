"""The markets at a glance, counted by each replica for a twentieth of its time at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import asyncpg

from engine.adapters.postgres import market_overview, pricing_state
from engine.market.pricing.depth import depth_of
from engine.market_directory import Market

# What took long to count is kept longer: this many times as long, and never over a second.
REST_FACTOR = 20
FRESH_SECONDS_MAX = 1.0
INDEX_BASE = 100
# Orders rest for days and odds are those of a week.
DEPTH_SECONDS = 10.0
NO_AGENT = "prices of this market are not worked out by an agent"


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
        # Depth and odds of each market, and until when they are fresh enough.
        self._depths: dict[str, tuple[float, dict[str, Any]]] = {}

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

    async def depth(self, market: str) -> dict[str, Any]:
        """`depth` and `fill_odds` of a market there is, up to DEPTH_SECONDS old."""
        stale_at, found = self._depths.get(market, (float("-inf"), {}))
        if time.monotonic() >= stale_at:
            async with self._reading:
                stale_at, found = self._depths.get(market, (float("-inf"), {}))
                if time.monotonic() >= stale_at:
                    found = await _in_depth(self._pool, market)
                    self._depths[market] = (time.monotonic() + DEPTH_SECONDS, found)
        return found

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


async def _in_depth(pool: asyncpg.Pool, market: str) -> dict[str, Any]:
    orders = await pricing_state.top_prices(pool, market)
    summary = await pricing_state.summary(pool, market)
    return {
        "depth": [band._asdict() for band in depth_of(orders)],
        "fill_odds": summary.get("fill_odds", {"levels": None, "reason": NO_AGENT}),
    }
