"""The Notifier on PostgreSQL: a row per notification is its list and its outbox in one.

What a cause speaks of is looked up first, in the tables that the books commit to: they say
whether it is true, and tell it from every other of its kind. So a cause may come late, twice
or from a cart that is out of date.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg

from engine.market.instant import from_datetime, to_datetime
from engine.market.notices import (
    Cause,
    Channels,
    Notification,
    NotificationSettings,
    QuietHours,
    Telling,
    Told,
    mail_at,
    words,
)


class _Truth(NamedTuple):
    """Where it stands whether a cause is true. `what` names what the cause says beside buyer
    and lead, `source` finds a row if it is so, `mark` is what tells it from another such."""

    what: str
    type: str
    source: str
    mark: str


_TRUTHS = {
    "hold.expiring": _Truth(
        "held_until",
        "int8",
        "SELECT held_until FROM seats WHERE lead_id = c.lead_id AND user_id = c.user_id"
        " AND order_id IS NULL AND NOT is_offer AND held_until = c.what",
        "held_until",
    ),
    "queue.offered": _Truth(
        "offered_until",
        "int8",
        "SELECT held_until FROM seats WHERE lead_id = c.lead_id AND user_id = c.user_id"
        " AND order_id IS NULL AND is_offer AND held_until = c.what",
        "held_until",
    ),
    # Gone when the buyer holds the lead again: then it is not so any more.
    "hold.expired": _Truth(
        "reason",
        "text",
        "SELECT forget_at FROM past_holds WHERE lead_id = c.lead_id AND user_id = c.user_id"
        " AND ended_because = c.what",
        "forget_at",
    ),
    "queue.ended": _Truth(
        "reason",
        "text",
        "SELECT position FROM market_events e WHERE e.lead_id = c.lead_id"
        " AND CASE c.what WHEN 'expired' THEN e.event->>'type' = 'queue_left'"
        " AND e.event->>'reason' = 'expired' AND e.event->>'user_id' = c.user_id"
        " ELSE e.event->>'type' = c.what END ORDER BY position DESC",
        "position",
    ),
    "standing_order.filled": _Truth(
        "order_id",
        "text",
        "SELECT order_id FROM orders WHERE order_id = c.what AND user_id = c.user_id",
        "order_id",
    ),
}

# Every part is looked up row by row, whatever the statistics say.
_LOOK_UP = (
    "SELECT c.n, t.{mark}::text AS mark, l.city, l.property_type, l.property_sub_type,"
    " s.channels, s.quiet_start, s.quiet_end, s.time_zone"
    " FROM unnest($1::int4[], $2::text[], $3::text[], $4::{type}[]) AS c(n, user_id, lead_id, what)"
    " JOIN LATERAL (SELECT 1 FROM users u WHERE u.user_id = c.user_id LIMIT 1) u ON true"
    " JOIN LATERAL ({source} LIMIT 1) t ON true"
    " LEFT JOIN LATERAL (SELECT city, property_type, property_sub_type FROM leads"
    " WHERE lead_id = c.lead_id LIMIT 1) l ON true"
    " LEFT JOIN LATERAL (SELECT * FROM notification_settings n"
    " WHERE n.user_id = c.user_id LIMIT 1) s ON true"
)
_INSERT = (
    "INSERT INTO notifications (notification_id, user_id, kind, key, title, body, facts,"
    " true_until, in_app, mail_state, mail_due_at, created_at)"
    " SELECT u.*, $12 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],"
    " $6::text[], $7::jsonb[], $8::int8[], $9::bool[], $10::text[], $11::timestamptz[]) u"
    " ON CONFLICT (user_id, key) DO NOTHING RETURNING notification_id"
)
_HOME = ("city", "property_type", "property_sub_type")


class PostgresNotifier:
    """`is_mailing`: whether e-mails are to be sent at all."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        is_mailing: bool,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        self._pool = pool
        self._is_mailing = is_mailing
        self._new_id = new_id

    async def tell(self, causes: Sequence[Cause], now_us: int) -> Telling:
        """See `engine.ports.Notifier`. Raises OSError or asyncpg's errors while the database
        is away."""
        by_kind: dict[str, list[int]] = defaultdict(list)
        for number, cause in enumerate(causes):
            by_kind[cause.event.type].append(number)
        async with self._pool.acquire() as connection:
            rows: list[_Row] = []
            for kind, numbers in by_kind.items():
                found = await _look_up(connection, _TRUTHS[kind], causes, numbers)
                rows += [self._row(causes[row["n"]], row, now_us) for row in found]
            true = {id(row.cause) for row in rows}
            new = await _insert(connection, rows, now_us) if rows else set()
        return Telling(
            [
                Told(row.cause, row.notification, row.in_app)
                for row in rows
                if row.notification.notification_id in new
            ],
            [cause for cause in causes if id(cause) not in true],
        )

    def _row(self, cause: Cause, found: Mapping[str, Any], now_us: int) -> _Row:
        kind = cause.event.type
        settings = settings_of(found)
        channels: Channels = settings.of(kind)  # type: ignore[arg-type]
        facts = {**cause.event.body, **{name: found[name] for name in _HOME if found[name]}}
        title, body = words(kind, facts)  # type: ignore[arg-type]
        deadline = facts.get("held_until") or facts.get("offered_until")
        true_until = from_datetime(datetime.fromisoformat(deadline)) if deadline else None
        mail_state, due = "none", None
        if self._is_mailing and channels.email and cause.is_mailed():
            due = to_datetime(_mail_at(now_us, settings.quiet_hours))
            over = true_until is not None and due >= to_datetime(true_until)
            mail_state = "dropped" if over else "waiting"
        marks = [kind, facts["lead_id"], found["mark"], *([cause.minutes] if cause.minutes else [])]
        notification = Notification(self._new_id(), kind, title, body, facts, to_datetime(now_us))
        key = ":".join(map(str, marks))
        return _Row(cause, notification, key, true_until, channels.in_app, mail_state, due)


