"""Segments are found again, know their parents, and are bounded."""

from __future__ import annotations

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.listing import Listing
from engine.market.pricing.segments import (
    PARENT_RESOLUTION,
    ROOT,
    UNPRICED,
    Segments,
    band_of,
    key_of,
    kind_of,
)

listings = st.builds(
    Listing,
    list_price=st.none() | st.integers(1, 3_000_000),
    property_type=st.sampled_from([None, "Residential", "Residential Lease", "Land"]),
    property_sub_type=st.sampled_from([None, "Single Family Residence", "Condominium", "Boat"]),
    latitude=st.none() | st.floats(29, 37),
    longitude=st.none() | st.floats(-116, -96),
)


@given(st.lists(listings, max_size=30))
def test_every_segment_comes_after_its_parent(found: list[Listing]) -> None:
    segments = Segments()
    numbers = [segments.of(each) for each in found]
    assert [segments.of(each) for each in found] == numbers
    parents = segments.parents.tolist()
    assert parents[ROOT] == -1
    assert all(0 <= parent < number for number, parent in enumerate(parents) if number)
    assert Segments(segments.keys).keys == segments.keys
    assert Segments(segments.keys).parents.tolist() == parents


def test_a_thin_segment_borrows_from_its_neighbours() -> None:
    listing = Listing(
        list_price=300_000, property_type="Residential", latitude=30.27, longitude=-97.74
    )
    segments = Segments()
    chain = [segments.of(listing)]
    while chain[-1] != ROOT:
        chain.append(int(segments.parents[chain[-1]]))
    cell, kind, band = key_of(listing)
    keys = segments.keys
    assert [keys[number - 1] for number in chain[:-1]] == [
        (cell, kind, band),
        (h3.cell_to_parent(cell, PARENT_RESOLUTION), kind, band),
        ("", kind, band),
    ]


@pytest.mark.parametrize(
    ("property_type", "sub_type", "kind"),
    [
        ("Residential", "Single Family Residence", "sale house"),
        ("Residential Lease", "Apartment", "lease attached"),
        ("Land", None, "sale land"),
        (None, None, "sale other"),
    ],
)
def test_kinds(property_type: str | None, sub_type: str | None, kind: str) -> None:
    assert kind_of(Listing(property_type=property_type, property_sub_type=sub_type)) == kind


def test_bands_are_of_sales_and_rents_apart() -> None:
    assert band_of(Listing(list_price=1_500, property_type="Residential")) == 0
    assert band_of(Listing(list_price=1_500, property_type="Residential Lease")) == 1
    assert band_of(Listing(list_price=9_000_000)) == 4
    assert band_of(Listing()) == UNPRICED


def test_what_comes_after_the_last_segment_counts_to_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Segments, "SEGMENTS_MAX", 3)
    segments = Segments()
    numbers = {segments.of(Listing(list_price=price)) for price in range(1, 2_000_000, 100_000)}
    assert len(segments) == 3
    assert numbers <= {0, 1, 2}
