"""Evidence: what is shared is counted, whatever the order it came in, and within bounds."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.fraud.evidence import Evidence, EvidenceBook, Trace
from engine.intake.fraud.trace_index import ROWS_PER_KEY_MAX
from tests.engine.intake.fraud.traces import (
    HOUR_US,
    NOW_US,
    book_of,
    images,
    many_traces,
    text,
    trace,
)

LEADS = [f"lead-{place}" for place in range(5)]


def everything(book: EvidenceBook) -> dict[str, Evidence]:
    return {lead: book.of(lead, NOW_US) for lead in LEADS}


def test_of_a_lead_without_traces_nothing_is_told() -> None:
    assert EvidenceBook().of("unheard-of", NOW_US) == Evidence()


def test_a_phone_is_counted_over_addresses_and_markets() -> None:
    book = book_of(
        trace("a", "one", phone=7, number=1, street=1, seen_hours=10),
        trace("b", "two", phone=7, number=2, street=1, seen_hours=20),
        trace("c", "three", phone=7, number=3, street=1, seen_hours=50, market="dallas"),
        trace("d", "four", phone=8, number=4, street=1),
    )
    found = book.of("one", NOW_US)
    assert (found.contact_leads, found.contact_addresses, found.contact_markets) == (2, 3, 2)
    assert found.contact_leads_day == 1
    assert book.of("three", NOW_US).contact_known_us == NOW_US - 10 * HOUR_US
    assert book.of("four", NOW_US).contact_leads == 0


def test_a_copied_text_is_told_apart_from_the_own_offices() -> None:
    mine, nearly = text(*range(1, 25)), text(*range(1, 19))
    book = book_of(
        trace("a", "one", phone=7, name=1, text=mine, number=1, street=1),
        trace("b", "two", phone=8, name=2, text=nearly, number=2, street=1, seen_hours=30),
        trace("c", "three", phone=7, text=mine, number=1, street=1),
        trace("d", "four", phone=9, text=text(*range(500, 524))),
    )
    found = book.of("two", NOW_US)
    assert (found.text_leads, found.text_other_contact, found.text_other_address) == (2, 2, 2)
    assert found.text_likeness == pytest.approx(18 / 24)
    assert not found.text_was_first
    assert book.of("one", NOW_US).text_was_first
    assert book.of("one", NOW_US).text_other_contact == 1
    assert book.of("four", NOW_US).text_leads == 0


def test_pictures_of_another_home() -> None:
    book = book_of(
        trace("a", "one", phone=7, number=1, street=1, images=images(11, 12, 13, 14)),
        trace("b", "two", phone=8, number=2, street=1, images=images(12, 13, 99)),
        trace("c", "three", images=images(14)),
    )
    found = book.of("two", NOW_US)
    assert (found.pictures, found.pictures_shared, found.picture_leads) == (3, 2, 1)
    assert (found.picture_other_contact, found.picture_other_address) == (1, 1)
    # Neither a contact nor an address to differ by.
    assert book.of("three", NOW_US).picture_leads == 1
    assert book.of("three", NOW_US).pictures_shared == 0


def test_the_same_address_under_another_contact_for_less() -> None:
    home = {"number": 1, "street": 1}
    book = book_of(
        trace("a", "one", phone=7, kind=1, price=2_000, unit=5, **home),
        trace("b", "two", phone=8, kind=1, price=1_000, **home),
        trace("c", "three", phone=9, kind=2, price=400_000, unit=6, **home),
        trace("d", "two", phone=9, kind=1, price=1_500, **home),
    )
    found = book.of("two", NOW_US)
    assert (found.records, found.own_contacts) == (2, 2)
    assert found.own_price_spread == pytest.approx(0.405, abs=0.001)
    assert found.address_under == pytest.approx(0.693, abs=0.001)
    assert (found.address_leads, found.address_other_kind) == (2, 1)
    # Another unit is another home.
    assert book.of("one", NOW_US).address_leads == 1


def test_a_listing_number_offered_lower() -> None:
    book = book_of(
        trace("a", "one", kind=1, listing=5, price=2_000),
        trace("b", "two", kind=1, listing=5, price=500),
    )
    assert book.of("two", NOW_US).listing_under == pytest.approx(1.386, abs=0.001)
    assert book.of("one", NOW_US).listing_under == 0


def test_a_point_far_from_the_stated_postal_code() -> None:
    there = [
        trace(f"t{n}", f"there-{n}", postal_code=5, latitude=300_000 + n, longitude=-970_000)
        for n in range(6)
    ]
    away = trace("x", "away", postal_code=5, latitude=301_000, longitude=-970_000)
    unknown = trace("y", "unknown", postal_code=6, latitude=301_000, longitude=-970_000)
    book = book_of(*there, away, unknown)
    assert book.of("away", NOW_US).place_km == pytest.approx(11.1, abs=0.1)
    assert (book.of("there-0", NOW_US).place_km or 9) < 0.1
    assert book.of("unknown", NOW_US).place_km is None


def test_a_trace_put_again_takes_its_place() -> None:
    first = trace("a", "one", phone=7)
    again = msgspec.structs.replace(first, lead_id="two", market="dallas")
    book = book_of(first, trace("b", "three", phone=7), again)
    assert len(book) == 2
    assert book.of("one", NOW_US) == Evidence()
    assert book.of("two", NOW_US).records == 1
    assert book.of("three", NOW_US).contact_leads == 1


@given(many_traces(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_puts_makes_no_difference(traces: list[Trace], rng: random.Random) -> None:
    mixed = list(traces)
    rng.shuffle(mixed)
    assert everything(book_of(*mixed)) == everything(book_of(*traces))


@given(many_traces(), st.sampled_from(LEADS), st.sampled_from(LEADS))
@settings(max_examples=60, deadline=None)
def test_merged_is_as_if_put_under_one_lead(traces: list[Trace], goes: str, stays: str) -> None:
    book = book_of(*traces)
    book.merged(goes, stays)
    together = [
        msgspec.structs.replace(each, lead_id=stays if each.lead_id == goes else each.lead_id)
        for each in traces
    ]
    assert everything(book) == everything(book_of(*together))


def test_beyond_the_bound_the_same_traces_count_in_any_order() -> None:
    traces = [
        trace(f"{n:05d}", f"lead-{n}", phone=7, number=n + 1, street=1, price=n)
        for n in range(3 * ROWS_PER_KEY_MAX)
    ]
    found = book_of(*traces).of("lead-0", NOW_US)
    assert found.contact_leads <= ROWS_PER_KEY_MAX
    assert found.contact_addresses >= ROWS_PER_KEY_MAX - 1
    assert book_of(*traces[::-1]).of("lead-0", NOW_US) == found


def test_what_was_stored_in_segments_is_found_as_well() -> None:
    """Enough keys that segments are made and merged."""
    rng = random.Random(5)
    traces = [
        trace(
            f"{n:06d}",
            f"lead-{n % 4_000}",
            phone=rng.randrange(1, 500),
            number=rng.randrange(1, 900),
            street=1,
            text=text(*(rng.randrange(1, 60_000) for _ in range(24))),
        )
        for n in range(6_000)
    ]
    book = book_of(*traces)
    phones: dict[int, set[str]] = {}
    own: dict[str, set[int]] = {}
    for each in traces:
        phones.setdefault(each.features.phone, set()).add(each.lead_id)
        own.setdefault(each.lead_id, set()).add(each.features.phone)
    for lead in list(own)[:200]:
        others = set().union(*(phones[phone] for phone in own[lead])) - {lead}
        assert book.of(lead, NOW_US).contact_leads == len(others)
