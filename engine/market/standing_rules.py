"""The rules by which a standing order asks for a lead or not, apart from state and money.

Text is no rule here: `q` is for the search to check. A radius is a great circle on the mean
sphere, where a search measures on the ellipsoid: the two differ by up to 0.6 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from math import inf

import msgspec

from engine.market.instant import to_datetime
from engine.market.listing import Listing
from engine.market.sphere import Vector, chord_squared, chord_squared_of, unit_vector
from engine.market.standing_terms import StandingTerms

# The rules that bound a number, as `Facts.numbers` has them; the price is bound by two.
NUMBER_RULES = (
    "filter.list_price",
    "filter.living_area",
    "filter.lot_size_square_feet",
    "filter.year_built",
    "filter.bedrooms_total",
    "filter.price",
    "price",
)


class Facts(msgspec.Struct, frozen=True, gc=False):
    """A lead as the rules look at it; None is unstated.

    `point` is (latitude, longitude), `vector` the same on the unit sphere.
    """

    numbers: tuple[int | None, ...]
    property_type: str | None
    sources: tuple[str, ...]
    is_exclusive: bool
    point: tuple[float, float] | None
    vector: Vector | None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """Terms made ready for many comparisons.

    `ranges` are (place in NUMBER_RULES, least, most), only those that bound something;
    `reach` is the square of the chord of the radius.
    """

    ranges: tuple[tuple[int, float, float], ...]
    property_types: tuple[str, ...]
    sources: tuple[str, ...]
    is_exclusive: bool | None
    bbox: tuple[float, float, float, float] | None
    centre: Vector | None
    reach: float


def facts(listing: Listing, price: int, max_buyers: int) -> Facts:
    """Of a lead at `price` credits, undiscounted, with `max_buyers` seats."""
    point = vector = None
    if listing.latitude is not None and listing.longitude is not None:
        point = listing.latitude, listing.longitude
        vector = unit_vector(*point)
    numbers = (
        listing.list_price,
        listing.living_area,
        listing.lot_size_square_feet,
        listing.year_built,
        listing.bedrooms_total,
        price,
        price,
    )
    sources, is_exclusive = listing.sources, max_buyers == 1
    return Facts(numbers, listing.property_type, sources, is_exclusive, point, vector)


def wanted(terms: StandingTerms) -> Wanted:
    asked = terms.filter
    bounds = (
        (asked.list_price_min, asked.list_price_max),
        (asked.living_area_min, asked.living_area_max),
        (asked.lot_size_square_feet_min, asked.lot_size_square_feet_max),
        (asked.year_built_min, asked.year_built_max),
        (asked.bedrooms_total_min, asked.bedrooms_total_max),
        (asked.price_min, None),
        (None, terms.price_max),
    )
    return Wanted(
        ranges=tuple(
            (place, -inf if least is None else least, inf if most is None else most)
            for place, (least, most) in enumerate(bounds)
            if least is not None or most is not None
        ),
        property_types=asked.property_type,
        sources=asked.source,
        is_exclusive=None if terms.seats == "any" else terms.seats == "exclusive",
        bbox=asked.bbox,
        centre=None if asked.near is None else unit_vector(*asked.near),
        reach=inf if asked.radius_m is None else chord_squared_of(asked.radius_m),
    )


def failed_filter_rules(
    terms: StandingTerms, listing: Listing, price: int, max_buyers: int
) -> list[str]:
    """Names of the rules that a lead fails, in the order they are reported; none if it matches.

    `price` is the lead's undiscounted price in credits, `max_buyers` its seats. `q`, pause,
    hours and limits are not looked at.
    """
    return list(failures(wanted(terms), facts(listing, price, max_buyers)))


def is_wanted(order: Wanted, lead: Facts) -> bool:
    """Whether the lead fails no rule, for comparing many."""
    for _ in failures(order, lead):
        return False
    return True


def failures(order: Wanted, lead: Facts) -> Iterator[str]:
    """The rules that the lead fails, by name, in the order they are reported."""
    if order.centre is not None and (
        lead.vector is None or chord_squared(order.centre, lead.vector) > order.reach
    ):
        yield "filter.near"
    if order.bbox is not None and (lead.point is None or not _is_in(lead.point, order.bbox)):
        yield "filter.bbox"
    if order.property_types and lead.property_type not in order.property_types:
        yield "filter.property_type"
    if order.sources and not any(source in order.sources for source in lead.sources):
        yield "filter.source"
    for place, least, most in order.ranges:
        number = lead.numbers[place]
        if number is None or not least <= number <= most:
            yield NUMBER_RULES[place]
    if order.is_exclusive is not None and order.is_exclusive != lead.is_exclusive:
        yield "seats"


def _is_in(point: tuple[float, float], bbox: tuple[float, float, float, float]) -> bool:
    (latitude, longitude), (west, south, east, north) = point, bbox
    return west <= longitude <= east and south <= latitude <= north


def in_hours(terms: StandingTerms, local: datetime) -> bool:
    """Whether the order buys at `local`, what the market's clock on the wall shows."""
    if not terms.hours:
        return True
    day, minute = local.weekday(), local.hour * 60 + local.minute
    return any(day in hours.days and hours.start <= minute < hours.end for hours in terms.hours)


def local_time(now_us: int, zone: tzinfo) -> datetime:
    """The aware local time in `zone`, exact to the µs; hours that come twice are told apart."""
    return to_datetime(now_us).astimezone(zone)


def local_day(now_us: int, zone: tzinfo) -> int:
    """The local date in `zone` as a proleptic Gregorian ordinal; days may have 23 or 25 hours."""
    return local_time(now_us, zone).toordinal()
