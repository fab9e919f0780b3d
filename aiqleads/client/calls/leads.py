"""Looking at markets and leads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.leads import LeadPrice, Market, Recommendations, Teaser
from aiqleads.client.calls.call import Call, decoded, path, read_call

PAGE_SIZE_MAX = 200


class Search(TypedDict, total=False):
    """What to look for. Bounds are inclusive; `price` is in credits, `list_price` in USD.

    `near` is (latitude, longitude) and goes with `radius_m`; `bbox` is (west, south, east,
    north). Without `lead_state` leads are available or held. `sort` is `newest`, `price`,
    `quality`, `relevance` (with `q`) or `distance` (with `near`). `page_size` is how many
    come with one request, not in all.
    """

    market: str
    q: str
    near: tuple[float, float]
    radius_m: int
    bbox: tuple[float, float, float, float]
    property_type: str | Iterable[str]
    source: str | Iterable[str]
    lead_state: str | Iterable[str]
    list_price_min: int
    list_price_max: int
    living_area_min: int
    living_area_max: int
    lot_size_square_feet_min: int
    lot_size_square_feet_max: int
    year_built_min: int
    year_built_max: int
    bedrooms_total_min: int
    bedrooms_total_max: int
    price_min: int
    price_max: int
    sort: str
    facets: str | Iterable[str]
    page_size: int


def markets() -> Call[Page[Market]]:
    """Every market, at most a second old."""
    return read_call(path("markets"), decoded(Page[Market]), is_signed=False)


def market(market: str) -> Call[Market]:
    """One market, at most a second old."""
    return read_call(path("markets", market), decoded(Market), is_signed=False)


def search(**wanted: Unpack[Search]) -> Call[Page[Teaser]]:
    """Leads that match, with their price and state now; see `Search` for what can be asked."""
    query: dict[str, Any] = {**wanted}
    query["limit"] = query.pop("page_size", PAGE_SIZE_MAX)
    return read_call(path("leads"), decoded(Page[Teaser]), parameters(query))


def lead(lead_id: str) -> Call[Teaser]:
    """One lead; sold and withdrawn ones stay readable."""
    return read_call(path("leads", lead_id), decoded(Teaser))


def price(lead_id: str) -> Call[LeadPrice]:
    """What a lead costs now and why, what it will cost at most, and what it cost before."""
    return read_call(path("leads", lead_id, "price"), decoded(LeadPrice))


def recommendations(
    *,
    market: str | None = None,
    near: tuple[float, float] | None = None,
    radius_m: int | None = None,
    property_type: str | Iterable[str] | None = None,
    limit: int = 20,
) -> Call[Recommendations]:
    """Leads for this buyer, best first, each with its reasons; without a market those of the
    preferred one. At most 50."""
    query = {
        "market": market,
        "near": near,
        "radius_m": radius_m,
        "property_type": property_type,
        "limit": limit,
    }
    return read_call(path("recommendations"), decoded(Recommendations), parameters(query))


def similar(lead_id: str, *, limit: int = 20) -> Call[Recommendations]:
    """Leads of the same market that are most like this one, at most 50."""
    query = parameters({"limit": limit})
    return read_call(path("leads", lead_id, "similar"), decoded(Recommendations), query)


def parameters(query: dict[str, Any]) -> list[tuple[str, str]]:
    """Query parameters as text. What is None is left out; a point or box is joined by commas,
    of other sequences each value is a parameter of its own."""
    found: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None:
            continue
        if name in ("near", "bbox"):
            found.append((name, ",".join(_degrees(number) for number in value)))
        elif isinstance(value, str) or not isinstance(value, Iterable):
            found.append((name, str(value)))
        else:
            found += [(name, str(each)) for each in value]
    return found


def _degrees(number: float) -> str:
    """Without an exponent, which `str` would give to the very small."""
    return f"{number:.7f}".rstrip("0").rstrip(".")
