"""What the naive market keeps: leads, seats, claims, wins, standing orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.market.answers import Request
from engine.market.listing import Listing
from engine.market.standing_terms import StandingTerms

# ("bought", price), ("held", price, term, held_until), ("queued", position, waiting),
# ("kept", standing order, revision), ("claimed", decide_at), ("merged", …), ("done",), or a
# refusal's code.
Expected = tuple[object, ...] | str


@dataclass
class NaiveLead:
    """`decide_at` 0: nothing was ever collected. `rounds` counts contests."""

    price: int
    max_buyers: int
    listing: Listing
    closed: str | None = None
    decide_at: int = 0
    rounds: int = 0


@dataclass
class NaiveSeat:
    """`until` of a hold or an offer; of an offer `price` is the undiscounted one."""

    number: int
    price: int
    kind: Literal["sold", "held", "offered"]
    term: str = ""
    first: int = 0
    until: int = 0
    remember: int = 0
    fee: int = 0


@dataclass
class NaiveClaim:
    request: Request


@dataclass
class NaiveWin:
    user_id: str
    at: int


@dataclass
class NaiveOrder:
    """A standing order; `fills` are the instants at which it bought."""

    user_id: str
    terms: StandingTerms
    placed_at: int
    revision: int = 1
    spent: int = 0
    is_live: bool = True
    fills: list[int] = field(default_factory=list)
