"""Instants: int µs since the epoch inside, RFC 3339 UTC outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_us: int) -> str:
    """ "2026-05-01T12:00:00.123456Z" of µs since the epoch."""
    # Formatted by hand it takes twice the time, and every reminder and hold has one.
    return to_datetime(at_us).isoformat(timespec="microseconds")[:-6] + "Z"


def from_datetime(moment: datetime) -> int:
    """µs since the epoch of an aware datetime, exact."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_datetime(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)
