"""Why a standing order bought a lead or did not, beside the book that decided it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.market import events as e
from engine.market.lead_history import Entry, PricePoint
from engine.market.listing import Listing
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms
from engine.market.standing_verdict import (
    SOON_US,
    Circumstances,
    Contested,
    Means,
    Seen,
    TermsSince,
    day_began,
    failed_rules,
    moments,
)
from tests.engine.market.past import (
    ME,
    MINUTE,
    PLAN,
    SECOND,
    START,
    ZONE,
)

TERMS = StandingTerms(name="x", price_max=10)
RICH = Means(0, 0, 1_000)
PLAIN = Circumstances(RICH, RICH)


def seen_of(
    *entries: Entry,
    terms: StandingTerms = TERMS,
    points: tuple[PricePoint, ...] = (),
    since: int = 0,
) -> list[Seen]:
    return moments(entries, points, [TermsSince(0, since, terms)], ME, 50)


def listed(price: int = 10, seats: int = 1, **facts: Any) -> Entry:
    return Entry(1, START, e.LeadListed("lead", price, seats, Listing(**facts)))


def failed(seen: Seen, around: Circumstances = PLAIN, *, is_filled: bool = False) -> dict[str, str]:
    return failed_rules(seen, around, PLAN, ZONE, is_filled=is_filled)


def asking(**filter_: Any) -> StandingTerms:
    return msgspec.structs.replace(TERMS, filter=StandingFilter(**filter_))


# --- rule by rule ------------------------------------------------------------------------

FACTS: list[tuple[StandingTerms, dict[str, Any], dict[str, str]]] = [
    (
        asking(near=(30.0, -97.0), radius_m=1000),
        {"latitude": 30.02, "longitude": -97.0},
        {"filter.near": "it stands 2224 m away; wanted: within 1000 m"},
    ),
    (
        asking(near=(30.0, -97.0), radius_m=1000),
        {},
        {"filter.near": "it does not say where it stands"},
    ),
    (
        asking(bbox=(-97.5, 30.0, -97.0, 31.0)),
        {"latitude": 30.5, "longitude": -96.9},
        {"filter.bbox": "it stands at 30.5, -96.9; wanted: inside -97.5, 30, -97, 31"},
    ),
    (
        asking(property_type=("Land", "Farm")),
        {"property_type": "Residential"},
        {"filter.property_type": "its property_type is Residential; wanted: Land, Farm"},
    ),
    (
        asking(source=("zillow",)),
        {"sources": ("redfin", "fsbo")},
        {"filter.source": "its sources are redfin, fsbo; wanted: zillow"},
    ),
    (
        asking(list_price_min=100, list_price_max=200, living_area_max=90, year_built_min=1990),
        {"list_price": 300, "living_area": 100},
        {
            "filter.list_price": "its list_price is 300; wanted: 100 to 200",
            "filter.living_area": "its living_area is 100; wanted: at most 90",
            "filter.year_built": "its year_built is not stated; wanted: at least 1990",
        },
    ),
    (
        asking(price_min=11),
        {},
        {"filter.price": "the price was 10; wanted: at least 11"},
    ),
    (
        msgspec.structs.replace(TERMS, price_max=9, seats="shared"),
        {},
        {
            "price": "the price was 10; the top price is 9",
            "seats": "it is for one buyer; wanted: leads for several buyers",
        },
    ),
    (
        msgspec.structs.replace(
            TERMS, is_paused=True, hours=(Hours((0, 4), 480, 1110), Hours((6,), 0, 1440))
        ),
        {},
        {
            "paused": "the order was paused",
            "hours": "it was sat 23:30 there; the order buys mon+fri 08:00-18:30, sun 00:00-24:00",
        },
    ),
]


@pytest.mark.parametrize(("terms", "facts", "reasons"), FACTS)
def test_each_rule_tells_what_was_and_what_is_asked(
    terms: StandingTerms, facts: dict[str, Any], reasons: dict[str, str]
) -> None:
    (seen,) = seen_of(listed(**facts), terms=terms)
    assert failed(seen) == reasons
    assert list(failed(seen)) == list(reasons)


def test_text() -> None:
    (seen,) = seen_of(listed(), terms=asking(q="creek"))
    reason = {"filter.q": "its text is not what a search for 'creek' finds"}
    assert failed(seen, PLAIN._replace(is_said=False)) == reason


def test_means_are_those_right_before() -> None:
    terms = msgspec.structs.replace(TERMS, per_day=2, budget=20)
    (seen,) = seen_of(listed(), terms=terms)
    poor = Circumstances(Means(2, 12, 8), RICH)
    assert failed(seen, poor) == {
        "per_day": "2 were bought that day; at most 2 a day",
        "budget": "12 were spent and it cost 9; the budget is 20",
        "credits": "it cost 9; your balance was 8",
    }
    enough = Circumstances(Means(1, 11, 9), RICH)
    assert failed(seen, enough) == {"unknown": failed(seen)["unknown"]}


def test_the_lead_itself() -> None:
    def at_a_tick(*events: e.Event) -> dict[str, str]:
        entries = [Entry(number, START + number, event) for number, event in enumerate(events, 2)]
        points = (PricePoint(9, START + 9, 10),)
        return failed(seen_of(listed(99), *entries, points=points)[-1])

    sold = e.LeadSold("lead", ME, 1, 10, "order")
    held = e.LeadHeld("lead", ME, 1, 10, "15m", 0, START + MINUTE, 0)
    assert at_a_tick(sold).keys() == {"already_bought", "lead_state"}
    assert at_a_tick(held).keys() == {"already_held", "lead_state"}
    assert at_a_tick(e.LeadSold("lead", "ann", 1, 9, "order")) == {"lead_state": "no seat was free"}
    assert at_a_tick(e.LeadWithdrawn("lead", "x")) == {"lead_state": "it was off offer"}
    (seen,) = seen_of(listed())
    merged = failed(seen, PLAIN._replace(is_bought_as_another=True))
    assert merged == {"already_bought": "you had bought a lead that turned out to be this one"}


# --- what followed -----------------------------------------------------------------------


def test_the_moment_that_filled_the_order_failed_nothing() -> None:
    (seen,) = seen_of(listed(99))
    assert failed(seen, is_filled=True) == {}


@pytest.mark.parametrize(
    ("rank", "words"), [(3, "it came as number 3 of 7"), (None, "it came behind the best 7")]
)
def test_a_contest_that_was_lost(rank: int | None, words: str) -> None:
    (seen,) = seen_of(listed())
    lost = PLAIN._replace(contest=Contested(START, 2, 7, rank))
    assert failed(seen, lost) == {"outranked": f"more claimed it than had seats (2); {words}"}


def test_the_last_seat_that_another_took_at_once() -> None:
    sold = Entry(2, START + 7, e.LeadSold("lead", "ann", 1, 10, "order"))
    (seen,) = seen_of(listed(), sold)
    assert failed(seen) == {"outranked": "the last seat went to another at that moment"}
    late = Entry(2, START + SOON_US + 1, e.LeadSold("lead", "ann", 1, 10, "order"))
    assert failed(seen_of(listed(), late)[0]).keys() == {"unknown"}


def test_what_the_order_bought_first_at_the_same_moment() -> None:
    (seen,) = seen_of(listed(), terms=msgspec.structs.replace(TERMS, per_day=1))
    around = Circumstances(Means(0, 0, 9), Means(1, 9, 0))
    assert failed(seen, around).keys() == {"per_day", "credits"}


def test_what_the_buyer_took_otherwise() -> None:
    sold = Entry(2, START + 7, e.LeadSold("lead", ME, 1, 10, "order"))
    assert failed(seen_of(listed(), sold)[0]).keys() == {"already_bought"}
    held = Entry(2, START + 7, e.LeadHeld("lead", ME, 1, 10, "15m", 0, START + MINUTE, 0))
    assert failed(seen_of(listed(), held)[0]).keys() == {"already_held"}


# --- which moments -----------------------------------------------------------------------


def test_only_moments_of_the_live_order_count_each_with_its_terms() -> None:
    points = tuple(PricePoint(10 * n, START + n * SECOND, 5 + n) for n in range(1, 8))
    second = msgspec.structs.replace(TERMS, price_max=20)
    terms = [
        TermsSince(15, START + SECOND, TERMS),
        TermsSince(35, START + 3 * SECOND + 1, second),
        TermsSince(55, START + 5 * SECOND + 1, None),
    ]
    found = moments([listed()], points, terms, ME, 50)
    assert [seen.price for seen in found] == [7, 8, 9, 10]
    assert [seen.terms for seen in found] == [TERMS, TERMS, second, second]
    assert [seen.price for seen in moments([listed()], points, terms, ME, 2)] == [9, 10]
    # What may have been decided with a moment ends where the next begins.
    assert [seen.soon for seen in found[:-1]] == [seen.moment.at - 1 for seen in found[1:]]


def test_an_order_placed_while_claims_are_collected_is_heard() -> None:
    entry = Entry(1, START, e.LeadListed("lead", 10, 1, Listing(), decide_at=START + 100))
    for since, count in ((START - 1, 1), (START + 99, 1), (START + 100, 0)):
        found = moments([entry], [], [TermsSince(2, since, TERMS)], ME, 50)
        assert len(found) == count, since


def test_a_day_begins_at_midnight_there() -> None:
    # The day of 23 hours: noon there is eleven hours after its midnight.
    assert day_began(START + 31 * MINUTE, ZONE) == START + 30 * MINUTE
    assert day_began(START + (30 + 11 * 60) * MINUTE, ZONE) == START + 30 * MINUTE
    assert day_began(START + 29 * MINUTE, ZONE) == START + (30 - 24 * 60) * MINUTE
