"""Which market's book a lead is in: remembered, because it never changes."""

from __future__ import annotations

import re

import asyncpg

from engine.adapters.postgres import directory
from serve_apps.api.problems import not_found

LEADS_MAX = 500_000
PREWARMED = 200_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether `text` could be an id of ours; what is not need not be looked up."""
    return _ID.fullmatch(text) is not None


class LeadDirectory:
    """Bounded: beyond 500,000 leads the ones learnt first are looked up again."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._markets: dict[str, str] = {}

    async def prewarm(self) -> None:
        """Learn the newest leads, so that a fresh replica asks little."""
        self._markets.update(await directory.newest(self._pool, PREWARMED))

    def known(self, lead_id: str) -> str | None:
        return self._markets.get(lead_id)

    async def market_of(self, lead_id: str) -> str:
        """The lead's market. Raises Problem `not-found`."""
        market = self._markets.get(lead_id)
        if market is not None:
            return market
        found = await directory.market_of(self._pool, lead_id) if is_id(lead_id) else None
        if found is None:
            raise not_found("no such lead")
        if len(self._markets) >= LEADS_MAX:
            self._markets.pop(next(iter(self._markets)))
        self._markets[lead_id] = found
        return found
