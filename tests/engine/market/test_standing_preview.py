"""A preview beside the simplest replay there is, and beside what the book really bought."""

from __future__ import annotations

import collections
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market import commands as c
from engine.market import events as e
from engine.market.lead_history import Entry
from engine.market.listing import Listing
from engine.market.standing_preview import PastLead, Preview, StandingPreview
from engine.market.standing_rules import local_time
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms
from tests.engine.market.naive_preview import NaivePreview
from tests.engine.market.past import (
    ME,
    MINUTE,
    OTHERS,
    PLAN,
    START,
    ZONE,
    Past,
    random_terms,
)

TERMS = StandingTerms(name="x", price_max=10)


def replay(
    terms: StandingTerms,
    leads: list[PastLead],
    ticks: list[tuple[int, int, list[tuple[str, int]]]] | None = None,
    *,
    since: int = 0,
    until: int = 10**18,
) -> Preview:
    preview = StandingPreview(terms, PLAN, ZONE, ME, leads, since)
    for position, at, prices in ticks or []:
        if since <= at <= until:
            preview.tick(position, at, prices)
    return preview.finish(until)


def listed(
    lead_id: str = "lead", price: int = 10, seats: int = 1, at: int = START, **more: Any
) -> Entry:
    listing = more.pop("listing", Listing())
    return Entry(1, at, e.LeadListed(lead_id, price, seats, listing, **more))


def lead(*entries: Entry, **more: Any) -> PastLead:
    return PastLead(entries[0].event.lead_id, entries, **more)


def sold(user_id: str, position: int = 2, at: int = START + 1) -> Entry:
    return Entry(position, at, e.LeadSold("lead", user_id, 1, 10, "order"))


# --- rule by rule ----------------------------------------------------------------------


def test_a_lead_that_matches_is_bought_once_at_the_plans_price() -> None:
    found = replay(TERMS, [lead(listed())], [(5, START + 5, [("lead", 8)])])
    assert [(each.lead_id, each.at, each.price, each.pays) for each in found.bought] == [
        ("lead", START, 10, 9)
    ]
    assert (found.considered, found.matches, found.cost, found.refused) == (1, 1, 9, {})


def test_claims_decided_later_are_seen_as_of_then() -> None:
    entries = [listed(decide_at=START + 100)]
    assert replay(TERMS, [lead(*entries)]).bought[0].at == START + 100
    withdrawn = Entry(2, START + 50, e.LeadWithdrawn("lead", "test"))
    assert replay(TERMS, [lead(*entries, withdrawn)]).considered == 0
    # What was decided at that moment comes after it.
    assert len(replay(TERMS, [lead(*entries, sold("ann", at=START + 100))]).bought) == 1
    cheaper = [(2, START + 50, [("lead", 5)])]
    assert replay(TERMS, [lead(*entries)], cheaper).bought[0].price == 5


def test_a_price_that_falls_below_the_top_is_bought() -> None:
    ticks = [(2, START + 5, [("lead", 11)]), (3, START + 9, [("lead", 10)])]
    found = replay(TERMS, [lead(listed(price=12))], ticks)
    assert [(each.at, each.price) for each in found.bought] == [(START + 9, 10)]
    found = replay(TERMS, [lead(listed(price=12))], ticks[:1])
    assert (found.considered, found.matches, found.refused) == (1, 0, {"price": 1})


def test_seats() -> None:
    exclusive = msgspec.structs.replace(TERMS, seats="exclusive")
    shared = msgspec.structs.replace(TERMS, seats="shared")
    assert replay(exclusive, [lead(listed(seats=2))]).refused == {"seats": 1}
    assert replay(shared, [lead(listed(seats=1))]).refused == {"seats": 1}
    assert len(replay(shared, [lead(listed(seats=2))]).bought) == 1


def test_the_filter_is_about_what_was_said_then() -> None:
    land = msgspec.structs.replace(TERMS, filter=StandingFilter(property_type=("Land",)))
    update = Entry(2, START + 5, e.LeadUpdated("lead", Listing(property_type="Land")))
    assert replay(land, [lead(listed(), update)]).considered == 1
    assert replay(land, [lead(listed(), update)]).bought == []
    after = [(3, START + 6, [("lead", 9)])]
    assert len(replay(land, [lead(listed(), update)], after).bought) == 1
    # Facts that fail the filter are no refusal.
    assert replay(land, [lead(listed(price=99))]).refused == {}


