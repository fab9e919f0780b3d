"""Claims on leads that are newly on offer, or newly priced: who goes first, by a rule that
anyone can check.

Claims that arrive while a lead is undecided are collected, and decided together with the
standing orders that match. The order: higher plan priority, then fewer contests won lately,
then the lower draw. The seed behind the draws is committed to when the lead is listed and
revealed with the decision, so neither the house nor the fastest connection can steer it.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal, NamedTuple

from engine.market import commands as c
from engine.market.answers import Request
from engine.market.lead import Lead
from engine.market.rules import RECENT_WINS_US

ClaimKind = Literal["buy", "hold", "standing"]

# Collected for one lead; who comes later is refused.
CLAIMS_MAX = 5_000
# The best of a contest that its record names.
ENTRIES_MAX = 100


def seed_of(secret: bytes, lead_id: str, round_number: int) -> str:
    """The seed (hex) of a lead's contest: HMAC-SHA256 under the market's secret."""
    return hmac.new(secret, f"{lead_id}:{round_number}".encode(), hashlib.sha256).hexdigest()


def commitment_of(seed: str) -> str:
    """What is told of a seed before the contest: SHA-256 (hex) of its hex text."""
    return hashlib.sha256(seed.encode()).hexdigest()


def claim_id_of(user_id: str, lead_id: str) -> str:
    """A buyer's pseudonym in the contests of one lead: they can find their own, no other's."""
    return hashlib.sha256(f"{user_id}:{lead_id}".encode()).hexdigest()


def draw_of(seed: str, claim_id: str) -> str:
    """The tie-break; the lower wins."""
    return hashlib.sha256(f"{seed}:{claim_id}".encode()).hexdigest()


def fill_order_id(standing_order_id: str, lead_id: str) -> str:
    """The order id of a standing order's purchase: the same whoever decides it."""
    return hashlib.sha256(f"fill:{standing_order_id}:{lead_id}".encode()).hexdigest()[:32]


class Claim(NamedTuple):
    """One claim to be ranked: a collected command or a standing order."""

    user_id: str
    kind: ClaimKind
    priority: int
    wins: int
    draw: str
    request: Request | None = None
    standing_order_id: str | None = None
    placed_at: int = 0


def ranked(claims: Iterable[Claim]) -> list[Claim]:
    """Best first. Of one buyer's own, commands go before standing orders, in order of arrival.

    However the orders were found: that order may be another after a restart.
    """
    return sorted(
        claims,
        key=lambda claim: (
            -claim.priority,
            claim.wins,
            claim.draw,
            claim.kind == "standing",
            claim.placed_at,
            claim.standing_order_id or "",
        ),
    )


class ClaimDesk:
    """Which leads are to be decided when, what has been claimed, who won contests lately."""

    def __init__(self) -> None:
        self._opened: list[tuple[int, str]] = []
        self._over: dict[str, None] = {}
        # Repriced leads by the journal position of the tick, oldest first.
        self._ticked: dict[str, int] = {}
        self._collected: dict[str, dict[bytes, Request]] = {}
        self._wins: dict[str, list[int]] = {}

    # --- when ----------------------------------------------------------------------

    def open(self, lead_id: str, decide_at: int) -> None:
        heapq.heappush(self._opened, (decide_at, lead_id))

    def tick(self, lead_ids: Iterable[str], position: int) -> None:
        """Prices changed at journal `position`: the leads are to be matched again."""
        for lead_id in lead_ids:
            self._ticked.setdefault(lead_id, position)

    def next_at(self) -> int | None:
        """When there is something to decide (µs), 0 for now; None if nothing is awaited."""
        if self._over or self._ticked:
            return 0
        return self._opened[0][0] if self._opened else None

    def deciding(self, leads: Mapping[str, Lead], now: int, limit: int) -> list[str]:
        """At most `limit` leads whose turn has come at `now`; they stay until `done`."""
        opened = self._opened
        while opened and opened[0][0] <= now:
            decide_at, lead_id = heapq.heappop(opened)
            # Withdrawn meanwhile, and perhaps on offer again with another instant.
            if leads[lead_id].decide_at == decide_at:
                self._over[lead_id] = None
        first = list(islice(self._over, limit))
        for lead_id in list(islice(self._ticked, limit)):
            if leads[lead_id].decide_at:
                # A tick does not shorten the time that claims on a new lead are given.
                del self._ticked[lead_id]
            elif lead_id not in self._over and len(first) < limit:
                first.append(lead_id)
        return first

    def done(self, lead_id: str) -> None:
        self._over.pop(lead_id, None)
        self._ticked.pop(lead_id, None)

    def again(self, lead_id: str) -> None:
        """Decide the lead once more: not everyone was heard."""
        self._over[lead_id] = None

    def matched_position(self, position: int) -> int:
        """Up to where every tick has been matched, given the journal's end."""
        oldest = next(iter(self._ticked.values()), None)
        return position if oldest is None else oldest - 1

    # --- what ----------------------------------------------------------------------

    def collect(self, request: Request) -> bool:
        """Keep a claim until its lead is decided; False if there are too many."""
        command = request.command
        assert isinstance(command, (c.Buy, c.Hold))
        claims = self._collected.setdefault(command.lead_id, {})
        if len(claims) >= CLAIMS_MAX and request.command_id not in claims:
            return False
        claims.setdefault(request.command_id, request)
        return True

    def collected(self, lead_id: str) -> list[Request]:
        return list(self._collected.get(lead_id, {}).values())

    def find(self, lead_id: str, command_id: bytes) -> Request | None:
        return self._collected.get(lead_id, {}).get(command_id)

    def drop(self, lead_id: str) -> None:
        """The claims are decided, or the lead is no longer on offer: who asks again is told.

        On offer again, its turn comes anew, though the old one was still to come.
        """
        self._collected.pop(lead_id, None)
        self._over.pop(lead_id, None)

    def claimants(self, lead_ids: Iterable[str]) -> set[str]:
        return {
            request.command.user_id
            for lead_id in lead_ids
            for request in self._collected.get(lead_id, {}).values()
            if isinstance(request.command, (c.Buy, c.Hold))
        }

    # --- who won -------------------------------------------------------------------

    def won(self, user_id: str, at: int) -> None:
        self._wins.setdefault(user_id, []).append(at)

    def wins(self, user_id: str, now: int) -> int:
        """Contests won within RECENT_WINS_US before `now` (µs)."""
        wins = self._wins.get(user_id)
        if wins is None:
            return 0
        while wins and wins[0] <= now - RECENT_WINS_US:
            wins.pop(0)
        if not wins:
            del self._wins[user_id]
        return len(wins)

    def winners(self, now: int) -> list[tuple[str, int]]:
        """(buyer, contests won lately), sorted."""
        counted = ((user_id, self.wins(user_id, now)) for user_id in list(self._wins))
        return sorted((user_id, wins) for user_id, wins in counted if wins)
