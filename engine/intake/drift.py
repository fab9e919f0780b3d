"""A source against its own past: does it still give what it gave?

A parser that no longer fits a page rarely fails; it reads fewer records, or the same
records with a field empty. So each run leaves its shares behind, and is measured against
those of the runs before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from engine.intake.record import SourceRecord

RUNS_MIN = 3
RUNS_MAX = 10
RECORDS_MIN = 30
# A fall counts when it is this many deviations and this share of what it was.
DEVIATIONS_MIN = 4.0
FALL_MIN = 0.3
# What was always rare says little when it is gone.
SHARE_MIN = 0.1

FIELDS = (
    "list_price",
    "bedrooms_total",
    "living_area",
    "street_address",
    "postal_code",
    "property_type",
    "remarks",
    "posted_at",
)
CONTACT_FIELDS = ("phone", "email", "name")
YIELD = "yield"
ACCEPTED = "accepted"
PAGES = "pages"


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found: `pages` there were, `read` anew of them (the rest had not changed),
    `records` and `rejected` in those, and how many of the records have each field."""

    pages: int
    read: int
    records: int
    rejected: int
    filled: dict[str, int] = {}

    def rates(self) -> dict[str, float]:
        """Name to share, of what this run says enough about."""
        found = {YIELD: self.records / self.read} if self.read else {}
        told = self.records + self.rejected
        if told >= RECORDS_MIN:
            found[ACCEPTED] = self.records / told
        if self.records >= RECORDS_MIN:
            found |= {name: count / self.records for name, count in self.filled.items()}
        return found

    def size_of(self, name: str) -> int:
        """Of how many the share of this name is one."""
        if name == YIELD:
            return self.read
        return self.records + self.rejected if name == ACCEPTED else self.records


class Fall(msgspec.Struct, frozen=True):
    """One share that fell sharply: `was` is the median of the runs before."""

    field: str
    was: float
    now: float


def pooled(runs: Iterable[Shares]) -> list[Shares]:
    """Runs, newest first, joined with those before them until each says enough: a source that
    is asked for changes only gives a few records at a time. What is left over is left out.
    Of the pages there are, the newest run of each counts."""
    found: list[Shares] = []
    open_: Shares | None = None
    for run in runs:
        open_ = run if open_ is None else _joined(open_, run)
        if max(open_.records + open_.rejected, open_.read) >= RECORDS_MIN:
            found.append(open_)
            open_ = None
    return found


def _joined(newer: Shares, older: Shares) -> Shares:
    names = newer.filled.keys() | older.filled.keys()
    return Shares(
        pages=newer.pages,
        read=newer.read + older.read,
        records=newer.records + older.records,
        rejected=newer.rejected + older.rejected,
        filled={name: newer.filled.get(name, 0) + older.filled.get(name, 0) for name in names},
    )


def fill_of(records: Iterable[SourceRecord]) -> dict[str, int]:
    """How many of the records have each field that drift is measured by."""
    counts = dict.fromkeys((*FIELDS, "coordinates", *CONTACT_FIELDS), 0)
    for record in records:
        for name in FIELDS:
            counts[name] += getattr(record, name) is not None
        counts["coordinates"] += record.contact.latitude is not None
        if not record.contact.is_invented:
            for name in CONTACT_FIELDS:
                counts[name] += getattr(record.contact, name) is not None
    return counts


def falls(now: Shares, before: Sequence[Shares]) -> list[Fall]:
    """What fell sharply, worst first; `before` holds what was before it, newest first, both
    pooled.

    Nothing is said on fewer than three earlier runs with enough records. Pages are
    measured as they are, all else as shares.
    """
    past = [each.rates() for each in before[:RUNS_MAX]]
    found = [
        Fall(name, round(median(was), 4), round(rate, 4))
        for name, rate in now.rates().items()
        if len(was := [rates[name] for rates in past if name in rates]) >= RUNS_MIN
        and _fell(rate, was, now.size_of(name))
    ]
    pages = [float(each.pages) for each in before[:RUNS_MAX]]
    # How many pages there are is one count, not a share of many.
    if len(pages) >= RUNS_MIN and _fell(float(now.pages), pages, 1):
        found.append(Fall(PAGES, median(pages), float(now.pages)))
    return sorted(found, key=lambda fall: (fall.now / fall.was, fall.field))


def _fell(rate: float, was: Sequence[float], size: int) -> bool:
    usual = median(was)
    if usual < SHARE_MIN or usual - rate < FALL_MIN * usual:
        return False
    if usual > 1 and usual * size < RECORDS_MIN:
        return False
    # By chance alone a share of `size` differs so much; what is above 1 is a count.
    by_chance = (usual * (1 - usual) if usual < 1 else usual) / size
    expected = math.sqrt(max(by_chance, 1 / size**2) + _deviation(was) ** 2)
    return (usual - rate) / expected > DEVIATIONS_MIN


def _deviation(values: Sequence[float]) -> float:
    """The deviation as the median tells it, which one odd run does not move."""
    middle = median(values)
    return 1.4826 * median(abs(value - middle) for value in values)
