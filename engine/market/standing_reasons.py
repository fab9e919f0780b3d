"""What was and what was asked, in words, for each rule that kept a standing order from a lead."""

from __future__ import annotations

from datetime import datetime
from math import asin, sqrt

from engine.market.listing import Listing
from engine.market.sphere import EARTH_RADIUS_M, chord_squared, unit_vector
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def facts_reason(
    rule: str, terms: StandingTerms, listing: Listing, price: int, max_buyers: int
) -> str:
    """Of a rule about filter, price or seats that a lead failed."""
    asked = terms.filter
    match rule:
        case "filter.q":
            return f"its text is not what a search for {asked.q!r} finds"
        case "filter.near":
            return _near(asked, listing)
        case "filter.bbox":
            return _bbox(asked, listing)
        case "filter.property_type":
            kind = listing.property_type
            return f"its property_type is {kind}; wanted: {_listed(asked.property_type)}"
        case "filter.source":
            return f"its sources are {_listed(listing.sources)}; wanted: {_listed(asked.source)}"
        case "filter.price":
            return f"the price was {price}; wanted: at least {asked.price_min}"
        case "price":
            return f"the price was {price}; the top price is {terms.price_max}"
        case "seats":
            one, several = "one buyer", "several buyers"
            is_for, wanted = (one, several) if max_buyers == 1 else (several, one)
            return f"it is for {is_for}; wanted: leads for {wanted}"
    name = rule.removeprefix("filter.")
    least, most = getattr(asked, f"{name}_min"), getattr(asked, f"{name}_max")
    return f"its {name} is {_stated(getattr(listing, name))}; wanted: {_bounds(least, most)}"


def hours_reason(terms: StandingTerms, local: datetime) -> str:
    windows = ", ".join(_window(hours) for hours in terms.hours)
    return f"it was {DAYS[local.weekday()]} {local:%H:%M} there; the order buys {windows}"


def clock(minute: int) -> str:
    """ "18:00" of a minute of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _window(hours: Hours) -> str:
    days = "+".join(DAYS[day] for day in hours.days)
    return f"{days} {clock(hours.start)}-{clock(hours.end)}"


def _near(asked: StandingFilter, listing: Listing) -> str:
    if listing.latitude is None or listing.longitude is None or asked.near is None:
        return "it does not say where it stands"
    chord = chord_squared(
        unit_vector(listing.latitude, listing.longitude), unit_vector(*asked.near)
    )
    metres = 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord) / 2))
    return f"it stands {metres:.0f} m away; wanted: within {asked.radius_m} m"


def _bbox(asked: StandingFilter, listing: Listing) -> str:
    if listing.latitude is None or listing.longitude is None:
        return "it does not say where it stands"
    corners = ", ".join(f"{edge:g}" for edge in asked.bbox or ())
    return f"it stands at {listing.latitude}, {listing.longitude}; wanted: inside {corners}"


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "not stated"


def _stated(value: int | None) -> str:
    return "not stated" if value is None else str(value)


def _bounds(least: int | None, most: int | None) -> str:
    if least is None:
        return f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"
