"""Histories of a market as plain numbers.

A history is drawn without knowing the state; what it means is settled when it is
played: "the third deadline there is, one microsecond early".
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market.plan import parse_plans
from engine.market.rules import Rules
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms

MINUTE = 60_000_000
SECOND = 1_000_000
ZONE = ZoneInfo("America/Los_Angeles")
# The afternoon before a night in which the clocks go back.
START = from_datetime(datetime(2025, 11, 1, 15, 6, 40, tzinfo=ZONE))
SECRET = b"the market's own"
# Claims decided as they come, and collected for a quarter of a second.
RULES = tuple(
    Rules(claim_window_us=window, offer_us=offer, zone=ZONE, secret=SECRET)
    for window, offer in ((0, 300 * SECOND), (250_000, 40 * MINUTE))
)
PLANS = parse_plans(
    """
    [plan.basic]
    terms = ["15m"]
    holds_max = 1
    discount_percent = 0
    standing_orders_max = 2
    [plan.pro]
    terms = ["15m", "1h"]
    holds_max = 2
    hold_value_max = 60
    discount_percent = 10
    hold_fee_percent = { "1h" = 10 }
    claim_priority = 1
    standing_orders_max = 3
    [plan.enterprise]
    terms = ["15m", "1h", "3h"]
    holds_max = 2
    discount_percent = 33
    hold_fee_percent = { "15m" = 3, "1h" = 30, "3h" = 100 }
    hold_fee_credited = false
    claim_priority = 1
    standing_orders_max = 4
    [plan.collector]
    terms = ["15m", "1h"]
    holds_max = 3
    hold_value_max = 50
    discount_percent = 0
    hold_fee_percent = { "15m" = 40, "1h" = 50 }
    claim_priority = 2
    """
)
TERMS = ("15m", "1h", "3h", "9d")
# Buyers with plan and credits; "gone" has no account that may trade.
BUYERS = {
    "ann": ("basic", 90),
    "bob": ("pro", 250),
    "cyd": ("enterprise", 400),
    "dan": ("basic", 0),
    "eve": ("basic", 150),
    "fay": ("collector", 200),
}
USERS = (*BUYERS, "gone")
SEATS = {
    "one": 1, "two": 2, "three": 3, "four": 1, "five": 2,
    "six": 1, "seven": 2, "eight": 1, "nine": 3,
}  # fmt: skip
LEADS = tuple(SEATS)
LISTED_FIRST = 5
# What is publicly known of a lead, by number.
LISTINGS = (
    Listing(),
    Listing(list_price=300_000, bedrooms_total=2, property_type="Residential"),
    Listing(list_price=500_000, bedrooms_total=4, sources=("redfin",)),
    Listing(latitude=36.17, longitude=-115.14, year_built=1999, property_type="Land"),
)
FILTERS = (
    *(StandingFilter(),) * 4,
    StandingFilter(bedrooms_total_min=3, source=("redfin", "zillow")),
    StandingFilter(property_type=("Residential", "Land"), list_price_max=400_000),
    StandingFilter(near=(36.16, -115.15), radius_m=5_000, year_built_min=1990),
    StandingFilter(price_min=20),
)
NIGHT = (Hours((6,), 60, 120), Hours((5, 0), 1200, 1440))
# Terms by number; the filter comes from another one.
WANTED = (
    StandingTerms(name="anything", price_max=100),
    StandingTerms(name="one a day", price_max=60, per_day=1),
    StandingTerms(name="two a day", price_max=60, per_day=2, budget=70),
    StandingTerms(name="on a budget", price_max=60, budget=27),
    StandingTerms(name="alone", price_max=80, seats="exclusive"),
    StandingTerms(name="with others", price_max=40, seats="shared"),
    StandingTerms(name="by night", price_max=100, hours=NIGHT),
    StandingTerms(name="not now", price_max=100, is_paused=True),
)
# Drawn alike often, so what is named several times happens more.
KINDS = (
    *("hold",) * 8, *("extend",) * 4, *("release",) * 3, *("buy",) * 3, *("cart_buy",) * 2,
    *("premiere",) * 5, *("rush",) * 2, *("join",) * 6, *("accept",) * 6, *("leave",) * 2,
    *("place",) * 4, "change", "cancel",
    *("reprice",) * 3, "list", "update", "withdraw", "merge", *("relist",) * 3, "quarantine",
    *("approve",) * 2, *("repeat",) * 3, "mismatch",
    *("credits",) * 2, "plan", "suspend", "elsewhere", "restart",
)  # fmt: skip
WAITS = (
    *("none",) * 9, *("micros",) * 2, "minutes", *("deadline",) * 3, "reminder", "forget",
    *("decide",) * 3, "midnight", "hours", "wins",
)  # fmt: skip


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


OPENING = Step("none", 0, 0, tuple(Ask("list", n, 0, n, n) for n in range(LISTED_FIRST)))


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
