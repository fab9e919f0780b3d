"""Who considers which lead at which price, until it is known whether they buy it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.policy import Trials

SignalKind = Literal["impression", "view"]

# Who has not bought so long after looking has decided not to, µs.
PATIENCE_US = HOUR_US // 2
# To have seen a lead among others in an answer is to have considered it a little.
IMPRESSION_WEIGHT = 0.05
OPEN_MAX = 200_000


class Signal(NamedTuple):
    """An account saw a lead at `at` (µs): among others in an answer, or by itself."""

    kind: SignalKind
    lead_id: str
    user_id: str
    at: int


class Considered(NamedTuple):
    """What a trial is made of; `price_ratio` is ln(price / base), `age` in hours."""

    segment: int
    price_ratio: float
    age: float
    weight: float
    at: int
    # When it counts as decided, None while the lead is held.
    until: int | None
    # Looked at by itself, not seen among others.
    is_look: bool = True


class Considering:
    """Open considerations by (lead, account): one of each, however often they look.

    What was decided is remembered until the lead leaves the market.
    """

    def __init__(self) -> None:
        self._open: dict[str, dict[str, Considered]] = {}
        # Of those that end by themselves, in order of when; some ended before.
        self._due: deque[tuple[int, str, str]] = deque()
        self._count = 0
        self._decided: dict[str, set[str]] = {}
        # Purchases of which nobody has told yet that the buyer had looked, in order of time.
        self._ahead: dict[tuple[str, str], Considered] = {}
        # Not taken in because too many were open.
        self.dropped = 0
        self._made: list[tuple[Considered, bool]] = []

    def __len__(self) -> int:
        """How many are open."""
        return self._count

    def knows(self, lead_id: str, user_id: str) -> bool:
        """Whether the account considers the lead, or has."""
        return user_id in self._open.get(lead_id, ()) or user_id in self._decided.get(lead_id, ())

    def get(self, lead_id: str, user_id: str) -> Considered | None:
        return self._open.get(lead_id, {}).get(user_id)

    def put(self, lead_id: str, user_id: str, considered: Considered) -> None:
        """Open a consideration, or change an open one. `until` never lies before an earlier
        one's."""
        users = self._open.setdefault(lead_id, {})
        if user_id not in users:
            if self._count >= OPEN_MAX:
                self.dropped += 1
                return
            self._count += 1
        users[user_id] = considered
        if considered.until is not None:
            self._due.append((considered.until, lead_id, user_id))

    def decide(self, lead_id: str, user_id: str, *, bought: bool) -> None:
        """Close a consideration; nothing if there is none."""
        considered = self._pop(lead_id, user_id)
        if considered is None:
            return
        self._decided.setdefault(lead_id, set()).add(user_id)
        self._made.append((considered, bought))

    def settle(self, lead_id: str, user_id: str) -> None:
        """Whatever the account does with the lead from now on says nothing."""
        self._decided.setdefault(lead_id, set()).add(user_id)

    def bought_ahead(self, lead_id: str, user_id: str, considered: Considered) -> None:
        """A purchase before it is known how the buyer came to the lead: looks are told later than
        sales. It counts once the look is known, and not at all without one: of buyers who are
        never seen looking, those who decide against a lead would be missing."""
        if len(self._ahead) >= OPEN_MAX:
            self.dropped += 1
            return
        self._ahead[lead_id, user_id] = considered

    def seen_late(self, lead_id: str, user_id: str, share: float) -> bool:
        """Take in the look, counting `share` of a trial, of who bought ahead of it; whether there
        was such a purchase."""
        considered = self._ahead.pop((lead_id, user_id), None)
        if considered is not None:
            self.trial(considered._replace(weight=share * considered.weight), bought=True)
        return considered is not None

    def trial(self, considered: Considered, *, bought: bool) -> None:
        """A trial that was decided at once."""
        self._made.append((considered, bought))

    def leave(self, lead_id: str) -> None:
        """The lead is gone: who still considered it decided nothing."""
        self._count -= len(self._open.pop(lead_id, ()))
        self._decided.pop(lead_id, None)

    def expire(self, now: int) -> None:
        """Those whose patience is over did not buy, and purchases are given up whose look nobody
        told of."""
        while self._ahead:
            pair, purchase = next(iter(self._ahead.items()))
            if purchase.at + PATIENCE_US > now:
                break
            del self._ahead[pair]
        while self._due and self._due[0][0] <= now:
            until, lead_id, user_id = self._due.popleft()
            considered = self.get(lead_id, user_id)
            if considered is not None and considered.until == until:
                self.decide(lead_id, user_id, bought=False)

    def take(self) -> Trials:
        """The trials decided since the last call."""
        made, self._made = self._made, []
        return trials_of(made)

    def _pop(self, lead_id: str, user_id: str) -> Considered | None:
        users = self._open.get(lead_id)
        considered = users.pop(user_id, None) if users else None
        if considered is not None:
            self._count -= 1
            if not users:
                del self._open[lead_id]
        return considered

    def _entries(self) -> Iterator[tuple[str, str, Considered]]:
        for lead_id, users in self._open.items():
            for user_id, considered in users.items():
                yield lead_id, user_id, considered

    def dump(self) -> dict[str, Any]:
        return {
            "open": [[lead_id, user_id, *each] for lead_id, user_id, each in self._entries()],
            "decided": {lead_id: sorted(users) for lead_id, users in self._decided.items()},
            "ahead": [[*pair, *each] for pair, each in self._ahead.items()],
            "made": [[*considered, bought] for considered, bought in self._made],
        }

    @classmethod
    def load(cls, dumped: dict[str, Any]) -> Considering:
        loaded = cls()
        for lead_id, user_id, *each in sorted(dumped["open"], key=lambda entry: entry[7] or 0):
            loaded.put(lead_id, user_id, Considered(*each))
        loaded._decided = {lead_id: set(users) for lead_id, users in dumped["decided"].items()}
        loaded._ahead = {
            (lead_id, user_id): Considered(*each) for lead_id, user_id, *each in dumped["ahead"]
        }
        loaded._made = [(Considered(*each), bought) for *each, bought in dumped["made"]]
        return loaded


def trials_of(made: list[tuple[Considered, bool]]) -> Trials:
    return Trials(
        np.array([c.segment for c, _ in made], np.int32),
        np.array([c.price_ratio for c, _ in made], np.float64),
        np.array([c.age for c, _ in made], np.float64),
        np.array([c.weight for c, _ in made], np.float64),
        np.array([bought for _, bought in made], np.bool_),
        np.array([c.at for c, _ in made], np.int64),
    )
