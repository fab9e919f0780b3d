"""Histories of a market as plain numbers.

A history is drawn without knowing the state; what it means is settled when it is
played: "the third deadline there is, one microsecond early".
"""

from __future__ import annotations

import random
from typing import NamedTuple

from engine.market.plan import parse_plans

START = 1_750_000_000_000_000
MINUTE = 60_000_000
PLANS = parse_plans(
    """
    [plan.basic]
    terms = ["15m"]
    holds_max = 1
    discount_percent = 0
    [plan.pro]
    terms = ["15m", "1h"]
    holds_max = 2
    discount_percent = 10
    [plan.enterprise]
    terms = ["15m", "1h", "3h"]
    holds_max = 2
    discount_percent = 33
    """
)
TERMS = ("15m", "1h", "3h", "9d")
# Buyers with plan and credits; "gone" has no account that may trade.
BUYERS = {
    "ann": ("basic", 90),
    "bob": ("pro", 150),
    "cyd": ("enterprise", 400),
    "dan": ("basic", 0),
}
USERS = (*BUYERS, "gone")
SEATS = {"one": 1, "two": 2, "three": 3, "four": 2, "five": 3}
LEADS = tuple(SEATS)
# Drawn alike often, so what is named several times happens more.
KINDS = (
    *("hold",) * 8, *("extend",) * 4, *("release",) * 2, *("buy",) * 2, *("cart_buy",) * 2,
    *("reprice",) * 2, "list", "update", "withdraw", "merge", *("relist",) * 2, "quarantine",
    *("approve",) * 2, *("repeat",) * 2, "mismatch",
)  # fmt: skip
WAITS = (*("none",) * 5, "micros", "minutes", "deadline", "deadline", "forget")


class Ask(NamedTuple):
    """One command: `lead` and `user` by number, `a` and `b` as its kind reads them."""

    kind: str
    lead: int
    user: int
    a: int
    b: int


class Step(NamedTuple):
    """Wait, then send `asks` as one batch. `offset` is in µs around the chosen instant."""

    wait: str
    amount: int
    offset: int
    asks: tuple[Ask, ...]


OPENING = Step("none", 0, 0, tuple(Ask("list", n, 0, n, 0) for n in range(len(LEADS))))


def random_history(rng: random.Random, steps: int) -> list[Step]:
    def ask() -> Ask:
        kind, lead, user = rng.choice(KINDS), rng.randrange(len(LEADS)), rng.randrange(len(USERS))
        return Ask(kind, lead, user, rng.randrange(8), rng.randrange(8))

    return [OPENING] + [
        Step(
            rng.choice(WAITS),
            rng.randrange(20),
            rng.choice((-1, 0, 1)),
            tuple(ask() for _ in range(rng.choice((0, 1, 1, 1, 2, 5)))),
        )
        for _ in range(steps)
    ]
