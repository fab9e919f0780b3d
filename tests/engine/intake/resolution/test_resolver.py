"""The resolver: who is one lead, whatever the order in which they come."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.record import SourceRecord
from engine.intake.resolution import MatchFeatures, Resolver, features_of, partition
from engine.intake.resolution.index import BLOCK_ROWS_MAX
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.stated import stated_record
from engine.market.answers import Contact
from engine.market_directory import load_markets

STABLE = {"zillow", "redfin", "realtor", "mls"}
HOUSE: dict[str, Any] = {
    "street_address": "4034 Rawlins St",
    "postal_code": "75219",
    "property_type": "Residential",
    "property_sub_type": "Single Family Residence",
    "bedrooms_total": 3,
    "living_area": 1_850,
    "list_price": 425_000,
    "contact": Contact(latitude=32.81, longitude=-96.81),
}
FLAT = HOUSE | {
    "property_type": "Residential Lease",
    "property_sub_type": "Apartment",
    "unit_number": "207",
    "list_price": 1_850,
    "living_area": 830,
}


def features(source: str, source_id: str, **fields: Any) -> MatchFeatures:
    record = SourceRecord(source=source, source_id=source_id, **fields)
    return features_of(record, stable_ids=source in STABLE)


def are_one(one: MatchFeatures, other: MatchFeatures) -> bool:
    resolver = Resolver()
    assert resolver.match([one]) == [[]]
    matches = resolver.match([other])[0]
    assert matches == Resolver().match([other, one])[1]
    return bool(matches)


def test_one_home_of_two_portals_in_other_words() -> None:
    other = HOUSE | {"street_address": "4034 RAWLINS STREET", "list_price": 419_000}
    assert are_one(features("zillow", "1", **HOUSE), features("redfin", "9", **other))


def test_a_slip_of_the_pen_is_seen_through() -> None:
    other = HOUSE | {"street_address": "4034 Rawilns St", "postal_code": None}
    assert are_one(features("zillow", "1", **HOUSE), features("redfin", "9", **other))


@pytest.mark.parametrize(
    "change",
    [
        {"street_address": "4036 Rawlins St"},
        {"street_address": "4034 Vandermeer Ave"},
        {"property_type": "Residential Lease", "list_price": 2_600},
    ],
)
def test_what_must_stay_two_leads(change: dict[str, Any]) -> None:
    assert not are_one(features("zillow", "1", **HOUSE), features("redfin", "9", **HOUSE | change))


@pytest.mark.parametrize("other", [{"living_area": 838}, {"bedrooms_total": 2}])
def test_one_text_for_flats_of_other_size_is_several_leads(other: dict[str, Any]) -> None:
    """Nothing but the size tells them apart; posted again as it was it is the same."""
    text = {"remarks": "Sunny flat near the lake, freshly painted, with a pool and parking."}
    flat = FLAT | text | {"unit_number": None}
    posted = features("craigslist", "1", **flat)
    assert are_one(posted, features("craigslist", "2", **flat))
    assert not are_one(posted, features("craigslist", "2", **flat | other))


def test_two_ids_of_a_source_with_one_id_per_home_are_two_homes() -> None:
    assert not are_one(features("zillow", "1", **HOUSE), features("zillow", "2", **HOUSE))
    assert are_one(features("craigslist", "1", **HOUSE), features("craigslist", "2", **HOUSE))


def test_flats_of_one_plan_stay_apart() -> None:
    other = FLAT | {"unit_number": "208"}
    assert not are_one(features("zillow", "1", **FLAT), features("redfin", "9", **other))
    assert are_one(features("zillow", "1", **FLAT), features("redfin", "9", **FLAT))


def test_plans_of_one_complex_under_one_text_and_door_stay_apart() -> None:
    text = {"remarks": "One, two and three bedrooms with a pool and new floors, ask us. " * 3}
    one, other = FLAT | text, FLAT | text | {"bedrooms_total": 2, "living_area": 700}
    assert not are_one(features("craigslist", "1", **one), features("craigslist", "2", **other))
    assert are_one(features("craigslist", "1", **one), features("craigslist", "2", **one))


def test_a_clone_at_half_the_price_is_a_lead_of_its_own() -> None:
    victim = FLAT | {"remarks": "A bright flat with new windows and a covered patio. " * 3}
    clone = victim | {"list_price": 925}
    assert not are_one(features("zillow", "1", **victim), features("craigslist", "9", **clone))


def test_the_same_id_is_the_same_lead_whatever_it_says_now() -> None:
    moved = {"list_price": 1, "property_type": "Residential Lease"}
    assert are_one(features("craigslist", "1", **HOUSE), features("craigslist", "1", **moved))


def test_records_that_say_nothing_match_nothing() -> None:
    assert not are_one(features("craigslist", "1"), features("facebook", "2"))


def test_rows_are_numbered_in_the_order_of_arrival() -> None:
    resolver = Resolver()
    resolver.add_known([])
    resolver.add_known([features("zillow", "1", **HOUSE), features("zillow", "5", **FLAT)])
    assert resolver.match([]) == []
    found = resolver.match([features("redfin", "9", **HOUSE), features("craigslist", "3", **HOUSE)])
    assert [[match.row for match in matches] for matches in found] == [[0], [0, 2]]
    assert all(match.probability >= resolver.threshold for match in found[1])
    assert len(resolver) == 4


def test_a_block_above_the_cap_is_counted() -> None:
    resolver = Resolver()
    same = msgspec.structs.replace(features("craigslist", "1", **HOUSE))
    resolver.add_known([same] * (BLOCK_ROWS_MAX + 1))
    assert resolver.capped == 0
    resolver.match([same])
    assert resolver.capped > 0


def world_features() -> list[MatchFeatures]:
    world = SampleWorld(11, 400, [load_markets()["dallas"]])
    return [
        features_of(stated_record(seen), stable_ids=seen.source in STABLE)
        for seen in world.sightings("dallas")
    ]


WORLD = world_features()


def leads_of(rows: list[MatchFeatures], sizes: list[int]) -> set[frozenset[int]]:
    """The partition as sets of identities, the rows arriving in batches of these sizes."""
    resolver, edges, start = Resolver(), [], 0
    for size in [*sizes, len(rows)]:
        for place, matches in enumerate(resolver.match(rows[start : start + size])):
            edges += [(start + place, match.row) for match in matches]
        start = min(start + size, len(rows))
    parts: dict[int, set[int]] = {}
    for row, part in zip(rows, partition(edges, len(rows)), strict=True):
        parts.setdefault(part, set()).add(row.identity)
    return {frozenset(part) for part in parts.values()}


EXPECTED = leads_of(WORLD, [])


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 300), max_size=5))
def test_neither_order_nor_batches_change_the_leads(rng: random.Random, sizes: list[int]) -> None:
    assert leads_of(rng.sample(WORLD, len(WORLD)), sizes) == EXPECTED


def test_the_same_feed_loaded_twice_changes_nothing() -> None:
    assert leads_of([*WORLD, *WORLD], [len(WORLD)]) == EXPECTED


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_probabilities_are_those_of_the_pair_alone(rng: random.Random) -> None:
    def by_pair(rows: list[MatchFeatures]) -> dict[frozenset[int], float]:
        pairs = Resolver().match_pairs(rows)
        return {
            frozenset((rows[a].identity, rows[b].identity)): float(probability)
            for a, b, probability in zip(
                pairs.later, pairs.earlier, np.round(pairs.probability, 12), strict=True
            )
        }

    assert by_pair(rng.sample(WORLD, len(WORLD))) == by_pair(WORLD)
