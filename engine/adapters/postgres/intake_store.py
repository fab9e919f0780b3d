"""Source records, what they are recognised by, and the outbox to the book, set-based."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.book_store import LOAD_CHUNK, PLANNED_BY_KEY
from engine.intake.prepared import Prepared, Stated
from engine.intake.record import FieldNote, Rejected
from engine.market.answers import Request
from engine.market.instant import from_datetime
from engine.market.listing import Listing

RecordKey = tuple[str, str]

_encode_json = msgspec.json.Encoder().encode
_decode_listing = msgspec.json.Decoder(Listing).decode
_decode_quality = msgspec.json.Decoder(dict[str, float]).decode
_decode_notes = msgspec.json.Decoder(dict[str, FieldNote]).decode
_encode_request = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_STATED_COLUMNS = "lead_id, source, source_id, trust, seats, record, quality, notes"


class KnownRecord(NamedTuple):
    """What is kept of a record; `modified` is RFC 3339 UTC, `digests` what it is known by.
    `first_seen_us` in µs since the epoch."""

    content_hash: str
    lead_id: str | None
    modified: str | None
    digests: frozenset[bytes]
    first_seen_us: int


class MatchRow(NamedTuple):
    """One thing that a record said of its home, in MessagePack, under its digest."""

    source: str
    source_id: str
    digest: bytes
    features: bytes


class IntakeStore:
    """One connection of one market's intake desk. Not for concurrent use."""

    def __init__(self, connection: asyncpg.Connection, market: str) -> None:
        self.connection = connection
        self.market = market

    @classmethod
    async def connect(cls, database_url: str, market: str) -> IntakeStore:
        """Raises OSError or asyncpg.PostgresError when the database can't be reached."""
        connection = await asyncpg.connect(
            database_url,
            timeout=10,
            command_timeout=60,
            server_settings={"application_name": f"desk:{market}", **PLANNED_BY_KEY},
        )
        return cls(connection, market)

    def abandon(self) -> None:
        """Drop the connection without a word; the server rolls back what was under way."""
        self.connection.terminate()

    async def close(self) -> None:
        await self.connection.close(timeout=2)

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        transaction: AbstractAsyncContextManager[Any] = self.connection.transaction()
        return transaction

    # --- records -------------------------------------------------------------------

    async def known_records(self, keys: Sequence[RecordKey]) -> dict[RecordKey, KnownRecord]:
        """What is kept of these records of this market, by (source, source id)."""
        rows = await self.connection.fetch(
            "SELECT r.source, r.source_id, r.content_hash, r.lead_id,"
            " r.record->>'modification_timestamp',"
            " ARRAY(SELECT m.digest FROM match_rows m WHERE m.market = r.market"
            " AND m.source = r.source AND m.source_id = r.source_id), r.first_seen_at"
            " FROM source_records r JOIN unnest($1::text[], $2::text[]) u(source, source_id)"
            " ON r.market = $3 AND r.source = u.source AND r.source_id = u.source_id",
            *_columns(keys),
            self.market,
        )
        return {
            (row[0], row[1]): KnownRecord(
                row[2], row[3], row[4], frozenset(row[5]), from_datetime(row[6])
            )
            for row in rows
        }

    async def stated(self, lead_ids: Sequence[str]) -> dict[str, dict[RecordKey, Stated]]:
        """What each record of each lead says: lead id to (source, source id) to Stated."""
        rows = await self.connection.fetch(
            f"SELECT {_STATED_COLUMNS} FROM source_records"
            " WHERE lead_id = ANY($1) AND market = $2 AND record IS NOT NULL",
            lead_ids,
            self.market,
        )
        found: dict[str, dict[RecordKey, Stated]] = {}
        for lead_id, source, source_id, trust, seats, record, quality, notes in rows:
            found.setdefault(lead_id, {})[source, source_id] = Stated(
                source,
                source_id,
                trust,
                seats,
                _decode_listing(record),
                _decode_quality(quality),
                _decode_notes(notes),
            )
        return found

    async def write_records(self, rows: Sequence[tuple[Prepared, str]]) -> None:
        """Keep these records with their leads, in place of what they said before."""
        await self.connection.execute(
            "INSERT INTO source_records (market, source, source_id, lead_id, content_hash,"
            " record, trust, seats, quality, notes, language, licence, fetched_at)"
            " SELECT $1, u.source, u.source_id, u.lead_id, u.content_hash,"
            " u.record::jsonb, u.trust, u.seats, u.quality::jsonb, u.notes::jsonb,"
            " u.language, u.licence, u.fetched_at::timestamptz"
            " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"
            " $7::float8[], $8::int2[], $9::text[], $10::text[], $11::text[], $12::text[],"
            " $13::text[])"
            " u(source, source_id, lead_id, content_hash, record, trust, seats, quality, notes,"
            " language, licence, fetched_at)"
            " ON CONFLICT (market, source, source_id) DO UPDATE SET"
            " lead_id = excluded.lead_id, content_hash = excluded.content_hash,"
            " record = excluded.record, trust = excluded.trust, seats = excluded.seats,"
            " quality = excluded.quality, notes = excluded.notes,"
            " language = excluded.language, licence = excluded.licence,"
            " fetched_at = excluded.fetched_at, rejected_because = NULL,"
            " rejected_detail = NULL, reviewed_at = NULL, reviewed_by = NULL,"
            " review_note = NULL, last_seen_at = now()",
            self.market,
            [record.source for record, _ in rows],
            [record.source_id for record, _ in rows],
            [lead_id for _, lead_id in rows],
            [record.content_hash for record, _ in rows],
            [_json(record.listing) for record, _ in rows],
            [record.trust for record, _ in rows],
            [record.seats for record, _ in rows],
            [_json(record.quality) for record, _ in rows],
            [_json(record.notes) for record, _ in rows],
            [record.language for record, _ in rows],
            [record.licence for record, _ in rows],
            [record.fetched_at for record, _ in rows],
        )

    async def rewrite_listings(self, listings: Mapping[RecordKey, Listing]) -> None:
        """Replace what is kept of these records, which themselves did not change."""
        await self.connection.execute(
            "UPDATE source_records r SET record = u.record::jsonb"
            " FROM unnest($1::text[], $2::text[], $3::text[]) u(source, source_id, record)"
            " WHERE r.market = $4 AND r.source = u.source AND r.source_id = u.source_id",
            *_columns(list(listings)),
            [_json(listing) for listing in listings.values()],
            self.market,
        )

    async def move_records(self, goes: str, stays: str) -> list[RecordKey]:
        """Give a lead's records to another one; which they were."""
        rows = await self.connection.fetch(
            "UPDATE source_records SET lead_id = $2 WHERE lead_id = $1 AND market = $3"
            " RETURNING source, source_id",
            goes,
            stays,
            self.market,
        )
        return [(row[0], row[1]) for row in rows]

    async def give_records(self, keys: Sequence[RecordKey], lead_id: str) -> None:
        await self.connection.execute(
            "UPDATE source_records r SET lead_id = $4"
            " FROM unnest($1::text[], $2::text[]) u(source, source_id)"
            " WHERE r.market = $3 AND r.source = u.source AND r.source_id = u.source_id",
            *_columns(keys),
            self.market,
            lead_id,
        )

    async def write_rejected(self, rejected: Mapping[RecordKey, Rejected]) -> None:
        """Keep what can't be used with its reason; a record that was listed before stays its
        lead's."""
        await self.connection.execute(
            "INSERT INTO source_records"
            " (source, source_id, market, content_hash, rejected_because, rejected_detail)"
            " SELECT u.source, u.source_id, $1, u.content_hash, u.reason, u.detail"
            " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
            " u(source, source_id, content_hash, reason, detail)"
            " ON CONFLICT (market, source, source_id) DO UPDATE SET"
            " rejected_because = excluded.rejected_because,"
            " rejected_detail = excluded.rejected_detail, last_seen_at = now()",
            self.market,
            *_columns(list(rejected)),
            [each.content_hash for each in rejected.values()],
            [each.reason for each in rejected.values()],
            [each.detail[:500] for each in rejected.values()],
        )

    async def seen(self, keys: Sequence[RecordKey]) -> None:
        await self.connection.execute(
            "UPDATE source_records r SET last_seen_at = now(), rejected_because = NULL,"
            " rejected_detail = NULL"
            " FROM unnest($1::text[], $2::text[]) u(source, source_id)"
            " WHERE r.market = $3 AND r.source = u.source AND r.source_id = u.source_id",
            *_columns(keys),
            self.market,
        )

    # --- what they are recognised by -----------------------------------------------

    async def match_rows(self) -> AsyncIterator[list[tuple[bytes, str]]]:
        """(features, lead id) of everything known of this market, in chunks."""
        async with self.connection.transaction(readonly=True):
            # Here alone everything is read: a join row by row would take minutes.
            await self.connection.execute("SET LOCAL enable_hashjoin = on")
            await self.connection.execute("SET LOCAL enable_seqscan = on")
            cursor = await self.connection.cursor(
                "SELECT m.features, r.lead_id FROM match_rows m"
                " JOIN source_records r USING (market, source, source_id)"
                " WHERE m.market = $1 AND r.lead_id IS NOT NULL",
                self.market,
            )
            while rows := await cursor.fetch(LOAD_CHUNK):
                yield [(row[0], row[1]) for row in rows]

    async def write_match_rows(self, rows: Sequence[MatchRow]) -> None:
        await self.connection.execute(
            "INSERT INTO match_rows (market, source, source_id, digest, features)"
            " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[])",
            self.market,
            [row.source for row in rows],
            [row.source_id for row in rows],
            [row.digest for row in rows],
            [row.features for row in rows],
        )

    # --- the outbox to the book ----------------------------------------------------

    async def write_outbox(self, requests: Sequence[Request]) -> None:
        await self.connection.execute(
            "INSERT INTO intake_outbox (market, command)"
            " SELECT $1, u.command FROM unnest($2::bytea[]) WITH ORDINALITY u(command, number)"
            " ORDER BY u.number",
            self.market,
            [_encode_request(request) for request in requests],
        )

    async def outbox(self, limit: int) -> list[tuple[int, Request]]:
        rows = await self.connection.fetch(
            "SELECT outbox_id, command FROM intake_outbox WHERE market = $1"
            " ORDER BY outbox_id LIMIT $2",
            self.market,
            limit,
        )
        return [(row[0], _decode_request(row[1])) for row in rows]

    async def clear_outbox(self, outbox_ids: Sequence[int]) -> None:
        await self.connection.execute(
            "DELETE FROM intake_outbox WHERE outbox_id = ANY($1)", outbox_ids
        )


def _columns(keys: Sequence[RecordKey]) -> tuple[list[str], list[str]]:
    return [source for source, _ in keys], [source_id for _, source_id in keys]


def _json(value: object) -> str:
    return _encode_json(value).decode()
