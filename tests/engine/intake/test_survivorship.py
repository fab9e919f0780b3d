"""Merging what several records say of one home: the same whatever the order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.survivorship import merge_listings
from engine.market.listing import Listing

listings = st.builds(
    Listing,
    quality=st.sampled_from((0.0, 0.25, 1.0)),
    fraud_flag=st.booleans(),
    sources=st.sampled_from((("redfin",), ("zillow",), ("craigslist", "zillow"))),
    is_sample=st.booleans(),
    list_price=st.none() | st.integers(1, 3),
    city=st.none() | st.sampled_from(("Austin", "Dallas")),
    latitude=st.none() | st.sampled_from((30.25, 30.5)),
    public_remarks=st.none() | st.text(max_size=3),
    modification_timestamp=st.none()
    | st.sampled_from(("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")),
)


@given(st.lists(listings, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(said: list[Listing], rng: random.Random) -> None:
    shuffled = rng.sample(said, len(said))
    assert merge_listings(said) == merge_listings(shuffled)


@given(st.lists(listings, min_size=1, max_size=6))
def test_every_field_is_what_somebody_said(said: list[Listing]) -> None:
    merged = merge_listings(said)
    for name in ("list_price", "city", "latitude", "public_remarks"):
        values = [getattr(each, name) for each in said]
        assert getattr(merged, name) in values
        assert (getattr(merged, name) is None) == (set(values) == {None})
    assert merged.quality == max(each.quality for each in said)
    assert merged.fraud_flag == any(each.fraud_flag for each in said)
    assert merged.is_sample == any(each.is_sample for each in said)
    assert set(merged.sources) == {source for each in said for source in each.sources}
    assert list(merged.sources) == sorted(set(merged.sources))


@given(listings)
def test_one_record_stands_as_it_is(listing: Listing) -> None:
    assert merge_listings([listing]) == listing
    assert merge_listings([listing, listing]) == listing


def test_the_newest_that_says_anything_wins() -> None:
    old = Listing(sources=("zillow",), list_price=300, city="Austin",
                  modification_timestamp="2026-01-01T00:00:00Z")  # fmt: skip
    new = Listing(sources=("redfin",), list_price=310,
                  modification_timestamp="2026-02-01T00:00:00Z")  # fmt: skip
    merged = merge_listings([old, new])
    assert (merged.list_price, merged.city) == (310, "Austin")
    assert merged.modification_timestamp == "2026-02-01T00:00:00Z"
    assert merged.sources == ("redfin", "zillow")


def test_nothing_to_merge_is_an_error() -> None:
    with pytest.raises(ValueError, match="no listing"):
        merge_listings([])
