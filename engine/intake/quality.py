"""How much a lead is worth knowing: a score in [0, 1] with named parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import NamedTuple

from engine.intake.motivation import motivation_of
from engine.intake.readings import moment_of
from engine.intake.record import SourceRecord
from engine.market.listing import Listing

_MICROSECONDS_PER_DAY = 86_400_000_000
# After this many days a lead is worth half as much as on its first.
FRESHNESS_HALF_LIFE_DAYS = 21.0
# Weights of the facts that a buyer looks for; they add up to 1.
COMPLETENESS_WEIGHTS = {
    "place": 0.20,
    "street_address": 0.15,
    "list_price": 0.20,
    "bedrooms_total": 0.10,
    "bathrooms_total_integer": 0.05,
    "living_area": 0.10,
    "property_sub_type": 0.05,
    "remarks": 0.10,
    "year_built": 0.05,
}
CONTACT_WEIGHTS = {"phone": 0.5, "email": 0.3, "name": 0.2}
# What isn't known (the agreement of one record) leaves its weight to the others.
PART_WEIGHTS = {
    "completeness": 0.45,
    "freshness": 0.20,
    "contactability": 0.20,
    "agreement": 0.10,
    "motivation": 0.05,
}
# Sources agree on a number that differs by no more than this part of it.
_TOLERANCES = {
    "list_price": 0.03,
    "bedrooms_total": 0.0,
    "bathrooms_total_integer": 0.0,
    "living_area": 0.03,
    "lot_size_square_feet": 0.05,
    "year_built": 0.0,
}
_SAME_WORDS = ("property_sub_type", "postal_code")


class Quality(NamedTuple):
    """Parts in [0, 1]; `agreement` is None while only one record tells of the lead."""

    completeness: float
    freshness: float
    contactability: float
    agreement: float | None = None
    motivation: float = 0.0

    @property
    def score(self) -> float:
        """The weighted mean of the parts that are known, in [0, 1]."""
        parts = self.parts()
        weight = sum(PART_WEIGHTS[part] for part in parts)
        return round(sum(parts[part] * PART_WEIGHTS[part] for part in parts) / weight, 4)

    def parts(self) -> dict[str, float]:
        """The known parts by name."""
        return {part: value for part, value in self._asdict().items() if value is not None}


def quality_of(record: SourceRecord, *, now_us: int, agreement: float | None = None) -> Quality:
    """The parts of a record's quality at `now_us`, microseconds since the epoch UTC."""
    return Quality(
        completeness=_completeness(record),
        freshness=_freshness(record, now_us),
        contactability=round(
            sum(
                weight * _confidence(record, field)
                for field, weight in CONTACT_WEIGHTS.items()
                if getattr(record.contact, field)
            ),
            4,
        ),
        agreement=agreement,
        motivation=motivation_of(record),
    )


def quality_of_lead(parts: Sequence[Mapping[str, float]], agreement: float | None) -> Quality:
    """The quality of a lead out of the `parts()` of its records: the best of each.

    Raises ValueError without records.
    """
    if not parts:
        raise ValueError("no record's quality to merge")
    best = {
        part: max(each.get(part, 0.0) for each in parts)
        for part in PART_WEIGHTS
        if part != "agreement"
    }
    return Quality(**best, agreement=agreement)


def agreement_of(said: Sequence[Listing | SourceRecord]) -> float | None:
    """How far several records of one lead say the same, in [0, 1].

    The mean over the facts that at least two of them state of the share that lies with the
    middle (or, of words, the commonest) value. None if no fact is stated twice.
    """
    shares = [
        share
        for name in (*_TOLERANCES, *_SAME_WORDS)
        if (share := _share(name, [v for each in said if (v := getattr(each, name)) is not None]))
        is not None
    ]
    return round(sum(shares) / len(shares), 4) if shares else None


def _share(name: str, values: list[int | str]) -> float | None:
    if len(values) < 2:
        return None
    numbers = [value for value in values if isinstance(value, int)]
    if not numbers:
        return Counter(values).most_common(1)[0][1] / len(values)
    middle = median_low(numbers)
    apart_most = abs(middle) * _TOLERANCES[name]
    return sum(abs(number - middle) <= apart_most for number in numbers) / len(numbers)


def _completeness(record: SourceRecord) -> float:
    """What is known, each fact as far as it is believed."""
    total = 0.0
    for field, weight in COMPLETENESS_WEIGHTS.items():
        known = record.contact.latitude if field == "place" else getattr(record, field)
        if known not in (None, ""):
            total += weight * _confidence(record, "latitude" if field == "place" else field)
    return round(total, 4)


def _confidence(record: SourceRecord, field: str) -> float:
    note = record.notes.get(field)
    return 1.0 if note is None else note.confidence


def _freshness(record: SourceRecord, now_us: int) -> float:
    stated = (moment_of(record.modification_timestamp), moment_of(record.posted_at))
    seen = max((moment for moment in stated if moment is not None), default=None)
    if seen is None:
        return 0.0
    age_days = (now_us - seen.timestamp() * 1_000_000) / _MICROSECONDS_PER_DAY
    # A source clock ahead of ours makes a record new, not newer than new.
    return round(math.pow(0.5, max(age_days, 0.0) / FRESHNESS_HALF_LIFE_DAYS), 4)
