"""How homes come off offer, are cut in price and sold, estimated from daily snapshots.

A home is at risk from the day it is first seen, at the age its source states (delayed entry),
until it is seen no more or the snapshots end (censoring). Within each age band the hazard is
departures over home-days at risk, the maximum-likelihood estimate of a piecewise constant
hazard (Kalbfleisch and Prentice 2002, section 3.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.source_directory import load_sources
from models_ml.resolution.captured import NotMeasured, records_in

Floats = npt.NDArray[np.float64]

# Lower ends of the age bands, days on offer.
AGE_BANDS = (0, 3, 7, 14, 30, 60)
# Trackers miss a home for a day or a few; one that stays away longer has left.
ABSENT_DAYS = 10
# Closing takes weeks: who left less long before the last list of sales may be sold yet.
CLOSING_DAYS = 45


class Sighting(NamedTuple):
    """A home on offer on `day` (any whole-number day count); `days_listed` as its source says."""

    day: int
    home_id: str
    price: int | None
    days_listed: int | None


class Churn(NamedTuple):
    """`hazard` is per day in each of `AGE_BANDS`. `cuts_a_day` is per home on offer, `cut` the
    mean size of a cut in logs, `raised_share` that of price changes that are rises. `sold_share`
    is of the homes that left. `homes` and `departures` tell how much it rests on."""

    hazard: tuple[float, ...]
    cuts_a_day: float
    cut: float
    raised_share: float
    sold_share: float
    homes: int
    departures: int

    def still_on_offer(self, age_days: Floats) -> Floats:
        """The share of homes on offer for at least `age_days`."""
        return np.exp(-self.cumulative_hazard(age_days))

    def cumulative_hazard(self, age_days: Floats) -> Floats:
        total = np.zeros(np.shape(age_days))
        ends = (*AGE_BANDS[1:], np.inf)
        for start, end, hazard in zip(AGE_BANDS, ends, self.hazard, strict=True):
            total += hazard * np.clip(age_days - start, 0.0, end - start)
        return total

    def ages_at(self, cumulative: Floats) -> Floats:
        """The age in days at which the cumulative hazard reaches each of `cumulative`: with unit
        exponential draws, ages of departure."""
        knots = np.array(AGE_BANDS, np.float64)
        reached = self.cumulative_hazard(knots)
        band = np.searchsorted(reached, cumulative, side="right") - 1
        ages: Floats = knots[band] + (cumulative - reached[band]) / np.array(self.hazard)[band]
        return ages

    def hazard_at(self, age_days: Floats) -> Floats:
        """Per day."""
        band = np.searchsorted(np.array(AGE_BANDS), age_days, side="right") - 1
        rates: Floats = np.array(self.hazard)[np.maximum(band, 0)]
        return rates


# Fitted by `churn_in` on the daily snapshots of May 3 to August 22, 2026.
DALLAS_2026 = Churn(
    hazard=(0.0269, 0.0458, 0.0237, 0.0236, 0.0197, 0.0196),
    cuts_a_day=0.0183,
    cut=0.0291,
    raised_share=0.017,
    sold_share=0.667,
    homes=255,
    departures=199,
)


class Spell(NamedTuple):
    """One unbroken time on offer, in days of the same count; `listed` is when it began."""

    home_id: str
    listed: int
    first_seen: int
    last_seen: int


class Histories(NamedTuple):
    """What the snapshots of `days` (ascending) tell of each home."""

    days: tuple[int, ...]
    seen: dict[str, list[Sighting]]


def histories_of(sightings: Iterable[Sighting]) -> Histories:
    """Sightings by home, each home's in order of day. One a day counts, the last told."""
    by_day: dict[tuple[str, int], Sighting] = {(s.home_id, s.day): s for s in sightings}
    seen: dict[str, list[Sighting]] = {}
    for (home_id, _), sighting in sorted(by_day.items()):
        seen.setdefault(home_id, []).append(sighting)
    return Histories(tuple(sorted({day for _, day in by_day})), seen)


