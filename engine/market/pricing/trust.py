"""How far an account's behaviour is believed, so that nobody makes demand up.

What counts is what can't be had for nothing: that an account is not new, and that it paid for
leads, different ones. One account's word on one segment counts less each time it is repeated.
Everything is settled before it is known what the account decides, so it favours neither buying
nor leaving.
"""

from __future__ import annotations

import math
from typing import Any

from engine.market.pricing.parts import HOUR_US

DAY_US = 24 * HOUR_US
# An account counts for nothing on its first day and in full after two weeks.
NEW_US = DAY_US
AGED_US = 14 * DAY_US
# Leads paid for, until an account counts in full. It grows with their square: a few old accounts
# that paid once count for next to nothing.
PAID_ENOUGH = 8
# What an account said of a segment is half forgotten after a week.
REPEATS_HALF_LIFE_US = 7 * DAY_US
# With so many trials in a segment an account's next one counts half.
REPEATS_HALF = 1.0
REPEATS_MAX = 500_000


class Accounts:
    """Ages and purchases of the accounts of a market, by user id."""

    def __init__(self) -> None:
        self._created_at: dict[str, int] = {}
        self._paid: dict[str, int] = {}
        # (user, segment) -> how many trials, and when that was so.
        self._repeats: dict[tuple[str, int], tuple[float, int]] = {}

    def unknown(self, user_ids: set[str]) -> set[str]:
        """Those whose age is not known."""
        return user_ids - self._created_at.keys()

    def know(self, created_at: dict[str, int]) -> None:
        """Learn when accounts were made (µs)."""
        self._created_at.update(created_at)

    def paid(self, user_id: str) -> None:
        """Note that the account paid for one more lead."""
        self._paid[user_id] = self._paid.get(user_id, 0) + 1

    def trust(self, user_id: str, now: int) -> float:
        """In [0, 1]; 0 for an account that is unknown, new, or paid for nothing."""
        created_at, paid = self._created_at.get(user_id), self._paid.get(user_id, 0)
        if created_at is None or not paid:
            return 0.0
        aged = (now - created_at - NEW_US) / (AGED_US - NEW_US)
        return min(1.0, max(0.0, aged)) * min(1.0, paid / PAID_ENOUGH) ** 2

    def weigh(self, user_id: str, segment: int, now: int, share: float = 1.0) -> float:
        """What `share` of a trial of this account in this segment counts, in [0, share]; it counts
        as made."""
        trust = self.trust(user_id, now)
        if not trust:
            return 0.0
        pair = (user_id, segment)
        count, at = self._repeats.pop(pair, (0.0, now))
        count *= math.exp2(-max(0, now - at) / REPEATS_HALF_LIFE_US)
        # The oldest goes: popping puts what is used last.
        if len(self._repeats) >= REPEATS_MAX:
            del self._repeats[next(iter(self._repeats))]
        self._repeats[pair] = (count + share, now)
        return share * trust / (1.0 + count / REPEATS_HALF)

    def dump(self) -> dict[str, Any]:
        return {
            "created_at": self._created_at,
            "paid": self._paid,
            "repeats": [[*pair, *each] for pair, each in self._repeats.items()],
        }

    @classmethod
    def load(cls, dumped: dict[str, Any]) -> Accounts:
        loaded = cls()
        loaded._created_at = dict(dumped["created_at"])
        loaded._paid = dict(dumped["paid"])
        loaded._repeats = {(user, seg): (count, at) for user, seg, count, at in dumped["repeats"]}
        return loaded
