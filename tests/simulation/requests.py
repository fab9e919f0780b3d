"""What buyers and operators may ask for, drawn from the run's chance."""

from __future__ import annotations

import random

from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter, StandingTerms


def listing(rng: random.Random) -> Listing:
    return Listing(
        sources=rng.choice((("zillow",), ("redfin",))),
        city="Austin",
        list_price=rng.choice((None, 200_000, 400_000)),
        public_remarks=rng.choice(("near the park", "by the lake")),
    )


def of_operator(rng: random.Random, lead_ids: list[str]) -> c.Command:
    """Prices move, leads go and come back, duplicates are found."""
    one, other = rng.choice(lead_ids), rng.choice(lead_ids)
    draw = rng.randrange(10)
    if draw == 0:
        return c.Reprice((one, other), (rng.randint(1, 60), 9), "demand")
    if draw in (1, 2):
        return c.Reprice((one,), (rng.randint(1, 60),), "demand")
    if draw == 3:
        return c.UpdateLead(one, listing(rng))
    if draw == 4:
        return c.Withdraw(one, "gone")
    if draw in (5, 6):
        return c.Relist(one)
    if draw == 7:
        return c.Quarantine(one, "odd")
    return c.Approve(one) if draw == 8 else c.Merge(one, other)


def of_buyer(rng: random.Random, user_id: str, lead_id: str) -> c.Command:
    term = rng.choice(("15m", "15m", "24h", "3d"))
    draw = rng.random()
    if draw < 0.35:
        return c.Hold(lead_id, user_id, term)
    if draw < 0.43:
        return c.Extend(lead_id, user_id, term)
    if draw < 0.51:
        return c.Release(lead_id, user_id)
    if draw < 0.65:
        return c.Join(lead_id, user_id)
    if draw < 0.7:
        return c.Leave(lead_id, user_id)
    return buy(rng, user_id, lead_id, from_cart=draw < 0.8)


def buy(rng: random.Random, user_id: str, lead_id: str, *, from_cart: bool) -> c.Buy:
    max_price = None if from_cart else rng.choice((None, None, 20))
    return c.Buy(lead_id, user_id, rng.randbytes(8).hex(), max_price, from_cart)


def standing_terms(rng: random.Random) -> StandingTerms:
    return StandingTerms(
        name="homes",
        price_max=rng.randint(5, 60),
        filter=StandingFilter(
            q=rng.choice((None, None, "lake")),
            source=rng.choice(((), (), ("zillow",))),
            list_price_max=rng.choice((None, 300_000)),
        ),
        seats=rng.choice(("any", "any", "shared")),
        per_day=rng.choice((None, 1, 2)),
        budget=rng.choice((None, 60)),
        is_paused=rng.random() < 0.1,
    )
