"""Orders and leads of one invented market, as buyers and homes are spread in a city.

Most orders are narrow: a few kilometres around somewhere, one type of property, a band of
prices, a least number of bedrooms. The same random generator makes the same market.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from engine.market.listing import Listing
from engine.market.standing_terms import SeatsWanted, StandingFilter, StandingTerms
from engine.market_directory import load_markets

MARKET = load_markets()["austin"]
# Degrees of latitude and longitude around the centre, one standard deviation.
SPREAD = (0.15, 0.13)
LEASE = "Residential Lease"
SALES = ("Residential", "Residential Income", "Land", "Farm")
SALES_WEIGHTS = (60, 6, 8, 2)
SOURCES = ("craigslist", "zillow", "realtor", "fsbo", "linkedin", "facebook", "austin", "upload")
RADII_M = (2_000, 3_000, 5_000, 5_000, 8_000, 10_000, 16_000)
# About 200 m, as points are rounded before they are public.
_GRID = 0.002


class Lead(NamedTuple):
    listing: Listing
    price: int
    max_buyers: int


def random_lead(rng: random.Random) -> Lead:
    is_lease = rng.random() < 0.3
    bedrooms = rng.choices((1, 2, 3, 4, 5), (12, 22, 38, 22, 6))[0]
    latitude, longitude = (round(each / _GRID) * _GRID for each in _somewhere(rng))

    def stated(value: int, share: float) -> int | None:
        return value if rng.random() < share else None

    listing = Listing(
        sources=tuple(rng.sample(SOURCES, rng.choice((1, 1, 1, 2)))),
        list_price=stated(_dollars(rng, is_lease=is_lease), 0.95),
        property_type=LEASE if is_lease else rng.choices(SALES, SALES_WEIGHTS)[0],
        bedrooms_total=stated(bedrooms, 0.9),
        living_area=stated(500 + 400 * bedrooms + rng.randrange(400), 0.85),
        lot_size_square_feet=stated(int(rng.lognormvariate(9, 0.5)), 0.6),
        year_built=stated(rng.randint(1930, 2025), 0.7),
        latitude=latitude,
        longitude=longitude,
    )
    return Lead(listing, rng.randint(5, 90), rng.choice((1, 3, 3)))


def random_order(rng: random.Random) -> StandingTerms:
    return _order(rng, _area(rng))


def random_small_order(rng: random.Random, scale: float) -> StandingTerms:
    """An order around somewhere, `scale` as far as others reach."""
    radius_m = max(1, round(scale * rng.choice(RADII_M)))
    return _order(rng, {"near": _somewhere(rng), "radius_m": radius_m})


def _order(rng: random.Random, area: dict[str, Any]) -> StandingTerms:
    seats: tuple[SeatsWanted, ...] = ("any", "exclusive", "shared")
    is_lease = rng.random() < 0.3
    asked: dict[str, Any] = {**area, **_band(rng, is_lease=is_lease)}
    if rng.random() < 0.85:
        some_sales = tuple(rng.sample(SALES, 1 + (rng.random() < 0.2)))
        asked["property_type"] = (LEASE,) if is_lease else some_sales
    for name, share, bounds in (
        ("bedrooms_total_min", 0.6, (2, 3, 3, 4)),
        ("bedrooms_total_max", 0.2, (4, 5)),
        ("living_area_min", 0.3, (800, 1_000, 1_500, 2_000)),
        ("year_built_min", 0.15, (1960, 1980, 2000)),
        ("lot_size_square_feet_min", 0.1, (5_000, 10_000)),
    ):
        if rng.random() < share:
            asked[name] = rng.choice(bounds)
    if rng.random() < 0.15:
        asked["source"] = tuple(rng.sample(SOURCES, 2))
    return StandingTerms(
        name="order",
        price_max=rng.choice((20, 30, 40, 50, 60, 80)),
        filter=StandingFilter(**asked),
        seats=rng.choices(seats, (70, 20, 10))[0],
    )


def _area(rng: random.Random) -> dict[str, Any]:
    """A circle for 85 of 100, a box for 9, anywhere for 6."""
    latitude, longitude = _somewhere(rng)
    kind = rng.random()
    if kind < 0.85:
        return {"near": (latitude, longitude), "radius_m": rng.choice(RADII_M)}
    if kind < 0.94:
        return {"bbox": (longitude - 0.05, latitude - 0.04, longitude + 0.05, latitude + 0.04)}
    return {}


def _band(rng: random.Random, *, is_lease: bool) -> dict[str, int]:
    """List prices around what somebody has in mind, for 80 of 100; round ones."""
    if rng.random() >= 0.8:
        return {}
    in_mind, step = _dollars(rng, is_lease=is_lease), 100 if is_lease else 25_000
    band = {"list_price_max": (in_mind * 5 // 4 // step + 1) * step}
    if rng.random() < 0.6:
        band["list_price_min"] = in_mind * 3 // 4 // step * step
    return band


def _dollars(rng: random.Random, *, is_lease: bool) -> int:
    """A month's lease around 1,800, a sale around 440,000."""
    return int(rng.lognormvariate(7.5, 0.35) if is_lease else rng.lognormvariate(13, 0.5))


def _somewhere(rng: random.Random) -> tuple[float, float]:
    west, south, east, north = MARKET.bbox
    latitude, longitude = (
        rng.gauss(middle, spread) for middle, spread in zip(MARKET.center, SPREAD, strict=True)
    )
    return min(north, max(south, latitude)), min(east, max(west, longitude))
