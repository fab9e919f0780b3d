"""Which copy of each page was taken last, so that the next request for it is conditional."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import asyncpg
import msgspec


class FetchedPage(msgspec.Struct, frozen=True):
    """A page whose records were taken. `url` is the address that was asked, whatever it was
    redirected to; `content_hash` is that of its bytes."""

    url: str
    etag: str | None
    last_modified: str | None
    content_hash: str | None


async def known_pages(
    connection: asyncpg.Connection, source: str, market: str, urls: Sequence[str]
) -> dict[str, FetchedPage]:
    """What is known of `urls`, by url, in one statement; unknown ones are missing."""
    by_hash = {_hash(url): url for url in urls}
    rows = await connection.fetch(
        "SELECT url_hash, etag, last_modified, content_hash FROM fetched_pages"
        " WHERE source = $1 AND market = $2 AND url_hash = ANY($3::bytea[])",
        source,
        market,
        list(by_hash),
    )
    return {
        by_hash[hashed]: FetchedPage(by_hash[hashed], etag, modified, content_hash)
        for hashed, etag, modified, content_hash in rows
    }


async def note_pages(
    connection: asyncpg.Connection,
    source: str,
    market: str,
    run_id: str,
    pages: Sequence[FetchedPage],
) -> None:
    """Note pages as taken by a run, in one statement. Call it once their records are kept:
    a page noted before would be passed over though nothing came of it."""
    # An upsert may touch a row once: of a page that was fetched twice the last counts.
    last = sorted(({_hash(page.url): page for page in pages}).items())
    await connection.execute(
        "INSERT INTO fetched_pages"
        " (source, market, url_hash, etag, last_modified, content_hash, run_id)"
        " SELECT $1, $2, page.*, $3"
        " FROM unnest($4::bytea[], $5::text[], $6::text[], $7::text[]) AS page"
        " ON CONFLICT (source, market, url_hash) DO UPDATE SET etag = EXCLUDED.etag,"
        " last_modified = EXCLUDED.last_modified, content_hash = EXCLUDED.content_hash,"
        " run_id = EXCLUDED.run_id, fetched_at = now()",
        source,
        market,
        run_id,
        [hashed for hashed, _ in last],
        [page.etag for _, page in last],
        [page.last_modified for _, page in last],
        [page.content_hash for _, page in last],
    )


async def note_unchanged(
    connection: asyncpg.Connection, source: str, market: str, run_id: str, urls: Sequence[str]
) -> None:
    """Note pages as asked for by a run and still the copies that were taken."""
    await connection.execute(
        "UPDATE fetched_pages SET run_id = $3, fetched_at = now()"
        " WHERE source = $1 AND market = $2 AND url_hash = ANY($4::bytea[])",
        source,
        market,
        run_id,
        [_hash(url) for url in urls],
    )


async def pages_of_run(
    connection: asyncpg.Connection, source: str, market: str, run_id: str, urls: Sequence[str]
) -> set[str]:
    """Those of `urls` that the run has read."""
    by_hash = {_hash(url): url for url in urls}
    rows = await connection.fetch(
        "SELECT url_hash FROM fetched_pages WHERE source = $1 AND market = $2"
        " AND url_hash = ANY($3::bytea[]) AND run_id = $4",
        source,
        market,
        list(by_hash),
        run_id,
    )
    return {by_hash[row[0]] for row in rows}


async def pass_on(
    connection: asyncpg.Connection, source: str, market: str, *, of_run: str, to_run: str
) -> int:
    """Count what one run read as read by the run that goes on with it; how many pages."""
    status: str = await connection.execute(
        "UPDATE fetched_pages SET run_id = $4 WHERE source = $1 AND market = $2 AND run_id = $3",
        source,
        market,
        of_run,
        to_run,
    )
    return int(status.split()[1])


async def forget_content(
    connection: asyncpg.Connection, source: str, market: str, content_hash: str
) -> int:
    """Have the next run read the page of this content again, or all pages of the source if
    none has just this content (a row of a table has a hash of its own); how many."""
    for condition, values in ((" AND content_hash = $3", (content_hash,)), ("", ())):
        status: str = await connection.execute(
            f"DELETE FROM fetched_pages WHERE source = $1 AND market = $2{condition}",
            source,
            market,
            *values,
        )
        if deleted := int(status.split()[1]):
            return deleted
    return 0


async def read_elsewhere(
    connection: asyncpg.Connection, source: str, market: str, content_hash: str
) -> bool:
    """Whether the run of another market has read a document of just this content."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM fetched_pages"
        " WHERE source = $1 AND market <> $2 AND content_hash = $3)",
        source,
        market,
        content_hash,
    )
    return found


def _hash(url: str) -> bytes:
    return hashlib.sha256(url.encode()).digest()
