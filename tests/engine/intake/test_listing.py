"""What becomes public of a record, and on which terms."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.invented_contact import with_invented_contact
from engine.intake.listing import to_listing
from engine.intake.offer import PRICE_LEAST, PRICE_MOST, seats_for, starting_price
from engine.intake.quality import quality_of
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from engine.market.listing import Listing

NOW_US = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp()) * 1_000_000
CANARY = "ZXCANARYZX"
RECORD = SourceRecord(
    source="craigslist",
    source_id="7",
    market="austin",
    title=f"Nice home by {CANARY} Person",
    remarks="Call +1 512 555 0142 or write jane@example.com, 2900 Sunridge Drive. Big yard.",
    list_price=1500,
    standard_status="Active",
    property_type="Residential Lease",
    property_sub_type="Townhouse",
    street_address="2900 Sunridge Dr",
    city="Austin",
    state_or_province="TX",
    postal_code="78741",
    modification_timestamp="2026-05-01T00:00:00Z",
    contact=Contact(
        name=f"{CANARY} Person",
        phone="+15125550142",
        email="jane@example.com",
        unparsed_address="2900 Sunridge Dr, Austin, TX 78741",
        latitude=30.220737,
        longitude=-97.725491,
        source_url=f"https://x.example/{CANARY}",
    ),
)


def test_contact_is_nowhere_in_the_listing() -> None:
    public = msgspec.json.encode(to_listing(RECORD, now_us=NOW_US)).decode()
    for secret in (CANARY, "0142", "jane", "Sunridge", "2900", "30.220737", "97.725491"):
        assert secret not in public
    assert "Big yard." in public


def test_the_place_is_rounded() -> None:
    listing = to_listing(RECORD, now_us=NOW_US)
    assert listing.latitude != 30.220737
    assert listing.latitude == pytest.approx(30.2207, abs=0.002)


def test_quality_parts() -> None:
    fresh = quality_of(RECORD, now_us=NOW_US)
    assert fresh.freshness == 1
    assert fresh.contactability == 1
    old = quality_of(RECORD, now_us=NOW_US + 21 * 86_400_000_000)
    assert old.freshness == 0.5
    assert 0 < old.score < fresh.score < 1
    assert quality_of(SourceRecord(source="a", source_id="1"), now_us=NOW_US).score == 0


def test_owners_who_sell_are_exclusive() -> None:
    owner = msgspec.structs.replace(RECORD, extra={"listed_by": "owner"})
    assert seats_for(RECORD) == 3
    assert seats_for(owner) == 3
    assert seats_for(msgspec.structs.replace(owner, property_type="Residential")) == 1


@given(
    price=st.none() | st.integers(1, 10**9),
    quality=st.floats(0, 1),
    kind=st.sampled_from(["Residential", "Residential Lease", "Land", None]),
    seats=st.integers(1, 5),
)
def test_prices_are_bounded_and_rise_with_quality(
    price: int | None, quality: float, kind: str | None, seats: int
) -> None:
    credits = starting_price(Listing(list_price=price, quality=quality, property_type=kind), seats)
    best = starting_price(Listing(list_price=price, quality=1.0, property_type=kind), seats)
    assert PRICE_LEAST <= credits <= best <= PRICE_MOST


def test_published_prices() -> None:
    sale = Listing(list_price=400_000, quality=0.8, property_type="Residential")
    assert starting_price(sale, 3) == 31  # (8 + 16) x 1.3
    assert starting_price(sale, 1) == 62
    lease = Listing(list_price=1600, quality=0.5, property_type="Residential Lease")
    assert starting_price(lease, 3) == 8
    with pytest.raises(ValueError, match="at least one seat"):
        starting_price(lease, 0)


def test_invented_contacts_are_marked_and_stay_the_same() -> None:
    bare = msgspec.structs.replace(
        RECORD, contact=Contact(unparsed_address="2 A St", source_url="https://x.example")
    )
    one, two = with_invented_contact(bare).contact, with_invented_contact(bare).contact
    assert one == two
    assert one.is_invented
    assert one.phone is not None
    assert one.phone.startswith("+151255501")
    assert one.email is not None
    assert one.email.endswith("@example.com")
    assert (one.unparsed_address, one.source_url) == ("2 A St", "https://x.example")
    assert with_invented_contact(RECORD) is RECORD
