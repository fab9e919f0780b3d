"""A lead's quality: named parts, never lower for knowing more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.quality import (
    COMPLETENESS_WEIGHTS,
    PART_WEIGHTS,
    Quality,
    agreement_of,
    quality_of,
    quality_of_lead,
)
from engine.intake.record import FieldNote, SourceRecord
from engine.market.answers import Contact
from engine.market.listing import Listing

NOW_US = 1_777_000_000_000_000
FULL: dict[str, Any] = {
    "title": "Nice",
    "remarks": "Motivated seller",
    "list_price": 500_000,
    "bedrooms_total": 3,
    "bathrooms_total_integer": 2,
    "living_area": 1_500,
    "property_sub_type": "Townhouse",
    "street_address": "1 Elm St",
    "year_built": 1990,
    "posted_at": "2026-04-20T00:00:00Z",
    "modification_timestamp": "2026-04-01T00:00:00Z",
    "extra": {"previous_list_price": 600_000},
}
CONTACT = {"name": "A", "phone": "+17025550123", "email": "a@example.com", "latitude": 36.1}


def _record(fields: set[str], contact: set[str]) -> SourceRecord:
    return SourceRecord(
        source="mls",
        source_id="1",
        contact=Contact(**{name: CONTACT[name] for name in contact}),  # type: ignore[arg-type]
        **{name: FULL[name] for name in fields},
    )


@given(
    st.sets(st.sampled_from(sorted(FULL))),
    st.sets(st.sampled_from(sorted(CONTACT))),
    st.sampled_from([*sorted(FULL), *sorted(CONTACT)]),
    st.none() | st.floats(0, 1),
)
def test_one_more_field_never_lowers_the_score(
    fields: set[str], contact: set[str], added: str, agreement: float | None
) -> None:
    before = quality_of(_record(fields, contact), now_us=NOW_US, agreement=agreement)
    if added in FULL:
        fields = fields | {added}
    else:
        contact = contact | {added}
    after = quality_of(_record(fields, contact), now_us=NOW_US, agreement=agreement)
    assert after.score >= before.score
    assert all(0 <= part <= 1 for part in after.parts().values())
    assert 0 <= after.score <= 1


def test_weights_add_up_to_one() -> None:
    assert sum(PART_WEIGHTS.values()) == pytest.approx(1)
    assert sum(COMPLETENESS_WEIGHTS.values()) == pytest.approx(1)
    assert tuple(PART_WEIGHTS) == Quality._fields


def test_parts_of_one_record_leave_agreement_out() -> None:
    quality = quality_of(_record(set(FULL), set(CONTACT)), now_us=NOW_US)
    assert quality.completeness == 1.0
    assert quality.contactability == 1.0
    assert "agreement" not in quality.parts()
    assert quality.score > quality._replace(agreement=0.0).score
    assert Quality(1.0, 1.0, 1.0, None, 1.0).score == 1.0


def test_a_doubted_field_counts_for_less() -> None:
    record = _record(set(FULL), set(CONTACT))
    doubted = msgspec.structs.replace(record, notes={"list_price": FieldNote("far-off", 0.5)})
    assert quality_of(doubted, now_us=NOW_US).completeness == pytest.approx(0.9)


def test_freshness_halves_in_three_weeks() -> None:
    record = _record({"posted_at"}, set())
    posted_us = 1_776_643_200_000_000
    assert quality_of(record, now_us=posted_us).freshness == 1.0
    assert quality_of(record, now_us=posted_us - 10**12).freshness == 1.0
    assert quality_of(record, now_us=posted_us + 21 * 86_400_000_000).freshness == 0.5
    assert quality_of(_record(set(), set()), now_us=posted_us).freshness == 0.0


def test_records_agree_as_far_as_they_say_the_same() -> None:
    one = Listing(list_price=500_000, bedrooms_total=3, living_area=1_500)
    near = Listing(list_price=505_000, bedrooms_total=3, year_built=1990)
    other = Listing(list_price=400_000, bedrooms_total=4)
    assert agreement_of([one]) is None
    assert agreement_of([one, Listing(year_built=1)]) is None
    assert agreement_of([one, near]) == 1.0
    assert agreement_of([one, other]) == 0.5
    assert agreement_of([one, near, other]) == pytest.approx(2 / 3, abs=1e-4)


@given(st.lists(st.builds(Listing, list_price=st.none() | st.integers(0, 9)), max_size=6))
def test_agreement_does_not_depend_on_the_order(said: list[Listing]) -> None:
    assert agreement_of(said) == agreement_of(said[::-1])
    agreement = agreement_of(said)
    assert agreement is None or 0 < agreement <= 1


def test_a_lead_is_as_good_as_the_best_of_its_records() -> None:
    parts = [
        Quality(0.5, 0.9, 0.2, None, 0.0).parts(),
        Quality(0.8, 0.1, 0.7, None, 0.4).parts(),
    ]
    assert quality_of_lead(parts, 0.6) == Quality(0.8, 0.9, 0.7, 0.6, 0.4)
    with pytest.raises(ValueError, match="no record"):
        quality_of_lead([], None)
