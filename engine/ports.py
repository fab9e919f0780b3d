"""Protocols of what lies outside the market; `engine.adapters` has their implementations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.market.notices import Cause, Telling


class Notifier(Protocol):
    """Tells buyers what concerns them, on the channels that each of them set."""

    async def tell(self, causes: Sequence[Cause], now_us: int) -> Telling:
        """Tell of each cause that is true, once: a cause told before, by whomever, is passed
        over. All of them are told or, if this raises, none."""