def test_text_is_found_by_listing() -> None:
    words = msgspec.structs.replace(TERMS, filter=StandingFilter(q="creek"))
    update = Entry(2, START + 5, e.LeadUpdated("lead", Listing()))
    ticks = [(3, START + 6, [("lead", 9)])]
    assert replay(words, [lead(listed(), saying=frozenset())]).bought == []
    found = replay(words, [lead(listed(), update, saying=frozenset({2}))], ticks)
    assert [each.at for each in found.bought] == [START + 6]


def test_where_a_lead_was_first_said_to_stand_it_stays() -> None:
    near = StandingFilter(near=(30.0, -97.0), radius_m=100)
    terms = msgspec.structs.replace(TERMS, filter=near)
    first = listed(price=99, listing=Listing(latitude=30.0, longitude=-97.0))
    moved = Entry(2, START + 5, e.LeadUpdated("lead", Listing(latitude=31.0, longitude=-97.0)))
    assert len(replay(terms, [lead(first, moved)], [(3, START + 6, [("lead", 9)])]).bought) == 1


def test_hours_are_the_markets() -> None:
    local = local_time(START, ZONE)
    this_hour = Hours((local.weekday(),), local.hour * 60, local.hour * 60 + 60)
    other = Hours((local.weekday(),), 0, local.hour * 60)
    assert len(replay(msgspec.structs.replace(TERMS, hours=(this_hour,)), [lead(listed())]).bought)
    found = replay(msgspec.structs.replace(TERMS, hours=(other,)), [lead(listed())])
    assert (found.matches, found.refused) == (1, {"hours": 1})


def test_per_day_and_budget_count_what_the_order_bought_here() -> None:
    leads = [lead(listed(f"lead-{n}", at=START + n)) for n in range(3)]
    found = replay(msgspec.structs.replace(TERMS, per_day=2), leads)
    assert [each.lead_id for each in found.bought] == ["lead-0", "lead-1"]
    assert found.refused == {"per_day": 1}
    tomorrow = [(9, START + 24 * 60 * MINUTE, [("lead-2", 9)])]
    assert len(replay(msgspec.structs.replace(TERMS, per_day=2), leads, tomorrow).bought) == 3
    found = replay(msgspec.structs.replace(TERMS, budget=18), leads)
    assert (found.cost, found.refused) == (18, {"budget": 1})


def test_what_the_buyer_did_counts_from_then_on() -> None:
    ticks = [(9, START + 9, [("lead", 9)])]
    costly = listed(price=99, seats=3)
    assert replay(TERMS, [lead(costly, sold(ME))], ticks).refused == {"already_bought": 1}
    assert len(replay(TERMS, [lead(costly, sold("ann"))], ticks).bought) == 1
    held = Entry(2, START + 1, e.LeadHeld("lead", ME, 1, 9, "15m", 0, START + 8, 0))
    assert replay(TERMS, [lead(costly, held)], ticks).refused == {"already_held": 1}
    released = Entry(3, START + 8, e.LeadReleased("lead", ME, "expired"))
    assert len(replay(TERMS, [lead(costly, held, released)], ticks).bought) == 1
    as_another = lead(costly, bought_as_another_at=START + 9)
    assert replay(TERMS, [as_another], ticks).refused == {"already_bought": 1}
    later = lead(costly, bought_as_another_at=START + 10)
    assert len(replay(TERMS, [later], ticks).bought) == 1


@pytest.mark.parametrize(
    "event",
    [
        e.LeadSold("lead", "ann", 1, 10, "order"),
        e.LeadHeld("lead", "ann", 1, 10, "15m", 0, START + 99, 0),
        e.SeatOffered("lead", "ann", 1, 10, START + 99),
        e.LeadWithdrawn("lead", "test"),
        e.LeadQuarantined("lead", "test"),
    ],
)
def test_a_lead_without_a_free_seat_is_not_bought(event: e.Event) -> None:
    entries = [listed(price=99), Entry(2, START + 1, event)]
    found = replay(TERMS, [lead(*entries)], [(9, START + 9, [("lead", 9)])])
    assert found.refused == {"lead_state": 1}


