"""Merging what several records say of one home: the same whatever the order."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.survivorship import Claim, survive
from engine.market.listing import Listing

# Few distinct moments, some a few minutes apart across a window's edge.
moments = st.none() | st.sampled_from(
    (
        "2026-01-01T05:59:00Z",
        "2026-01-01T06:01:00Z",
        "2026-01-01T06:01:00.5Z",
        "2026-01-01T11:59:00Z",
        "2026-01-01T12:01:00Z",
        "2026-02-01T00:00:00Z",
    )
)
full_listings = st.builds(
    Listing,
    quality=st.sampled_from((0.0, 0.25, 1.0)),
    fraud_flag=st.booleans(),
    sources=st.sampled_from((("redfin",), ("zillow",))),
    list_price=st.none() | st.integers(1, 3),
    standard_status=st.none() | st.sampled_from(("Active", "Pending", "Closed")),
    bedrooms_total=st.none() | st.integers(1, 3),
    public_remarks=st.none() | st.text("ab█", max_size=5),
    modification_timestamp=moments,
).flatmap(
    lambda listing: (st.none() | st.sampled_from(((30.2, -97.7), (30.4, -97.9)))).map(
        lambda point: (
            listing
            if point is None
            else msgspec.structs.replace(listing, latitude=point[0], longitude=point[1])
        )
    )
)
claims = st.builds(
    Claim,
    source=st.sampled_from(("mls", "redfin", "zillow")),
    source_id=st.sampled_from(("1", "2")),
    trust=st.sampled_from((0.4, 0.7, 0.95)),
    modified=moments,
    listing=full_listings,
    confidence=st.dictionaries(
        st.sampled_from(("bedrooms_total", "list_price", "latitude")),
        st.sampled_from((0.0, 0.5, 1.0)),
    ),
)


@given(st.lists(claims, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_survivors_do_not_depend_on_the_order(said: list[Claim], rng: random.Random) -> None:
    assert survive(said) == survive(rng.sample(said, len(said)))


@given(st.lists(claims, min_size=1, max_size=6))
def test_every_survivor_was_said_by_its_origin(said: list[Claim]) -> None:
    listing, origin = survive(said)
    for name in ("list_price", "standard_status", "bedrooms_total", "latitude", "public_remarks"):
        value = getattr(listing, name)
        assert (value is None) == (name not in origin)
        if name in origin:
            of_origin = [c for c in said if (c.source, c.source_id) == origin[name]]
            assert value in [getattr(c.listing, name) for c in of_origin]
        elif name != "standard_status":
            assert all(getattr(c.listing, name) is None for c in said)
    assert listing.quality == max(c.listing.quality for c in said)
    assert listing.fraud_flag == any(c.listing.fraud_flag for c in said)
    assert listing.sources == tuple(sorted({s for c in said for s in c.listing.sources}))
    points = [(c.listing.latitude, c.listing.longitude) for c in said]
    assert (listing.latitude, listing.longitude) in points or listing.latitude is None


@given(claims)
def test_a_claim_alone_stands_as_it_is(claim: Claim) -> None:
    assert survive([claim]).listing == claim.listing
    assert survive([claim, claim]) == survive([claim])


def _claim(source: str, trust: float, modified: str | None, **said: object) -> Claim:
    return Claim(source, "1", trust, modified, Listing(sources=(source,), **said))  # type: ignore[arg-type]


def test_the_latest_price_holds_whoever_says_it() -> None:
    mls = _claim("mls", 0.95, "2026-05-01T00:00:00Z", list_price=500_000, year_built=1999)
    post = _claim("craigslist", 0.4, "2026-05-03T00:00:00Z", list_price=480_000, year_built=2001)
    listing, origin = survive([mls, post])
    assert (listing.list_price, listing.year_built) == (480_000, 1999)
    assert origin == {"list_price": ("craigslist", "1"), "year_built": ("mls", "1")}


def test_in_the_same_hours_the_trusted_price_holds() -> None:
    mls = _claim("mls", 0.95, "2026-05-01T07:00:00Z", list_price=500_000)
    post = _claim("craigslist", 0.4, "2026-05-01T09:00:00Z", list_price=480_000)
    assert survive([mls, post]).listing.list_price == 500_000


def test_what_a_trusted_source_doubts_gives_way() -> None:
    mls = _claim("mls", 0.9, "2026-05-01T00:00:00Z", living_area=15_000)
    mls = mls._replace(confidence={"living_area": 0.3})
    post = _claim("craigslist", 0.4, "2026-01-01T00:00:00Z", living_area=1_500)
    assert survive([mls, post]).listing.living_area == 1_500


def test_a_home_is_gone_when_the_latest_word_says_so() -> None:
    sold = _claim("mls", 0.95, "2026-05-02T00:00:00Z", standard_status="Closed")
    active = _claim("zillow", 0.7, "2026-05-01T00:00:00Z", standard_status="Active")
    shown = _claim("craigslist", 0.4, "2026-05-01T00:00:00Z")
    assert survive([sold, active, shown]).listing.standard_status == "Closed"


def test_a_later_offer_overrules_gone() -> None:
    sold = _claim("mls", 0.95, "2026-05-02T00:00:00Z", standard_status="Closed")
    again = _claim("zillow", 0.7, "2026-05-09T00:00:00Z", standard_status="Active")
    shown = _claim("craigslist", 0.4, "2026-05-09T00:00:00Z")
    assert survive([sold, again]).listing.standard_status == "Active"
    assert survive([sold, shown]).listing.standard_status is None


def test_no_claim_is_an_error() -> None:
    with pytest.raises(ValueError, match="no claim"):
        survive([])
