"""Cleaning as a whole: it can be repeated, never raises and never makes up a stated field."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.cleaning import clean
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from tests.engine.intake.cleaning.markets import MARKETS

some_text = st.text(max_size=30)
moments = st.sampled_from(
    (
        "2026-05-01T10:00:00Z",
        "2026-05-01T10:00:00",
        "2026-05-02",
        "2030-01-01T00:00:00Z",
        "soon",
        "2026-05-01T10:00:00.25+02:00",
        "0001-01-01",
        "May-27-2026",
    )
)
points = st.sampled_from(
    (
        (None, None),
        (32.81, -96.81),
        (30.27, -97.74),
        (32.81, 96.81),
        (-96.81, 32.81),
        (36.17, -115.14),
        (40.7, -74.0),
        (0.0, 1.0),
    )
)
contacts = st.builds(
    lambda point, **fields: Contact(latitude=point[0], longitude=point[1], **fields),
    point=points,
    name=st.none() | some_text | st.sampled_from(("Owner", " Ana  Ruiz")),
    phone=st.none() | some_text | st.sampled_from(("(702) 555-0123 x4", "(555) 555-0100")),
    email=st.none() | some_text | st.sampled_from(("Jo@EXAMPLE.com", "masked@example.com")),
    unparsed_address=st.none()
    | some_text
    | st.sampled_from(
        ("1 Elm St Apt 5, Dallas, TX 75219", "1 Elm St Dallas TX", "PO Box 1, Austin, TX 78701")
    ),
)
records = st.builds(
    SourceRecord,
    source=st.just("fsbo"),
    source_id=st.just("1"),
    market=st.none() | st.sampled_from((*MARKETS, "nowhere")),
    title=st.none() | some_text | st.sampled_from(("<b>Condo</b> for rent", "Duplex &amp;amp; x")),
    remarks=st.none() | some_text | st.just("The house is on the hill and you can see it. " * 3),
    list_price=st.none() | st.sampled_from((1, 42, 300, 1_200, 169_000, 500_000, 10**9)),
    property_type=st.none() | st.sampled_from(("Residential", "Residential Lease", "Land")),
    property_sub_type=st.none() | st.just("Duplex"),
    bedrooms_total=st.none() | st.integers(0, 100),
    living_area=st.none() | st.sampled_from((3, 1_500, 250_000)),
    lot_size_square_feet=st.none() | st.sampled_from((3, 8_000)),
    year_built=st.none() | st.sampled_from((1700, 1999, 2090)),
    street_address=st.none()
    | some_text
    | st.sampled_from(("8408 Mesa Dr #A", "Main at 5th", "1 Elm St, Plano, TX 75023", "PO Box 4")),
    city=st.none() | st.sampled_from(("Dallas", "AUSTIN", "Kyle", "Dalas", "Summerlin", "x")),
    state_or_province=st.none() | st.sampled_from(("TX", "NV", "texas", "XX")),
    postal_code=st.none() | st.sampled_from(("75219", "78640", "89101", "00000", "7521")),
    posted_at=st.none() | moments,
    modification_timestamp=st.none() | moments,
    fetched_at=st.none() | st.just("2026-05-03T00:00:00Z"),
    contact=contacts,
    extra=st.sampled_from(({}, {"lease_amount_frequency": "Weekly"}, {"images": 3})),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(records)
def test_cleaning_again_changes_nothing(record: SourceRecord) -> None:
    once = clean(record, MARKETS)
    assert clean(once, MARKETS) == once


@settings(max_examples=200, deadline=None)
@given(records)
def test_a_derived_field_has_a_note_between_0_and_1(record: SourceRecord) -> None:
    cleaned = clean(record, MARKETS)
    contact_fields = ("phone", "email", "name", "latitude", "longitude")
    for name in (*SourceRecord.__struct_fields__, *contact_fields):
        if name in {"contact", "notes", "extra"}:
            continue
        before, after = _said(record, name), _said(cleaned, name)
        if before is None and after is not None:
            assert name in cleaned.notes, name
    assert all(0 <= note.confidence <= 1 for note in cleaned.notes.values())
    assert (cleaned.source, cleaned.source_id) == (record.source, record.source_id)
    assert cleaned.content_hash == record.content_hash


def _said(record: SourceRecord, name: str) -> Any:
    return getattr(record.contact if hasattr(record.contact, name) else record, name)
