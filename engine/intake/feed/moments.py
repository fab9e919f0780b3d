"""Dates as feeds write them: a form, seconds since the epoch, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from engine.intake.readings import number_of, text_of

_AGO = re.compile(r"(?:listed |posted |about )?(\d{1,4}|an?)\s?([a-z]{1,7}) ago")
_UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3_600, "hr": 3_600, "hrs": 3_600, "hour": 3_600, "hours": 3_600,
    "d": 86_400, "day": 86_400, "days": 86_400,
    "w": 604_800, "wk": 604_800, "week": 604_800, "weeks": 604_800,
}  # fmt: skip
_NOW = frozenset({"just now", "now", "moments ago"})
_EPOCH_SECONDS_MAX = 7_258_118_400  # the year 2200


def moment_of_cell(
    cell: object, form: str, zone: tzinfo, fetched_at: datetime | None
) -> datetime | None:
    """An aware UTC moment. Times without a zone are local to `zone`, days its midnight.

    `5d+ ago` says only that it is older, `2mo ago` not how long a month was: both are
    nothing, and so is what is relative to an unknown moment.
    """
    if form == "ago":
        return _ago(cell, fetched_at)
    if form in ("epoch_seconds", "epoch_milliseconds"):
        return _epoch(cell, 1_000 if form == "epoch_milliseconds" else 1)
    text = text_of(cell)
    if text is None or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text) if form == "iso" else _of_form(text, form)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _of_form(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007


def _epoch(cell: object, per_second: int) -> datetime | None:
    number = number_of(cell)
    if number is None or not 0 < number / per_second <= _EPOCH_SECONDS_MAX:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number / per_second)


def _ago(cell: object, fetched_at: datetime | None) -> datetime | None:
    text = text_of(cell)
    if text is None or fetched_at is None:
        return None
    words = text[:64].lower()
    if words in _NOW:
        return fetched_at
    match = _AGO.fullmatch(words)
    if match is None or match[2] not in _UNITS:
        return None
    count = 1 if match[1].startswith("a") else int(match[1])
    try:
        return fetched_at - timedelta(seconds=count * _UNITS[match[2]])
    except OverflowError:
        return None