@pytest.mark.parametrize("reason", ["declined", "expired"])
def test_a_seat_that_was_free_again_is_bought_at_the_next_price(reason: Any) -> None:
    entries = [
        listed(price=99),
        Entry(2, START + 1, e.SeatOffered("lead", "ann", 1, 10, START + 99)),
        Entry(3, START + 2, e.QueueLeft("lead", "ann", reason)),
        Entry(4, START + 3, e.QueueJoined("lead", "bob")),
        Entry(5, START + 4, e.QueueLeft("lead", "bob", "left")),
    ]
    assert replay(TERMS, [lead(*entries)]).bought == []
    assert len(replay(TERMS, [lead(*entries)], [(9, START + 9, [("lead", 9)])]).bought) == 1


def test_only_the_window_counts() -> None:
    entries = [
        listed(),
        Entry(2, START + 10, e.LeadWithdrawn("lead", "test")),
        Entry(3, START + 20, e.LeadRelisted("lead"), 7),
    ]
    found = replay(TERMS, [lead(*entries)], since=START + 1)
    assert [(each.at, each.price) for each in found.bought] == [(START + 20, 7)]
    assert replay(TERMS, [lead(*entries)], since=START + 1, until=START + 19).considered == 0


# --- beside the simplest replay ----------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 600), st.integers(0, 600))
def test_it_is_what_the_simplest_replay_says(seed: int, after: int, before: int) -> None:
    rng = random.Random(seed)
    past = Past(rng, seats=(1, 1, 2, 3), traders=(ME, *OTHERS))
    past.play(60)
    past.rest()
    since = START + after * MINUTE
    until = past.now - before * MINUTE
    terms = random_terms(rng)

    leads = [
        PastLead(id_, [x for x in past.entries[id_] if x.at <= until])
        for id_ in past.leads()
        if past.entries[id_][0].at <= until
    ]
    found = replay(terms, leads, past.ticks, since=since, until=until)
    naive = NaivePreview(terms, since, until)
    naive.run(past.journal)
    assert [(each.lead_id, each.at, each.price) for each in found.bought] == naive.bought
    assert found.refused == naive.refused()
    assert found.matches == len(naive.matched)
    assert found.considered == len(naive.last)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_it_is_what_the_order_would_have_bought(seed: int) -> None:
    """Where seats never run out, the order changes nothing for the others: the preview over
    a past is what the order bought in it. (Of two leads put to it at one instant the book may
    take either first, so there are none.)"""
    rng = random.Random(seed)
    past = Past(rng, seats=(1000,), traders=OTHERS)
    terms = random_terms(rng)
    past.send(c.PlaceStanding("standing", ME, terms))
    past.play(60, pause=1)
    past.rest()
    leads = [PastLead(lead_id, past.entries[lead_id]) for lead_id in past.leads()]
    found = replay(terms, leads, past.ticks)
    assert [(each.lead_id, each.at, each.pays) for each in found.bought] == [
        (fill.lead_id, at, fill.price) for at, fill in past.fills
    ]


def test_the_random_pasts_say_something() -> None:
    """The two properties above would hold of an empty market as well."""
    bought, refused = 0, collections.Counter[str]()
    for seed in range(150):
        rng = random.Random(seed)
        past = Past(rng, seats=(1, 2), traders=(ME, *OTHERS))
        terms = random_terms(rng)
        past.play(80)
        past.rest()
        leads = [PastLead(lead_id, past.entries[lead_id]) for lead_id in past.leads()]
        found = replay(terms, leads, past.ticks)
        bought += len(found.bought)
        refused.update(found.refused)
    assert bought > 100
    assert refused.keys() == {
        *("price", "seats", "hours", "per_day", "budget"),
        *("already_bought", "already_held", "lead_state"),
    }
    assert min(refused.values()) > 5
