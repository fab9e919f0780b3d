"""Does the price against homes near by tell what becomes of a listing? Measured on captures.

Daily snapshots of the homes for sale in East Dallas from 600,000 to 1,300,000 USD, three
months and a half. A home is judged by its price on the day it first shows, against the homes
seen until then; what is to be told is whether within HORIZON_DAYS it leaves the market, and
whether its price is cut. Leaving is no sale: homes are withdrawn too, and a price that passes
the capture's bounds takes a home out of sight.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from engine.intake.property_kinds import property_kind
from engine.market.listing import Listing
from models_ml.value.comparables import ComparablesIndex

SNAPSHOTS: Final = Path("redfin") / "dallas_2026" / "listings"
HORIZON_DAYS: Final = 28
# Homes of the first days are the stock that was there, of unknown age.
WARM_UP_DAYS: Final = 7
RESAMPLES: Final = 1_000
_SEED = 23


class NotMeasured(Exception):
    """The captures hold no snapshots to measure on."""


class Told(NamedTuple):
    """How well a feature orders homes by an outcome: the chance that of a home with it and one
    without the first has the higher price against comparables, with a 95 % interval; and the
    outcome's share among the cheaper and the dearer half."""

    homes: int
    share: float
    auc: float
    auc_least: float
    auc_most: float
    cheaper_half: float
    dearer_half: float


class CapturedOutcome(NamedTuple):
    """`seen` homes in `days` snapshots; `compared` of those that came had comparables."""

    days: int
    seen: int
    came: int
    compared: int
    left: Told
    cut: Told


class _Home(NamedTuple):
    first: date
    price_to: float
    prices: dict[date, int]


def evaluate_captures(captures: Path) -> CapturedOutcome:
    """Raises NotMeasured without snapshots of more than the horizon."""
    days = list(_days(captures / SNAPSHOTS))
    if not days or (days[-1][0] - days[0][0]).days <= HORIZON_DAYS + WARM_UP_DAYS:
        raise NotMeasured(f"{captures / SNAPSHOTS} has too few daily snapshots")
    homes = _followed(days)
    start, end = days[0][0] + timedelta(WARM_UP_DAYS), days[-1][0] - timedelta(HORIZON_DAYS)
    came = [home for home in homes.values() if start <= home.first <= end]
    judged = [home for home in came if not np.isnan(home.price_to)]
    price_to = np.array([home.price_to for home in judged])
    return CapturedOutcome(
        days=len(days),
        seen=len(homes),
        came=len(came),
        compared=len(judged),
        left=told(price_to, np.array([_left(home) for home in judged])),
        cut=told(price_to, np.array([_was_cut(home) for home in judged])),
    )


def told(feature: NDArray[np.float64], outcome: NDArray[np.bool_]) -> Told:
    """Raises ValueError if all or none have the outcome."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(feature), (RESAMPLES, len(feature)))
    aucs = [auc(feature[each], outcome[each]) for each in drawn if 0 < outcome[each].mean() < 1]
    least, most = np.percentile(aucs, (2.5, 97.5))
    order = np.argsort(feature, kind="stable")
    cheaper, dearer = np.array_split(outcome[order], 2)
    return Told(
        homes=len(feature),
        share=float(outcome.mean()),
        auc=auc(feature, outcome),
        auc_least=float(least),
        auc_most=float(most),
        cheaper_half=float(cheaper.mean()),
        dearer_half=float(dearer.mean()),
    )


def auc(feature: NDArray[np.float64], outcome: NDArray[np.bool_]) -> float:
    """The chance that one with the outcome has the higher feature (ties count half).

    Raises ValueError if all or none have the outcome.
    """
    have = int(outcome.sum())
    lack = len(outcome) - have
    if not have or not lack:
        raise ValueError("all or none have the outcome")
    ranks = float(rankdata(feature)[outcome].sum())
    return (ranks - have * (have + 1) / 2) / (have * lack)


def _days(folder: Path) -> Iterator[tuple[date, list[dict[str, Any]]]]:
    for path in sorted(folder.glob("*.json")):
        stated = json.loads(path.read_bytes())
        yield date.fromisoformat(path.name[:10]), stated["listings"]


def _followed(days: list[tuple[date, list[dict[str, Any]]]]) -> dict[str, _Home]:
    index, homes = ComparablesIndex(), dict[str, _Home]()
    for day, rows in days:
        listed = {row["url"]: _listing(row) for row in rows if row["price_usd"]}
        for url, listing in listed.items():
            index.put(url, listing)
        new = [url for url in listed if url not in homes]
        compared = index.compare(new, [listed[url] for url in new])
        for url, price_to in zip(new, compared.price_to.tolist(), strict=True):
            homes[url] = _Home(day, price_to, {})
        for url, listing in listed.items():
            assert listing.list_price is not None
            homes[url].prices[day] = listing.list_price
    return homes


def _listing(row: dict[str, Any]) -> Listing:
    kind, sub_type = property_kind(row["property_type"], for_rent=False)
    return Listing(
        list_price=int(row["price_usd"]),
        living_area=int(row["sqft"]) if row["sqft"] else None,
        bedrooms_total=int(row["beds"]) if row["beds"] is not None else None,
        property_type=kind,
        property_sub_type=sub_type,
        latitude=row["lat"],
        longitude=row["lng"],
    )


def _left(home: _Home) -> bool:
    return max(home.prices) < home.first + timedelta(HORIZON_DAYS)


def _was_cut(home: _Home) -> bool:
    until = home.first + timedelta(HORIZON_DAYS)
    return min(p for day, p in home.prices.items() if day <= until) < home.prices[home.first]
