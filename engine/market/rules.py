"""What a market's operator sets: how claims are collected, how long an offer stands."""

from __future__ import annotations

from datetime import UTC, tzinfo

SECOND_US = 1_000_000
CLAIM_WINDOW_MS_MAX = 500
# A contested claim won within this time counts against its buyer in the next contest.
RECENT_WINS_US = 24 * 3600 * SECOND_US


class Rules:
    """`claim_window_us` 0 decides claims as they come. `zone` is the market's time zone.

    `secret` is the market's own; the seeds of its claim rounds are derived from it.
    """

    __slots__ = ("claim_window_us", "offer_us", "secret", "zone")

    def __init__(
        self,
        *,
        claim_window_us: int = 0,
        offer_us: int = 300 * SECOND_US,
        zone: tzinfo = UTC,
        secret: bytes = b"",
    ) -> None:
        self.claim_window_us = claim_window_us
        self.offer_us = offer_us
        self.zone = zone
        self.secret = secret
