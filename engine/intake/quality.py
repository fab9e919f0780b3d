"""How much a lead is worth knowing: a score in [0, 1] with named parts."""

from __future__ import annotations

import math
from typing import NamedTuple

from engine.intake.readings import moment_of
from engine.intake.record import SourceRecord

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
PART_WEIGHTS = {"completeness": 0.5, "freshness": 0.25, "contactability": 0.25}


class Quality(NamedTuple):
    """Parts and their weighted sum, each in [0, 1]."""

    completeness: float
    freshness: float
    contactability: float

    @property
    def score(self) -> float:
        parts = self._asdict()
        return round(float(sum(parts[part] * weight for part, weight in PART_WEIGHTS.items())), 4)


def quality_of(record: SourceRecord, *, now_us: int) -> Quality:
    """The parts of a record's quality at `now_us`, microseconds since the epoch UTC."""
    return Quality(
        completeness=_completeness(record),
        freshness=_freshness(record, now_us),
        contactability=round(
            sum(w for field, w in CONTACT_WEIGHTS.items() if getattr(record.contact, field)), 4
        ),
    )


def _completeness(record: SourceRecord) -> float:
    total = 0.0
    for field, weight in COMPLETENESS_WEIGHTS.items():
        known = record.contact.latitude if field == "place" else getattr(record, field)
        total += weight if known not in (None, "") else 0.0
    return round(total, 4)


def _freshness(record: SourceRecord, now_us: int) -> float:
    seen = moment_of(record.modification_timestamp or record.posted_at)
    if seen is None:
        return 0.0
    age_days = (now_us - seen.timestamp() * 1_000_000) / _MICROSECONDS_PER_DAY
    # A source clock ahead of ours makes a record new, not newer than new.
    return round(math.pow(0.5, max(age_days, 0.0) / FRESHNESS_HALF_LIFE_DAYS), 4)
