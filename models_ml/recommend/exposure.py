"""Who is shown: leads recommended by area of the map, against what was on offer and bought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import h3

from engine.market.listing import Listing
from engine.market.pricing.disparity import RATIO_LEAST, RATIO_MOST
from models_ml.recommend.replay import Judged

RESOLUTION: Final = 6
"""H3, about 36 km² an area, as the watch over prices."""
LEADS_LEAST: Final = 30


class Exposure(NamedTuple):
    """Over areas of at least LEADS_LEAST leads: how often a lead of an area was shown against how
    often one of the market was, least and most; how many areas lie beyond four fifths to five
    quarters; and the same of what buyers bought, which is what showing follows."""

    areas: int
    shown_least: float
    shown_most: float
    shown_beyond: int
    bought_least: float
    bought_most: float
    bought_beyond: int


def exposure_of(
    name: str, judged: Sequence[Judged], listings: Sequence[Listing]
) -> Exposure | None:
    """None if no two areas have enough leads."""
    areas = [_area(each) for each in listings]
    offered = Counter(areas[home] for each in judged for home in each.allowed)
    shown = Counter(areas[home] for each in judged for home in each.tops[name])
    bought = Counter(areas[each.home] for each in judged)
    homes = Counter(areas[home] for home in {home for each in judged for home in each.allowed})
    kept = [area for area, count in homes.items() if area and count >= LEADS_LEAST]
    if len(kept) < 2:
        return None
    ratios = [_ratios(counted, offered, kept) for counted in (shown, bought)]
    beyond = [sum(not RATIO_LEAST <= each <= RATIO_MOST for each in found) for found in ratios]
    return Exposure(
        len(kept),
        min(ratios[0]), max(ratios[0]), beyond[0],
        min(ratios[1]), max(ratios[1]), beyond[1],
    )  # fmt: skip


def _ratios(counted: Counter[str], offered: Counter[str], kept: Sequence[str]) -> list[float]:
    usual = sum(counted[area] for area in kept) / sum(offered[area] for area in kept)
    return [counted[area] / offered[area] / usual if usual else 1.0 for area in kept]


def _area(listing: Listing) -> str:
    if listing.latitude is None or listing.longitude is None:
        return ""
    return str(h3.latlng_to_cell(listing.latitude, listing.longitude, RESOLUTION))
