"""A lead as trading sees it: seats, price, availability, and the table of legal moves."""

from __future__ import annotations

from typing import Literal

LeadState = Literal["available", "held", "sold", "withdrawn", "quarantined"]

AVAILABLE: LeadState = "available"
HELD: LeadState = "held"
SOLD: LeadState = "sold"
WITHDRAWN: LeadState = "withdrawn"
QUARANTINED: LeadState = "quarantined"

Move = Literal[
    "update",
    "withdraw",
    "merge",
    "quarantine",
    "approve",
    "relist",
    "reprice",
    "hold",
    "extend",
    "release",
    "expire",
    "buy",
    "buy_held",
    "join",
    "offer",
    "accept",
    "decline",
]

_OPEN: frozenset[LeadState] = frozenset({AVAILABLE, HELD, SOLD})

# (state, move) -> the states it may lead to; a missing pair is refused. Where several
# are possible the seats decide. `merge` is what becomes of the one that goes; `buy_held` is
# a purchase on the buyer's own hold or offer; `offer` keeps a free seat for the first in
# line, who may `accept` it as a hold, or `decline` it, in words or by waiting.
MOVES: dict[tuple[LeadState, Move], frozenset[LeadState]] = {
    (AVAILABLE, "update"): frozenset({AVAILABLE}),
    (HELD, "update"): frozenset({HELD}),
    (SOLD, "update"): frozenset({SOLD}),
    (WITHDRAWN, "update"): frozenset({WITHDRAWN}),
    (QUARANTINED, "update"): frozenset({QUARANTINED}),
    (AVAILABLE, "withdraw"): frozenset({WITHDRAWN}),
    (HELD, "withdraw"): frozenset({WITHDRAWN}),
    (QUARANTINED, "withdraw"): frozenset({WITHDRAWN}),
    (AVAILABLE, "merge"): frozenset({WITHDRAWN}),
    (HELD, "merge"): frozenset({WITHDRAWN}),
    (WITHDRAWN, "merge"): frozenset({WITHDRAWN}),
    (QUARANTINED, "merge"): frozenset({WITHDRAWN}),
    (AVAILABLE, "quarantine"): frozenset({QUARANTINED}),
    (HELD, "quarantine"): frozenset({QUARANTINED}),
    (QUARANTINED, "approve"): frozenset({AVAILABLE}),
    (WITHDRAWN, "relist"): frozenset({AVAILABLE}),
    (AVAILABLE, "reprice"): frozenset({AVAILABLE}),
    (HELD, "reprice"): frozenset({HELD}),
    (AVAILABLE, "hold"): frozenset({AVAILABLE, HELD}),
    (AVAILABLE, "extend"): frozenset({AVAILABLE}),
    (HELD, "extend"): frozenset({HELD}),
    (AVAILABLE, "release"): frozenset({AVAILABLE}),
    (HELD, "release"): frozenset({AVAILABLE}),
    (AVAILABLE, "expire"): frozenset({AVAILABLE}),
    (HELD, "expire"): frozenset({AVAILABLE}),
    (AVAILABLE, "buy"): frozenset({AVAILABLE, HELD, SOLD}),
    (AVAILABLE, "buy_held"): frozenset({AVAILABLE}),
    (HELD, "buy_held"): frozenset({HELD, SOLD}),
    (HELD, "join"): frozenset({HELD}),
    (AVAILABLE, "offer"): frozenset({AVAILABLE, HELD}),
    (AVAILABLE, "accept"): frozenset({AVAILABLE}),
    (HELD, "accept"): frozenset({HELD}),
    (AVAILABLE, "decline"): frozenset({AVAILABLE}),
    (HELD, "decline"): frozenset({AVAILABLE}),
}


class Seat:
    """One taken seat: a live hold, a sale once `order_id` is set, or, with `is_offer`, one
    kept for the first in line. Times in µs, `fee` is what holding has cost, in credits.

    The `price` of a hold is what its buyer pays, that of an offer is undiscounted.
    """

    __slots__ = (
        "fee",
        "first_held_at",
        "forget_after",
        "held_at",
        "held_until",
        "hold",
        "is_offer",
        "number",
        "order_id",
        "price",
    )

    def __init__(
        self,
        number: int,
        price: int,
        *,
        hold: str | None = None,
        first_held_at: int = 0,
        held_at: int = 0,
        held_until: int = 0,
        forget_after: int = 0,
        order_id: str | None = None,
        is_offer: bool = False,
        fee: int = 0,
    ) -> None:
        self.number = number
        self.price = price
        self.hold = hold
        self.first_held_at = first_held_at
        self.held_at = held_at
        self.held_until = held_until
        self.forget_after = forget_after
        self.order_id = order_id
        self.is_offer = is_offer
        self.fee = fee


class PastHold:
    """A hold that ended without a purchase, remembered until `forget_at` (µs)."""

    __slots__ = ("ended_because", "first_held_at", "forget_at")

    def __init__(self, first_held_at: int, ended_because: str, forget_at: int) -> None:
        self.first_held_at = first_held_at
        self.ended_because = ended_because
        self.forget_at = forget_at


class Lead:
    """The trading state of one lead. `taken` and `past` map user ids and are None while empty.

    Until claims on it are decided, `decide_at` is when they will be (µs), else 0; `rounds`
    counts its contests so far. Offers count as `held`.
    """

    __slots__ = (
        "decide_at",
        "held",
        "max_buyers",
        "past",
        "price",
        "rounds",
        "sold",
        "state",
        "taken",
    )

    def __init__(
        self,
        price: int,
        max_buyers: int,
        state: LeadState = AVAILABLE,
        sold: int = 0,
        held: int = 0,
        decide_at: int = 0,
        rounds: int = 0,
    ) -> None:
        self.price = price
        self.max_buyers = max_buyers
        self.state = state
        self.sold = sold
        self.held = held
        self.decide_at = decide_at
        self.rounds = rounds
        self.taken: dict[str, Seat] | None = None
        self.past: dict[str, PastHold] | None = None

    @property
    def seats_left(self) -> int:
        return self.max_buyers - self.sold - self.held

    def free_seat(self) -> int:
        """The lowest seat number nobody has; call only while a seat is left."""
        if not self.taken:
            return 1
        numbers = {seat.number for seat in self.taken.values()}
        number = 1
        while number in numbers:
            number += 1
        return number

    def settle(self) -> None:
        """Derive the open state from the seats."""
        if self.sold == self.max_buyers:
            self.state = SOLD
        elif self.sold + self.held == self.max_buyers:
            self.state = HELD
        else:
            self.state = AVAILABLE
