"""What a standing order asks for, rule by rule, and the market's clock on the wall."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import asin, cos, degrees, radians, sin, sqrt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market.sphere import (
    EARTH_RADIUS_M,
    box_around,
    chord_squared,
    chord_squared_of,
    unit_vector,
)
from engine.market.standing_rules import (
    failed_filter_rules,
    in_hours,
    local_day,
    local_time,
)
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms

AUSTIN = ZoneInfo("America/Chicago")
NUMBERS = ("list_price", "living_area", "lot_size_square_feet", "year_built", "bedrooms_total")
latitudes, longitudes = st.floats(-89.9, 89.9), st.floats(-180, 180)


def failed(
    listing: Listing, price: int = 10, max_buyers: int = 3, *, price_max: int = 10, **asked: Any
) -> list[str]:
    seats = asked.pop("seats", "any")
    terms = StandingTerms(
        name="any", price_max=price_max, seats=seats, filter=StandingFilter(**asked)
    )
    return failed_filter_rules(terms, listing, price, max_buyers)


def haversine_m(latitude: float, longitude: float, other: tuple[float, float]) -> float:
    here, there = radians(latitude), radians(other[0])
    north, east = sin((there - here) / 2), sin(radians(other[1] - longitude) / 2)
    h = north * north + cos(here) * cos(there) * east * east
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


# --- the rules -----------------------------------------------------------------------


def test_an_empty_filter_asks_for_any_lead_it_can_pay() -> None:
    assert failed(Listing()) == []
    assert failed(Listing(), price=11) == ["price"]


def test_every_rule_is_named_in_its_order() -> None:
    asked = {f"{name}_min": 2 for name in NUMBERS} | {f"{name}_max": 1 for name in NUMBERS}
    rules = failed(
        Listing(list_price=1, year_built=2, property_type="Land", sources=("one",)),
        price=20,
        near=(30.0, -97.0),
        radius_m=1,
        bbox=(-98.0, 30.0, -97.0, 31.0),
        property_type=("Farm",),
        source=("other",),
        price_min=21,
        seats="exclusive",
        **asked,
    )
    assert rules == [
        "filter.near",
        "filter.bbox",
        "filter.property_type",
        "filter.source",
        *(f"filter.{name}" for name in NUMBERS),
        "filter.price",
        "price",
        "seats",
    ]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    ("fact", "bounds", "is_met"),
    [
        (5, {"min": 5}, True),
        (5, {"min": 6}, False),
        (5, {"max": 5}, True),
        (5, {"max": 4}, False),
        (5, {"min": 5, "max": 5}, True),
        (5, {"min": 6, "max": 4}, False),
        (0, {"min": 0}, True),
        (None, {"min": 0}, False),
        (None, {"max": 9}, False),
        (None, {}, True),
        (2**63 - 1, {"max": 2**63 - 1}, True),
        (2**63 - 1, {"max": 2**63 - 2}, False),
    ],
)
def test_bounds_are_inclusive(
    name: str, fact: int | None, bounds: dict[str, int], is_met: bool
) -> None:
    asked = {f"{name}_{side}": bound for side, bound in bounds.items()}
    assert failed(Listing(**{name: fact}), **asked) == ([] if is_met else [f"filter.{name}"])


@pytest.mark.parametrize(
    ("price", "rules"), [(4, ["filter.price"]), (5, []), (10, []), (11, ["price"])]
)
def test_the_price_is_bound_on_both_sides(price: int, rules: list[str]) -> None:
    assert failed(Listing(), price, price_min=5, price_max=10) == rules


@pytest.mark.parametrize(
    ("seats", "max_buyers", "rules"),
    [
        ("any", 1, []),
        ("any", 3, []),
        ("exclusive", 1, []),
        ("exclusive", 2, ["seats"]),
        ("shared", 1, ["seats"]),
        ("shared", 2, []),
    ],
)
def test_seats(seats: str, max_buyers: int, rules: list[str]) -> None:
    assert failed(Listing(), max_buyers=max_buyers, seats=seats) == rules


def test_types_and_sources() -> None:
    lead = Listing(property_type="Land", sources=("zillow", "fsbo"))
    assert failed(lead, property_type=("Farm", "Land"), source=("fsbo", "upload")) == []
    assert failed(lead, property_type=("land",)) == ["filter.property_type"]
    assert failed(lead, source=("realtor", "upload")) == ["filter.source"]
    rules = failed(Listing(), property_type=("Land",), source=("fsbo",))
    assert rules == ["filter.property_type", "filter.source"]


def test_the_edges_of_a_box_belong_to_it() -> None:
    box = (-98.0, 30.0, -97.0, 31.0)
    for longitude, latitude in [(-98.0, 30.0), (-97.0, 31.0), (-97.5, 30.0), (-98.0, 30.5)]:
        assert failed(Listing(latitude=latitude, longitude=longitude), bbox=box) == []
    for longitude, latitude in [(-98.000001, 30.5), (-96.999999, 30.5), (-97.5, 31.000001)]:
        rules = failed(Listing(latitude=latitude, longitude=longitude), bbox=box)
        assert rules == ["filter.bbox"]


@pytest.mark.parametrize("listing", [Listing(), Listing(latitude=30.0), Listing(longitude=-97.0)])
def test_a_lead_without_a_point_is_nowhere(listing: Listing) -> None:
    assert failed(listing, bbox=(-180.0, -90.0, 180.0, 90.0)) == ["filter.bbox"]
    assert failed(listing, near=(30.0, -97.0)) == ["filter.near"]
    assert failed(listing, near=(30.0, -97.0), radius_m=30_000_000) == ["filter.near"]


def test_near_without_a_radius_asks_for_a_point() -> None:
    assert failed(Listing(latitude=-30.0, longitude=97.0), near=(30.0, -97.0)) == []


@given(latitudes, longitudes, latitudes, longitudes)
def test_a_radius_is_a_great_circle(north: float, east: float, south: float, west: float) -> None:
    lead, distance = (
        Listing(latitude=north, longitude=east),
        haversine_m(north, east, (south, west)),
    )
    # Haversines lose their grip near the other end of the Earth, metres and all.
    if 2 <= distance < 19_000_000:
        assert failed(lead, near=(south, west), radius_m=int(distance) + 1) == []
        near = failed(lead, near=(south, west), radius_m=int(distance - 0.001))
        assert near == ["filter.near"]


def test_a_radius_to_the_metre() -> None:
    # A degree of latitude on the mean sphere: 111,195.08 m.
    lead = Listing(latitude=31.0, longitude=-97.0)
    assert failed(lead, near=(30.0, -97.0), radius_m=111_196) == []
    assert failed(lead, near=(30.0, -97.0), radius_m=111_195) == ["filter.near"]
    assert failed(Listing(latitude=30.0, longitude=-97.0), near=(30.0, -97.0), radius_m=1) == []
    beyond_the_meridian = Listing(latitude=0.0, longitude=-179.999)
    assert failed(beyond_the_meridian, near=(0.0, 179.999), radius_m=223) == []


@given(latitudes, longitudes, st.integers(1, 30_000_000), st.floats(-1, 1))
@example(30.27, -97.74, 1, 0.0)
@example(30.27, -97.74, 100_000, 0.0)
@example(64.0, -21.9, 1_000_000, 0.0)
def test_a_box_holds_its_circle(
    latitude: float, longitude: float, radius_m: int, part: float
) -> None:
    west, south, east, north = box_around(latitude, longitude, radius_m)
    angle, start = radius_m / EARTH_RADIUS_M, radians(latitude)
    parallels = [start + part * angle]
    if abs(sin(start)) < cos(angle):
        # Where the circle is widest.
        parallels.append(asin(sin(start) / cos(angle)))
    for there in parallels:
        for width in (0.0, *_widths(start, there, angle)):
            for point_east in (longitude - degrees(width), longitude + degrees(width)):
                point = degrees(there), point_east
                if _is_in_circle(point, (latitude, longitude), radius_m):
                    assert south <= point[0] <= north
                    assert west <= point[1] <= east


def _is_in_circle(point: tuple[float, float], centre: tuple[float, float], radius_m: int) -> bool:
    chord = chord_squared(unit_vector(*point), unit_vector(*centre))
    is_on_earth = abs(point[0]) <= 90 and abs(point[1]) <= 180
    return is_on_earth and chord <= chord_squared_of(radius_m)


def _widths(start: float, there: float, angle: float) -> list[float]:
    """How far east a point of latitude `there` is at `angle` from one of latitude `start`."""
    h = sin(angle / 2) ** 2 - sin((there - start) / 2) ** 2
    width = cos(start) * cos(there)
    return [2 * asin(sqrt(h / width))] if 0 <= h <= width and width > 0 else []


# --- the clock on the wall -------------------------------------------------------------


def at(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


WEEKDAYS = StandingTerms(
    name="office", price_max=1, hours=(Hours((0, 1, 2, 3, 4), 540, 1020), Hours((5,), 0, 1440))
)


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-05-04T08:59:59.999999", False),
        ("2026-05-04T09:00:00", True),
        ("2026-05-04T16:59:59.999999", True),
        ("2026-05-04T17:00:00", False),
        ("2026-05-09T00:00:00", True),
        ("2026-05-09T23:59:59.999999", True),
        ("2026-05-10T12:00:00", False),
    ],
)
def test_hours_end_before_their_end(local: str, is_open: bool) -> None:
    assert in_hours(WEEKDAYS, datetime.fromisoformat(local)) is is_open


def test_without_hours_it_is_always_open() -> None:
    assert in_hours(StandingTerms(name="any", price_max=1), datetime(2026, 5, 10, tzinfo=UTC))


def test_a_day_ends_at_the_markets_midnight() -> None:
    midnight = at("2026-05-04T05:00:00Z")
    assert local_day(midnight, AUSTIN) == date(2026, 5, 4).toordinal()
    assert local_day(midnight - 1, AUSTIN) == date(2026, 5, 3).toordinal()
    assert local_day(midnight, UTC) == local_day(midnight - 1, UTC)
    assert local_time(midnight - 1, AUSTIN).microsecond == 999_999


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 5, 4), 24)]
)
def test_days_of_the_clock_change_have_their_own_length(day: date, hours: int) -> None:
    noon = at(f"{day}T18:00:00Z")
    minutes = [noon + step * 60_000_000 for step in range(-1500, 1500)]
    count = sum(local_day(minute, AUSTIN) == day.toordinal() for minute in minutes)
    assert count == hours * 60


def test_an_hour_that_comes_twice_is_open_twice_and_one_left_out_never() -> None:
    early = StandingTerms(name="early", price_max=1, hours=(Hours((6,), 60, 120),))
    late = StandingTerms(name="late", price_max=1, hours=(Hours((6,), 120, 180),))
    autumn, spring = at("2026-11-01T05:00:00Z"), at("2026-03-08T06:00:00Z")
    assert _open_minutes(early, autumn) == 120
    assert _open_minutes(late, spring) == 0
    assert _open_minutes(early, spring) == _open_minutes(late, autumn) == 60


def _open_minutes(terms: StandingTerms, start: int) -> int:
    return sum(
        in_hours(terms, local_time(start + minute * 60_000_000, AUSTIN))
        for minute in range(12 * 60)
    )


@given(st.integers(0, 4_102_444_800_000_000))
def test_local_time_is_the_same_instant(now_us: int) -> None:
    local = local_time(now_us, AUSTIN)
    assert from_datetime(local) == now_us
    assert local.utcoffset() in (timedelta(hours=-6), timedelta(hours=-5))
    assert local_day(now_us, AUSTIN) == local.date().toordinal()