class _Row(NamedTuple):
    cause: Cause
    notification: Notification
    key: str
    true_until: int | None
    in_app: bool
    mail_state: str
    mail_due_at: datetime | None


def settings_of(row: Mapping[str, Any]) -> NotificationSettings:
    """What a row of `notification_settings` says, or one of nulls instead of it."""
    channels = {
        kind: Channels(in_app=each["in_app"], email=each["email"])
        for kind, each in (row["channels"] or {}).items()
    }
    if row["time_zone"] is None:
        return NotificationSettings(channels)
    quiet = QuietHours(row["quiet_start"], row["quiet_end"], row["time_zone"])
    return NotificationSettings(channels, quiet)


def _mail_at(now_us: int, quiet: QuietHours | None) -> int:
    return now_us if quiet is None else mail_at(now_us, quiet, _zone(quiet.time_zone))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ZoneInfoNotFoundError, ValueError):
        # Known when it was set, to another version of the zones.
        return UTC


async def _look_up(
    connection: asyncpg.Connection, truth: _Truth, causes: Sequence[Cause], numbers: list[int]
) -> list[asyncpg.Record]:
    events = [causes[number].event for number in numbers]
    said = [event.body[truth.what] for event in events]
    if truth.type == "int8":
        said = [from_datetime(datetime.fromisoformat(each)) for each in said]
    found: list[asyncpg.Record] = await connection.fetch(
        _LOOK_UP.format(mark=truth.mark, type=truth.type, source=truth.source),
        numbers,
        [event.user_id for event in events],
        [event.body["lead_id"] for event in events],
        said,
    )
    return found


async def _insert(connection: asyncpg.Connection, rows: Sequence[_Row], now_us: int) -> set[str]:
    """The ids of those that were not there before."""
    columns = zip(
        *(
            (
                row.notification.notification_id,
                row.cause.event.user_id,
                row.notification.kind,
                row.key,
                row.notification.title,
                row.notification.body,
                row.notification.facts,
                row.true_until,
                row.in_app,
                row.mail_state,
                row.mail_due_at,
            )
            for row in rows
        ),
        strict=True,
    )
    made = await connection.fetch(_INSERT, *map(list, columns), to_datetime(now_us))
    return {row["notification_id"] for row in made}
