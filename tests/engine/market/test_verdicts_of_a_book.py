"""Whatever a book decided about a standing order is explained, by the rule that decided it."""

from __future__ import annotations

import collections
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market import commands as c
from engine.market import events as e
from engine.market.standing_rules import local_day
from engine.market.standing_verdict import (
    Circumstances,
    Contested,
    Means,
    Seen,
    TermsSince,
    failed_rules,
    fill_of,
    filling_moment,
    moments,
)
from tests.engine.market.past import ME, OTHERS, PLAN, START, ZONE, Past, random_terms


def circumstances(past: Past, seen: Seen, balance: int) -> Circumstances:
    fills = [(at, fill) for at, fill in past.fills if fill.user_id == ME]

    def means(before: int) -> Means:
        day = local_day(seen.moment.at, ZONE)
        earlier = [(at, fill) for at, fill in fills if at < before]
        today = sum(local_day(at, ZONE) == day for at, _ in earlier)
        # Everybody has their balance anew with every batch.
        lately = sum(fill.price for at, fill in earlier if at >= seen.moment.at)
        return Means(today, sum(fill.price for _, fill in earlier), balance - lately)

    contests = [
        (at, event)
        for _, at, event in past.journal
        if isinstance(event, e.ClaimsDecided)
        and event.lead_id == past.lead_looked_at
        and seen.moment.at <= at < seen.next_at
    ]
    contest = None
    if contests:
        at, event = contests[0]
        ranks = [
            rank
            for rank, entry in enumerate(event.entries, start=1)
            if entry.standing_order_id == "mine" and entry.result != "won"
        ]
        contest = Contested(at, event.seats, len(event.entries), ranks[0] if ranks else None)
    return Circumstances(means(seen.moment.at), means(seen.soon + 1), contest=contest)


def verdicts(seed: int) -> collections.Counter[str]:
    """Play a market with my standing order and others', then ask why of every lead."""
    rng = random.Random(seed)
    balance = rng.choice((10, 10**9))
    past = Past(rng, seats=(1, 1, 2), traders=(ME, *OTHERS), balance=balance)
    terms = random_terms(rng)
    past.send(c.PlaceStanding("mine", ME, terms))
    for user_id in OTHERS:
        past.send(c.PlaceStanding(f"of-{user_id}", user_id, random_terms(rng)))
    # Means are told apart by instants: two commands at one are not.
    past.play(60, pause=1)
    past.rest()
    count: collections.Counter[str] = collections.Counter()
    for lead_id in past.leads():
        past.lead_looked_at = lead_id
        found = moments(
            past.with_fills(lead_id),
            past.points.get(lead_id, []),
            [TermsSince(1, START, terms)],
            ME,
            1000,
        )
        fill = fill_of(past.with_fills(lead_id), "mine")
        filling = filling_moment(found, fill)
        assert (filling is None) == (fill is None)
        for seen in found:
            around = circumstances(past, seen, balance)
            failed = failed_rules(seen, around, PLAN, ZONE, is_filled=seen is filling)
            count.update(list(failed) or ["bought"])
        if filling is not None:
            # By the rules alone it might have bought where it did.
            before = circumstances(past, filling, balance).before
            alone = filling._replace(own_soon="", is_available_soon=True)
            around = Circumstances(before, before)
            assert failed_rules(alone, around, PLAN, ZONE, is_filled=False).keys() == {"unknown"}
    return count


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_the_book_decided_is_explained(seed: int) -> None:
    assert verdicts(seed)["unknown"] == 0


def test_the_random_pasts_need_every_rule() -> None:
    count: collections.Counter[str] = collections.Counter()
    for seed in range(120):
        count += verdicts(seed)
    assert count.keys() >= {
        *("bought", "price", "seats", "hours", "per_day", "budget", "credits"),
        *("already_bought", "already_held", "lead_state", "outranked"),
    }
