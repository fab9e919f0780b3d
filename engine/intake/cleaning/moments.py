"""When a record was posted and changed: UTC, in an order that can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.intake.cleaning.notes import noted, respelled
from engine.intake.readings import moment_of, rfc3339
from engine.intake.record import SourceRecord
from engine.market_directory import Market

# Clocks differ, and a day without its zone may be tomorrow's.
_AHEAD_MOST = timedelta(days=1)
_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z")
_DROPPED = 0.2
_FIRST_YEAR = 1990
_LAST_YEAR = 2200


def clean_moments(record: SourceRecord, markets: Mapping[str, Market]) -> SourceRecord:
    """Moments in UTC, those without a zone read in the market's; none from the future, and
    no change before the posting."""
    for name in ("posted_at", "modification_timestamp"):
        record = _in_utc(record, name, markets)
    fetched = moment_of(record.fetched_at)
    posted, modified = moment_of(record.posted_at), moment_of(record.modification_timestamp)
    if fetched is not None and posted is not None and posted > fetched + _AHEAD_MOST:
        record, posted = noted(record, "future-moment", _DROPPED, posted_at=None), None
    if fetched is not None and modified is not None and modified > fetched + _AHEAD_MOST:
        record = noted(record, "future-moment", _DROPPED, modification_timestamp=None)
        modified = None
    if posted is not None and modified is not None and modified < posted:
        record = noted(
            record, "changed-before-posted", 0.6, modification_timestamp=record.posted_at
        )
    return record


def _in_utc(record: SourceRecord, name: str, markets: Mapping[str, Market]) -> SourceRecord:
    stated = getattr(record, name)
    if stated is None or _IN_UTC.fullmatch(stated):
        return record
    local = _without_zone(stated)
    if local is None:
        moment = rfc3339(_usable(moment_of(stated)))
        if moment is None:
            return noted(record, "no-moment", _DROPPED, **{name: None})
        return respelled(record, "to-utc", **{name: moment})
    zone = _zone_of(record, markets)
    rule = "market-zone" if zone is not None else "utc-assumed"
    moment = rfc3339(local.replace(tzinfo=zone or UTC))
    return noted(record, rule, 0.9 if zone is not None else 0.6, **{name: moment})


def _without_zone(stated: str) -> datetime | None:
    """The moment of a text that states none of its zone; None if it does or is no moment."""
    try:
        moment = datetime.fromisoformat(stated.strip())
    except ValueError:
        return None
    return _usable(moment) if moment.tzinfo is None else None


def _usable(moment: datetime | None) -> datetime | None:
    """None of a year in which nothing was posted: a spreadsheet's zero, a slip of the pen."""
    return moment if moment is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def _zone_of(record: SourceRecord, markets: Mapping[str, Market]) -> ZoneInfo | None:
    """The zone of the market in which it lies, else of the one whose run found it."""
    latitude, longitude = record.contact.latitude, record.contact.longitude
    if latitude is not None and longitude is not None:
        for market in markets.values():
            if market.contains(latitude, longitude):
                return _zone(market.time_zone)
    found_by = markets.get(record.market or "")
    return _zone(found_by.time_zone) if found_by is not None else None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
