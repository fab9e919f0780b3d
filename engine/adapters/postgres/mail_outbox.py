"""The outbox of e-mails: notifications whose `mail_state` is `waiting`.

Whoever takes a mail has it until its lease ends, which is its new `mail_due_at`; so any
number of workers share the outbox, and what a dead one had is taken again. A worker that
dies between handing a mail to its server and noting it has sent it, and another will: once
at least, and never by two at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

LEASE_SECONDS = 300
# Tries at 1, 2, 4 ... minutes: about two hours in all.
TRIES_MAX = 8
BACK_OFF_SECONDS = 60
_ERROR_MAX = 200

_LEASE = """
WITH due AS (
    SELECT notification_id FROM notifications
    WHERE mail_state = 'waiting' AND mail_due_at <= now()
    ORDER BY mail_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE notifications n
SET mail_due_at = now() + make_interval(secs => $2), mail_tries = mail_tries + 1
FROM due, users u
WHERE n.notification_id = due.notification_id AND u.user_id = n.user_id
RETURNING n.notification_id, n.mail_tries, n.kind, n.title, n.body, n.facts, n.created_at,
    u.email::text, u.status = 'active' AND (n.true_until IS NULL OR EXISTS (
        SELECT FROM seats s WHERE s.lead_id = n.facts->>'lead_id' AND s.user_id = n.user_id
        AND s.order_id IS NULL AND s.held_until = n.true_until
        AND s.held_until > extract(epoch FROM now()) * 1e6)) AS is_true
"""


class Mail(NamedTuple):
    """One to be sent. `is_true`: the account is active, and the hold or offer that it speaks
    of still lives as it says."""

    notification_id: str
    tries: int
    kind: str
    title: str
    body: str
    facts: dict[str, Any]
    created_at: datetime
    email: str
    is_true: bool


async def take(pool: asyncpg.Pool, limit: int) -> list[Mail]:
    """Lease mails that are due, the longest due first."""
    rows = await pool.fetch(_LEASE, limit, LEASE_SECONDS)
    mails = [Mail(*row) for row in rows]
    return sorted(mails, key=lambda mail: (mail.created_at, mail.notification_id))


async def sent(pool: asyncpg.Pool, mails: Sequence[Mail]) -> None:
    await _settle(pool, mails, "mail_state = 'sent', mail_error = NULL")


async def dropped(pool: asyncpg.Pool, mails: Sequence[Mail]) -> None:
    """Not to be sent any more: what they say is not so."""
    await _settle(pool, mails, "mail_state = 'dropped'")


async def failed(pool: asyncpg.Pool, mail: Mail, error: str) -> None:
    """Never to be tried again."""
    await _settle(pool, [mail], "mail_state = 'failed', mail_error = $3", error[:_ERROR_MAX])


async def again(pool: asyncpg.Pool, mail: Mail, error: str) -> None:
    """To be tried later, or failed after `TRIES_MAX` tries."""
    await _settle(
        pool,
        [mail],
        "mail_error = $3, mail_state = CASE WHEN mail_tries < $4 THEN 'waiting' ELSE 'failed' END,"
        " mail_due_at = now() + make_interval(secs => $5 * 2 ^ (mail_tries - 1))",
        error[:_ERROR_MAX],
        TRIES_MAX,
        BACK_OFF_SECONDS,
    )


async def give_back(pool: asyncpg.Pool, mails: Sequence[Mail]) -> None:
    """Untried: due at once, for whoever comes first."""
    await _settle(pool, mails, "mail_due_at = now(), mail_tries = mail_tries - 1")


async def seconds_to_next(pool: asyncpg.Pool) -> float | None:
    """Until the next mail is due, 0 if one is; None if none waits."""
    seconds: float | None = await pool.fetchval(
        "SELECT greatest(extract(epoch FROM min(mail_due_at) - now()), 0)::float8"
        " FROM notifications WHERE mail_state = 'waiting'"
    )
    return seconds


async def _settle(pool: asyncpg.Pool, mails: Sequence[Mail], changes: str, *values: Any) -> None:
    """Only what this worker's own lease covers: another's may have begun since."""
    if mails:
        await pool.execute(
            f"UPDATE notifications n SET {changes}"
            " FROM unnest($1::text[], $2::int2[]) m(notification_id, tries)"
            " WHERE n.notification_id = m.notification_id AND n.mail_state = 'waiting'"
            " AND n.mail_tries = m.tries",
            [mail.notification_id for mail in mails],
            [mail.tries for mail in mails],
            *values,
        )