def fit_churn(
    sightings: Iterable[Sighting],
    sold: Iterable[str] = (),
    last_sale_list: int | None = None,
) -> Churn:
    """The churn that the snapshots show. `sold` are homes found in lists of sales, the last of
    them of day `last_sale_list`.

    Raises ValueError if there are too few days, or no departure: nothing can be estimated.
    """
    histories = histories_of(sightings)
    days = histories.days
    if len(days) < 2 or days[-1] - days[0] <= ABSENT_DAYS:
        raise ValueError(f"snapshots of more than {ABSENT_DAYS} days are needed, not {len(days)}")
    # Who was seen in the last days may be absent for a while only: look no further.
    end = days[-1] - ABSENT_DAYS
    spells = list(_spells(histories))
    risk, left = _at_risk(spells, days, end)
    if not left.sum():
        raise ValueError("no home left before the snapshots ended")
    gone = [s for s in spells if s.last_seen < end]
    changes, home_days = _price_changes(histories)
    cuts = [-change for change in changes if change < 0]
    return Churn(
        # A band nobody left in, or was seen in, has the hazard of all ages.
        hazard=tuple(
            float(n / r) if n and r > 0 else float(left.sum() / risk.sum())
            for n, r in zip(left, risk, strict=True)
        ),
        cuts_a_day=len(cuts) / home_days if home_days else 0.0,
        cut=fmean(cuts) if cuts else 0.0,
        raised_share=1 - len(cuts) / len(changes) if changes else 0.0,
        sold_share=_sold_share(gone, set(sold), last_sale_list),
        homes=len(histories.seen),
        departures=len(gone),
    )


def _spells(histories: Histories) -> Iterable[Spell]:
    """Times on offer of which the beginning is known: by the source, or by being first seen
    after the first snapshot."""
    first_day = histories.days[0]
    for home_id, seen in histories.seen.items():
        begin = 0
        for place in range(1, len(seen) + 1):
            if place < len(seen) and seen[place].day - seen[place - 1].day <= ABSENT_DAYS:
                continue
            first = seen[begin]
            stated = first.days_listed
            if stated is not None or first.day > first_day:
                listed = first.day - max(0, stated or 0)
                yield Spell(home_id, listed, first.day, seen[place - 1].day)
            begin = place


def _at_risk(spells: Sequence[Spell], days: Sequence[int], end: int) -> tuple[Floats, Floats]:
    """Home-days at risk and departures by age band, up to day `end`."""
    following = dict(pairwise(days))
    edges = np.array((*AGE_BANDS, np.inf))
    risk, left = np.zeros(len(AGE_BANDS)), np.zeros(len(AGE_BANDS))
    for spell in spells:
        has_left = spell.last_seen < end
        # It left at some moment before the next snapshot; half way is the best guess.
        until = (spell.last_seen + following[spell.last_seen]) / 2 if has_left else end
        if until <= spell.first_seen:
            continue
        entered, age = spell.first_seen - spell.listed, until - spell.listed
        risk += np.clip(age - edges[:-1], 0, np.diff(edges)) - np.clip(
            entered - edges[:-1], 0, np.diff(edges)
        )
        if has_left:
            left[np.searchsorted(edges, age, side="right") - 1] += 1
    return risk, left


def _price_changes(histories: Histories) -> tuple[list[float], int]:
    """Changes of price in logs, and the days over which they could be seen."""
    changes: list[float] = []
    home_days = 0
    for seen in histories.seen.values():
        for before, after in pairwise(seen):
            if after.day - before.day > ABSENT_DAYS or not before.price or not after.price:
                continue
            home_days += after.day - before.day
            if after.price != before.price:
                changes.append(float(np.log(after.price / before.price)))
    return changes, home_days


def _sold_share(gone: Sequence[Spell], sold: set[str], last_sale_list: int | None) -> float:
    """Of the homes that left long enough before the last list of sales; 0 without lists."""
    if last_sale_list is None:
        return 0.0
    closed = [spell for spell in gone if spell.last_seen <= last_sale_list - CLOSING_DAYS]
    return sum(spell.home_id in sold for spell in closed) / len(closed) if closed else 0.0


def churn_in(captures: Path) -> Churn:
    """The churn of the homes in `redfin/dallas_2026`. Raises NotMeasured if it isn't there, and
    ValueError if there is too little of it."""
    folder = captures / "redfin" / "dallas_2026"
    files = sorted((folder / "listings").glob("*.json"))
    if not files:
        raise NotMeasured(f"no daily snapshots in {folder / 'listings'}")
    source = load_sources()["redfin"]
    sightings, sold, last = [], set[str](), None
    for path in files:
        day = _day_of(path)
        for record in records_in([path], source, "dallas"):
            listed = record.extra.get("days_on_market")
            stated = int(listed) if isinstance(listed, (int, float)) else None
            sightings.append(Sighting(day, record.source_id, record.list_price, stated))
    for path in sorted((folder / "sold").glob("*.json")):
        last = _day_of(path)
        sold |= {record.source_id for record in records_in([path], source, "dallas")}
    return fit_churn(sightings, sold, last)


def _day_of(path: Path) -> int:
    return int(np.datetime64(path.name[:10], "D").astype(np.int64))
