"""When e-mails may go out, and what notifications say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.instant import from_datetime, to_datetime
from engine.market.notices import KINDS, QuietHours, mail_at, words

ZONES = ["UTC", "America/Chicago", "Asia/Kathmandu", "Pacific/Auckland"]
minutes = st.integers(0, 1439)
HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
FIRST = from_datetime(datetime(2026, 1, 1, tzinfo=UTC))


def at(text: str, zone: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def is_quiet(moment_us: int, quiet: QuietHours) -> bool:
    """Said another way: walk the quiet minutes of the day."""
    local = to_datetime(moment_us).astimezone(ZoneInfo(quiet.time_zone))
    minute = quiet.start
    while minute != quiet.end:
        if minute == local.hour * 60 + local.minute:
            return True
        minute = (minute + 1) % 1440
    return False


@given(
    now=st.integers(FIRST, FIRST + 365 * DAY),
    start=minutes,
    length=st.integers(1, 1439),
    zone=st.sampled_from(ZONES),
)
def test_nothing_goes_out_in_quiet_hours(now: int, start: int, length: int, zone: str) -> None:
    quiet = QuietHours(start, (start + length) % 1440, zone)
    due = mail_at(now, quiet, ZoneInfo(zone))
    if not is_quiet(now, quiet):
        assert due == now
        return
    local = to_datetime(due).astimezone(ZoneInfo(zone))
    is_end = local.hour * 60 + local.minute == quiet.end and local.second == 0
    assert is_end or local.utcoffset() != (local - timedelta(days=1)).utcoffset()
    assert now <= due <= now + DAY + HOUR
    # Once only: what is due then goes out then.
    assert mail_at(due, quiet, ZoneInfo(zone)) == due


@pytest.mark.parametrize(
    ("now", "start", "end", "due"),
    [
        ("2026-05-01 21:59:59", 1320, 420, "2026-05-01 21:59:59"),
        ("2026-05-01 22:00:00", 1320, 420, "2026-05-02 07:00:00"),
        ("2026-05-02 06:59:59.9", 1320, 420, "2026-05-02 07:00:00"),
        ("2026-05-02 07:00:00", 1320, 420, "2026-05-02 07:00:00"),
        ("2026-05-02 12:30:00", 720, 780, "2026-05-02 13:00:00"),
        # The night in which an hour is left out, and the one in which it comes twice.
        ("2026-03-07 23:00:00", 1320, 420, "2026-03-08 07:00:00"),
        ("2026-10-31 23:00:00", 1320, 420, "2026-11-01 07:00:00"),
    ],
)
def test_by_the_clock_on_the_wall(now: str, start: int, end: int, due: str) -> None:
    quiet = QuietHours(start, end, "America/Chicago")
    zone = ZoneInfo("America/Chicago")
    assert mail_at(at(now, quiet.time_zone), quiet, zone) == at(due, quiet.time_zone)


def test_an_hour_that_comes_twice_is_quiet_once() -> None:
    zone = ZoneInfo("America/Chicago")
    quiet = QuietHours(22 * 60, 90, "America/Chicago")
    second = from_datetime(datetime(2026, 11, 1, 1, 10, tzinfo=zone, fold=1))
    assert mail_at(second, quiet, zone) == second


REASONS = {
    "hold.expired": ("expired", "withdrawn", "quarantined"),
    "queue.ended": ("sold", "withdrawn", "quarantined", "expired"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_for_every_reason(kind: str) -> None:
    facts: dict[str, Any] = {
        "price": 1,
        "held_until": "2026-05-01T12:30:00.000000Z",
        "offered_until": "2026-05-01T12:30:00.000000Z",
        "minutes_left": 1,
    }
    said = {words(kind, facts | {"reason": reason}) for reason in REASONS.get(kind, ("",))}  # type: ignore[arg-type]
    assert len(said) == len(REASONS.get(kind, ("",)))
    for title, body in said:
        assert title
        assert "A lead" in body
        assert "1 credits" not in body
        assert "1 minutes" not in title
