"""A buyer's list of notifications, and what they set about them."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec

from engine.adapters.postgres.notifier import settings_of
from engine.market.notices import Notification, NotificationSettings

DAYS_KEPT = 90
_PRUNE_MAX = 5_000
_MINE = "user_id = $1 AND in_app"


async def page(
    pool: asyncpg.Pool,
    user_id: str,
    *,
    unread: bool,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Notification]:
    """The buyer's, newest first, after (created_at, notification_id); only `unread` ones if so."""
    created_at, notification_id = after or (None, None)
    rows = await pool.fetch(
        "SELECT notification_id, kind, title, body, facts, created_at, read_at FROM notifications"
        f" WHERE {_MINE} AND (NOT $2 OR read_at IS NULL)"
        " AND ($3::timestamptz IS NULL OR (created_at, notification_id) < ($3, $4::text))"
        " ORDER BY created_at DESC, notification_id DESC LIMIT $5",
        user_id,
        unread,
        created_at,
        notification_id,
        limit,
    )
    return [Notification(**dict(row)) for row in rows]


async def read(connection: asyncpg.Connection, user_id: str, notification_id: str) -> bool:
    """Mark one as read, again without effect; False if the buyer has no such notification."""
    done = await connection.fetchval(
        f"UPDATE notifications SET read_at = coalesce(read_at, now()) WHERE {_MINE}"
        " AND notification_id = $2 RETURNING true",
        user_id,
        notification_id,
    )
    return bool(done)


async def read_all(connection: asyncpg.Connection, user_id: str) -> None:
    """Mark all that are there now as read."""
    await connection.execute(
        f"UPDATE notifications SET read_at = now() WHERE {_MINE} AND read_at IS NULL", user_id
    )


async def settings(pool: asyncpg.Pool, user_id: str) -> NotificationSettings:
    """What the buyer set; the defaults of whoever set nothing."""
    row = await pool.fetchrow("SELECT * FROM notification_settings WHERE user_id = $1", user_id)
    return NotificationSettings() if row is None else settings_of(row)


async def replace_settings(
    connection: asyncpg.Connection, user_id: str, settings: NotificationSettings
) -> None:
    """Raises asyncpg.ForeignKeyViolationError if there is no such account."""
    quiet = settings.quiet_hours
    await connection.execute(
        "INSERT INTO notification_settings (user_id, channels, quiet_start, quiet_end, time_zone)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id) DO UPDATE SET"
        " channels = excluded.channels, quiet_start = excluded.quiet_start,"
        " quiet_end = excluded.quiet_end, time_zone = excluded.time_zone",
        user_id,
        msgspec.to_builtins(settings.channels),
        quiet and quiet.start,
        quiet and quiet.end,
        quiet and quiet.time_zone,
    )


async def prune(pool: asyncpg.Pool) -> int:
    """Delete what is older than 90 days, a bounded number a time; how many went."""
    deleted = await pool.fetch(
        "DELETE FROM notifications WHERE ctid = ANY(ARRAY(SELECT ctid FROM notifications"
        " WHERE created_at < now() - make_interval(days => $1) LIMIT $2)) RETURNING 1",
        DAYS_KEPT,
        _PRUNE_MAX,
    )
    return len(deleted)
