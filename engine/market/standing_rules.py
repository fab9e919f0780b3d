"""The rules by which a standing order buys or does not, apart from state and money.

Nothing here reads text: a `q` is for the search to check. Distances are great circles on a
sphere of the mean Earth radius; a search measures on the ellipsoid, up to 0.6 % otherwise.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from math import asin, cos, radians, sin, sqrt

from engine.market.instant import to_datetime
from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter, StandingTerms

EARTH_RADIUS_M = 6_371_008.8
# The facts of a listing with a least and a greatest in a filter, in its order.
RANGES = (
    "list_price",
    "living_area",
    "lot_size_square_feet",
    "year_built",
    "bedrooms_total",
)


def failed_filter_rules(
    terms: StandingTerms, listing: Listing, price: int, max_buyers: int
) -> list[str]:
    """Names of the rules that a lead fails, in the order they are reported; none if it matches.

    `price` is the lead's undiscounted price in credits, `max_buyers` its seats. `q`, pause,
    hours and limits are not looked at.
    """
    asked = terms.filter
    met = {
        "filter.near": _is_near(asked, listing),
        "filter.bbox": _is_in_box(asked, listing),
        "filter.property_type": not asked.property_type
        or listing.property_type in asked.property_type,
        "filter.source": not asked.source or not set(asked.source).isdisjoint(listing.sources),
        **{f"filter.{name}": _is_in_range(asked, listing, name) for name in RANGES},
        "filter.price": asked.price_min is None or price >= asked.price_min,
        "price": price <= terms.price_max,
        "seats": is_seats_wanted(terms, max_buyers),
    }
    return [rule for rule, is_met in met.items() if not is_met]


def matches(terms: StandingTerms, listing: Listing, price: int, max_buyers: int) -> bool:
    """Whether `failed_filter_rules` names nothing, at a quarter of its time."""
    asked = terms.filter
    if price > terms.price_max or not is_seats_wanted(terms, max_buyers):
        return False
    if asked.price_min is not None and price < asked.price_min:
        return False
    if asked.property_type and listing.property_type not in asked.property_type:
        return False
    if asked.source and not any(source in asked.source for source in listing.sources):
        return False
    return (
        _is_between(listing.list_price, asked.list_price_min, asked.list_price_max)
        and _is_between(listing.living_area, asked.living_area_min, asked.living_area_max)
        and _is_between(
            listing.lot_size_square_feet,
            asked.lot_size_square_feet_min,
            asked.lot_size_square_feet_max,
        )
        and _is_between(listing.year_built, asked.year_built_min, asked.year_built_max)
        and _is_between(listing.bedrooms_total, asked.bedrooms_total_min, asked.bedrooms_total_max)
        and _is_in_box(asked, listing)
        and _is_near(asked, listing)
    )


def is_seats_wanted(terms: StandingTerms, max_buyers: int) -> bool:
    return terms.seats == "any" or (terms.seats == "exclusive") == (max_buyers == 1)


def distance_m(latitude: float, longitude: float, other: tuple[float, float]) -> float:
    """Great-circle metres (haversine) to `other`, (latitude, longitude); all in degrees."""
    here, there = radians(latitude), radians(other[0])
    north, east = sin((there - here) / 2), sin(radians(other[1] - longitude) / 2)
    return (
        2
        * EARTH_RADIUS_M
        * asin(min(1.0, sqrt(north * north + cos(here) * cos(there) * east * east)))
    )


def _is_near(asked: StandingFilter, listing: Listing) -> bool:
    if asked.near is None:
        return True
    if listing.latitude is None or listing.longitude is None:
        return False
    if asked.radius_m is None:
        return True
    return distance_m(listing.latitude, listing.longitude, asked.near) <= asked.radius_m


def _is_in_box(asked: StandingFilter, listing: Listing) -> bool:
    if asked.bbox is None:
        return True
    if listing.latitude is None or listing.longitude is None:
        return False
    west, south, east, north = asked.bbox
    return west <= listing.longitude <= east and south <= listing.latitude <= north


def _is_in_range(asked: StandingFilter, listing: Listing, name: str) -> bool:
    least, most = getattr(asked, f"{name}_min"), getattr(asked, f"{name}_max")
    return _is_between(getattr(listing, name), least, most)


def _is_between(fact: int | None, least: int | None, most: int | None) -> bool:
    if fact is None:
        return least is None and most is None
    return (least is None or least <= fact) and (most is None or fact <= most)


def in_hours(terms: StandingTerms, local: datetime) -> bool:
    """Whether the order buys at `local`, the market's time of the clock on the wall."""
    if not terms.hours:
        return True
    day, minute = local.weekday(), local.hour * 60 + local.minute
    return any(day in hours.days and hours.start <= minute < hours.end for hours in terms.hours)


def local_time(now_us: int, zone: tzinfo) -> datetime:
    """The aware local time in `zone` at `now_us`, exact to the µs on every day of the year."""
    return to_datetime(now_us).astimezone(zone)


def local_day(now_us: int, zone: tzinfo) -> int:
    """The local date in `zone` at `now_us`, as a day of the proleptic Gregorian calendar."""
    return local_time(now_us, zone).toordinal()
