"""Source records, entities, contacts and the outbox to the book, set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.book_store import PLANNED_BY_KEY
from engine.intake.record import Rejected
from engine.market.answers import Contact, Request
from engine.market.listing import Listing

_encode_json = msgspec.json.Encoder().encode
_decode_listing = msgspec.json.Decoder(Listing).decode
_encode_request = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode

CONTACT_FIELDS = Contact.__struct_fields__
PERSON_FIELDS = ("name", "phone", "email")
PLACE_FIELDS = ("unparsed_address", "latitude", "longitude", "source_url")


class KnownRecord(NamedTuple):
    """What is kept of a record; `modified` is RFC 3339 UTC."""

    content_hash: str
    lead_id: str | None
    modified: str | None


class RecordRow(NamedTuple):
    """A listed record as kept: masked, without contact data."""

    source: str
    source_id: str
    lead_id: str
    content_hash: str
    listing: Listing


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

    async def known_records(
        self, ids: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], KnownRecord]:
        """Records by (source, source id), those of this market."""
        rows = await self.connection.fetch(
            "SELECT r.source, r.source_id, r.content_hash, r.lead_id,"
            " r.record->>'modification_timestamp'"
            " FROM source_records r JOIN unnest($1::text[], $2::text[]) u(source, source_id)"
            " USING (source, source_id) WHERE r.market = $3",
            [source for source, _ in ids],
            [source_id for _, source_id in ids],
            self.market,
        )
        return {(row[0], row[1]): KnownRecord(row[2], row[3], row[4]) for row in rows}

    async def known_entities(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        rows = await self.connection.fetch(
            "SELECT key, lead_id FROM entities WHERE market = $1 AND key = ANY($2)",
            self.market,
            keys,
        )
        return {row[0]: row[1] for row in rows}

    async def listings(self, lead_ids: Sequence[str]) -> dict[str, dict[tuple[str, str], Listing]]:
        """What each record of each lead says: lead id to (source, source id) to listing."""
        rows = await self.connection.fetch(
            "SELECT lead_id, source, source_id, record FROM source_records"
            " WHERE lead_id = ANY($1) AND record IS NOT NULL",
            lead_ids,
        )
        found: dict[str, dict[tuple[str, str], Listing]] = {}
        for lead_id, source, source_id, record in rows:
            found.setdefault(lead_id, {})[source, source_id] = _decode_listing(record)
        return found

    async def write_records(self, rows: Sequence[RecordRow]) -> None:
        await self.connection.execute(
            "INSERT INTO source_records (source, source_id, market, lead_id, content_hash, record)"
            " SELECT u.source, u.source_id, $1, u.lead_id, u.content_hash, u.record::jsonb"
            " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
            " u(source, source_id, lead_id, content_hash, record)"
            " ON CONFLICT (market, source, source_id) DO UPDATE SET lead_id = excluded.lead_id,"
            " content_hash = excluded.content_hash, record = excluded.record,"
            " rejected_because = NULL, rejected_detail = NULL, last_seen_at = now()",
            self.market,
            [row.source for row in rows],
            [row.source_id for row in rows],
            [row.lead_id for row in rows],
            [row.content_hash for row in rows],
            [_encode_json(row.listing).decode() for row in rows],
        )

    async def rewrite_listings(self, listings: Mapping[tuple[str, str], Listing]) -> None:
        """Replace what is kept of these records, which themselves did not change."""
        await self.connection.execute(
            "UPDATE source_records r SET record = u.record::jsonb"
            " FROM unnest($1::text[], $2::text[], $3::text[]) u(source, source_id, record)"
            " WHERE r.market = $4 AND r.source = u.source AND r.source_id = u.source_id",
            [source for source, _ in listings],
            [source_id for _, source_id in listings],
            [_encode_json(listing).decode() for listing in listings.values()],
            self.market,
        )

    async def contacts(self, lead_ids: Sequence[str]) -> dict[str, Contact]:
        rows = await self.connection.fetch(
            f"SELECT lead_id, {', '.join(CONTACT_FIELDS)} FROM contacts WHERE lead_id = ANY($1)",
            lead_ids,
        )
        return {row[0]: Contact(**dict(zip(CONTACT_FIELDS, row[1:], strict=True))) for row in rows}

    async def write_rejected(self, rejected: Mapping[tuple[str, str], Rejected]) -> None:
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
            [source for source, _ in rejected],
            [source_id for _, source_id in rejected],
            [each.content_hash for each in rejected.values()],
            [each.reason for each in rejected.values()],
            [each.detail[:500] for each in rejected.values()],
        )

    async def seen(self, ids: Sequence[tuple[str, str]]) -> None:
        await self.connection.execute(
            "UPDATE source_records r SET last_seen_at = now(), rejected_because = NULL,"
            " rejected_detail = NULL"
            " FROM unnest($1::text[], $2::text[]) u(source, source_id)"
            " WHERE r.market = $3 AND r.source = u.source AND r.source_id = u.source_id",
            [source for source, _ in ids],
            [source_id for _, source_id in ids],
            self.market,
        )

    async def write_entities(self, entities: Mapping[bytes, str]) -> None:
        await self.connection.execute(
            "INSERT INTO entities (market, key, lead_id)"
            " SELECT $1, u.key, u.lead_id FROM unnest($2::bytea[], $3::text[]) u(key, lead_id)",
            self.market,
            list(entities),
            list(entities.values()),
        )

    async def write_contacts(self, contacts: Mapping[str, Contact]) -> None:
        """Contacts of new leads. For a known lead what was missing is filled in, and an
        invented person gives way to one that a source named."""
        person = ", ".join(
            f"{name} = CASE WHEN contacts.is_invented AND NOT excluded.is_invented"
            f" THEN excluded.{name} ELSE coalesce(contacts.{name}, excluded.{name}) END"
            for name in PERSON_FIELDS
        )
        place = ", ".join(
            f"{name} = coalesce(contacts.{name}, excluded.{name})" for name in PLACE_FIELDS
        )
        await self.connection.executemany(
            f"INSERT INTO contacts (lead_id, {', '.join(CONTACT_FIELDS)}) VALUES"
            " ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            f" ON CONFLICT (lead_id) DO UPDATE SET {person}, {place},"
            " is_invented = contacts.is_invented AND excluded.is_invented",
            [
                (lead_id, *(getattr(contact, name) for name in CONTACT_FIELDS))
                for lead_id, contact in contacts.items()
            ],
        )

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
