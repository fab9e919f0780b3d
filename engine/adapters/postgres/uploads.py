"""Files that buyers and partners handed in: kept until they are decided upon and taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec

from engine.adapters.postgres.source_state import ask
from engine.intake.document import Document
from engine.intake.feed.feed import UPLOAD_LICENCE, upload_url
from engine.market.instant import from_datetime, rfc3339

SOURCE = "upload"
WAITING_PER_USER_MAX = 20

State = Literal["waiting", "approved", "rejected", "taken"]

_SHOWN = (
    "upload_id, user_id, market, filename, media_type, mapping, state, counts, created_at,"
    " decided_at, note, run_id"
)


class Upload(msgspec.Struct, frozen=True):
    """An upload without its content. `counts` is a Checked."""

    upload_id: str
    user_id: str
    market: str
    filename: str | None
    media_type: str
    mapping: str | None
    state: State
    counts: dict[str, Any]
    created_at: datetime
    decided_at: datetime | None
    note: str | None
    run_id: str | None


async def keep(
    connection: asyncpg.Connection,
    *,
    upload_id: str,
    user_id: str,
    market: str,
    filename: str | None,
    media_type: str,
    mapping: str | None,
    content: bytes,
    counts: dict[str, Any],
) -> Upload | None:
    """Keep it, waiting; None when its uploader has 20 waiting already."""
    # Of one account's uploads at once, each counts those before it.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('upload ' || $1))", user_id)
    row = await connection.fetchrow(
        "INSERT INTO uploads (upload_id, user_id, market, filename, media_type, mapping, content,"
        " counts, state) SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'waiting'"
        " WHERE (SELECT count(*) FROM uploads WHERE user_id = $2 AND state = 'waiting') < $9"
        f" RETURNING {_SHOWN}",
        upload_id,
        user_id,
        market,
        filename,
        media_type,
        mapping,
        content,
        counts,
        WAITING_PER_USER_MAX,
    )
    return None if row is None else Upload(**dict(row))


async def decide(
    connection: asyncpg.Connection,
    upload_id: str,
    *,
    approve: bool,
    decided_by: str,
    note: str | None,
    run_id: str,
) -> Upload | None:
    """Decide on a waiting upload; None if it is none. An approved one is handed over to the
    next run of the source `upload` in its market, which is asked for here; of a rejected
    one the content is gone."""
    row = await connection.fetchrow(
        "UPDATE uploads SET state = $2, decided_at = now(), decided_by = $3, note = $4,"
        " content = CASE WHEN $5 THEN content END WHERE upload_id = $1 AND state = 'waiting'"
        f" RETURNING {_SHOWN}",
        upload_id,
        "approved" if approve else "rejected",
        decided_by,
        note,
        approve,
    )
    if row is None:
        return None
    if not approve:
        return Upload(**dict(row))
    asked = await ask(connection, SOURCE, row["market"], run_id)
    await connection.execute(
        "UPDATE uploads SET run_id = $2 WHERE upload_id = $1", upload_id, asked
    )
    return Upload(**{**dict(row), "run_id": asked})


async def one(
    connection: asyncpg.Connection | asyncpg.Pool, upload_id: str, *, user_id: str | None
) -> Upload | None:
    """An upload, of this uploader only if one is named."""
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} FROM uploads WHERE upload_id = $1 AND ($2::text IS NULL OR user_id = $2)",
        upload_id,
        user_id,
    )
    return None if row is None else Upload(**dict(row))


async def newest(
    connection: asyncpg.Pool,
    *,
    user_id: str | None = None,
    state: State | None = None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Upload]:
    """Uploads, newest first, after (created_at, upload_id)."""
    created_at, upload_id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM uploads"
        " WHERE ($1::timestamptz IS NULL OR (created_at, upload_id) < ($1, $2::text))"
        " AND ($3::text IS NULL OR user_id = $3) AND ($4::text IS NULL OR state = $4)"
        " ORDER BY created_at DESC, upload_id DESC LIMIT $5",
        created_at,
        upload_id,
        user_id,
        state,
        limit,
    )
    return [Upload(**dict(row)) for row in rows]


async def approved(pool: asyncpg.Pool, market: str) -> AsyncIterator[tuple[str, Document]]:
    """(upload id, document) of what waits to be taken, oldest first, one in memory at a time."""
    ids = await pool.fetch(
        "SELECT upload_id FROM uploads WHERE market = $1 AND state = 'approved'"
        " ORDER BY created_at, upload_id",
        market,
    )
    for each in ids:
        row = await pool.fetchrow(
            "SELECT upload_id, user_id, media_type, mapping, content, created_at FROM uploads"
            " WHERE upload_id = $1 AND state = 'approved' AND content IS NOT NULL",
            each["upload_id"],
        )
        if row is not None:
            yield row["upload_id"], _document(row, market)


async def note_taken(pool: asyncpg.Pool, upload_ids: Sequence[str], run_id: str) -> None:
    """Their records are with the desk: the files are needed no more."""
    await pool.execute(
        "UPDATE uploads SET state = 'taken', run_id = $2, content = NULL"
        " WHERE upload_id = ANY($1) AND state = 'approved'",
        upload_ids,
        run_id,
    )


def document_of(
    content: bytes,
    *,
    upload_id: str,
    user_id: str,
    market: str,
    media_type: str,
    mapping: str | None,
    uploaded_us: int,
) -> Document:
    """The upload as its parser gets it; `uploaded_us` in microseconds since the epoch."""
    return Document(
        url=upload_url(upload_id, mapping),
        content=content,
        media_type=media_type,
        fetched_at=rfc3339(uploaded_us),
        market=market,
        licence=f"{UPLOAD_LICENCE}{user_id}",
        source=SOURCE,
    )


def _document(row: asyncpg.Record, market: str) -> Document:
    return document_of(
        row["content"],
        upload_id=row["upload_id"],
        user_id=row["user_id"],
        market=market,
        media_type=row["media_type"],
        mapping=row["mapping"],
        uploaded_us=from_datetime(row["created_at"]),
    )
