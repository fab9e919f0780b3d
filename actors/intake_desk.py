"""IntakeDesk: decides which records are one lead, and tells the market's book.

Records, contacts, entities and the commands to the book are committed together; the
commands then leave from the outbox under ids of their own, so a desk that dies in
between sends them again and the book answers the repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from actors.client import BookBusy, BookGaveUp, BookUnavailable, MarketClient
from engine.adapters.postgres.intake_store import IntakeStore, KnownRecord, RecordRow
from engine.intake.address import home_key
from engine.intake.listing import (
    GONE_STATUSES,
    contact_values,
    is_listable,
    mask_again,
    to_listing,
)
from engine.intake.offer import seats_for, starting_price
from engine.intake.record import Rejected, SourceRecord
from engine.intake.survivorship import merge_listings
from engine.market.answers import Contact, Request
from engine.market.commands import Command, ListLead, Refused, UpdateLead, Withdraw
from engine.market.listing import Listing

log = logging.getLogger(__name__)

RECORDS_MAX = 1_000
OUTBOX_CHUNK = 500
RETRY_PAUSE = 0.5
RETRIES_MAX = 20


class Counts(msgspec.Struct):
    """What became of the records of one call."""

    new: int = 0
    merged: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    gone: int = 0

    def add(self, other: Counts) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_decode = msgspec.msgpack.Decoder(tuple[list[SourceRecord], list[Rejected]]).decode
encode_records = msgspec.msgpack.Encoder().encode


class IntakeDesk:
    """One market's desk. `take` may be called concurrently; records are taken in turn."""

    def __init__(
        self,
        market: str,
        database_url: str,
        client: MarketClient,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.market = market
        self._database_url = database_url
        self._client = client
        self._clock = clock
        self._store: IntakeStore | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Send what an earlier desk left in the outbox. Raises when the database is away."""
        async with self._turn:
            self._store = await IntakeStore.connect(self._database_url, self.market)
            await self._send_outbox(self._store)

    async def stop(self) -> None:
        async with self._turn:
            if self._store is not None:
                await self._store.close()
                self._store = None

    async def take_encoded(self, payload: bytes) -> bytes:
        """`take` of (records, rejected) in MessagePack; the Counts in MessagePack."""
        records, rejected = _decode(payload)
        return msgspec.msgpack.encode(await self.take(records, rejected))

    async def take(self, records: Sequence[SourceRecord], rejected: Sequence[Rejected]) -> Counts:
        """Resolve at most 1,000 records and have the book list or update their leads.

        Returns when the book has answered: the leads are listed. The same records taken
        twice change nothing the second time. Raises ValueError on too many records,
        BookUnavailable when the book stays away (the outbox keeps the commands).
        """
        if len(records) + len(rejected) > RECORDS_MAX:
            raise ValueError(f"{len(records) + len(rejected)} records; at most {RECORDS_MAX}")
        async with self._turn:
            store = await self._connected()
            try:
                counts = await self._commit(store, records, rejected)
                await self._send_outbox(store)
            except (BookBusy, BookUnavailable):
                raise
            except BaseException:
                # A connection that failed in the middle of something is not trusted again.
                store.abandon()
                self._store = None
                raise
            return counts

    async def _connected(self) -> IntakeStore:
        if self._store is None:
            self._store = await IntakeStore.connect(self._database_url, self.market)
        return self._store

    async def _commit(
        self, store: IntakeStore, records: Sequence[SourceRecord], rejected: Sequence[Rejected]
    ) -> Counts:
        counts = Counts()
        # The last one of a source id wins: a feed that repeats itself is read once.
        latest = {(record.source, record.source_id): record for record in records}
        counts.unchanged += len(records) - len(latest)
        async with store.transaction():
            known = await store.known_records(list(latest))
            fresh, seen = {}, []
            for key, record in latest.items():
                # What was rejected may be read better now, though it did not change.
                listed = key in known and known[key].lead_id is not None
                if listed and not _says_more(record, known[key]):
                    seen.append(key)
                else:
                    fresh[key] = record
            counts.unchanged += len(seen)
            if seen:
                await store.seen(seen)
            if fresh:
                listed_as = {key: k.lead_id for key, k in known.items() if k.lead_id is not None}
                await self._resolve(store, fresh, listed_as, counts)
            if rejected:
                counts.rejected += len(rejected)
                await store.write_rejected({_rejected_id(each): each for each in rejected})
        return counts

    async def _resolve(
        self,
        store: IntakeStore,
        fresh: dict[tuple[str, str], SourceRecord],
        listed_as: dict[tuple[str, str], str],
        counts: Counts,
    ) -> None:
        keys = {id_: _home_hash(record) for id_, record in fresh.items()}
        entities = await store.known_entities([key for key in keys.values() if key])
        new_entities: dict[bytes, str] = {}
        contacts: dict[str, Contact] = {}
        rows: dict[tuple[str, str], RecordRow] = {}
        first: dict[str, SourceRecord] = {}
        now_us = self._clock() // 1000
        for id_, record in fresh.items():
            key = keys[id_]
            lead_id = listed_as.get(id_) or (entities.get(key) if key else None)
            if lead_id is None:
                if not is_listable(record):
                    counts.gone += 1
                    continue
                lead_id = secrets.token_urlsafe(12)
                first[lead_id] = record
                counts.new += 1
            elif id_ in listed_as:
                counts.updated += 1
            else:
                counts.merged += 1
            if key and key not in entities:
                entities[key] = new_entities[key] = lead_id
            if lead_id not in contacts or contacts[lead_id].is_invented:
                contacts[lead_id] = record.contact
            rows[id_] = RecordRow(
                *id_, lead_id, record.content_hash, to_listing(record, now_us=now_us)
            )
        if not rows:
            return
        said = await store.listings([row.lead_id for row in rows.values()])
        before = {lead_id: merge_listings(each.values()) for lead_id, each in said.items()}
        for id_, row in rows.items():
            said.setdefault(row.lead_id, {})[id_] = row.listing
        await store.write_contacts(contacts)
        await self._mask_for_each_other(store, said, rows)
        await store.write_records(list(rows.values()))
        if new_entities:
            await store.write_entities(new_entities)
        commands = [
            command
            for lead_id in dict.fromkeys(row.lead_id for row in rows.values())
            for command in _commands(
                lead_id,
                merge_listings(said[lead_id].values()),
                before.get(lead_id),
                first.get(lead_id),
            )
        ]
        await store.write_outbox(
            [Request(secrets.token_bytes(16), command) for command in commands]
        )

    async def _mask_for_each_other(
        self,
        store: IntakeStore,
        said: dict[str, dict[tuple[str, str], Listing]],
        rows: dict[tuple[str, str], RecordRow],
    ) -> None:
        """Of several records of one lead, one may print in its remarks whom another names as
        the contact: each is masked with the whole lead's contact, also those kept before."""
        contacts = await store.contacts([id_ for id_, each in said.items() if len(each) > 1])
        kept: dict[tuple[str, str], Listing] = {}
        for lead_id, contact in contacts.items():
            values = list(contact_values(SourceRecord(source="", source_id="", contact=contact)))
            for id_, listing in said[lead_id].items():
                masked = mask_again(listing, values)
                if masked == listing:
                    continue
                said[lead_id][id_] = masked
                if id_ in rows:
                    rows[id_] = rows[id_]._replace(listing=masked)
                else:
                    kept[id_] = masked
        if kept:
            await store.rewrite_listings(kept)

    async def _send_outbox(self, store: IntakeStore) -> None:
        """Send what waits, in order, until the book has answered all of it."""
        while waiting := _one_per_lead(await store.outbox(OUTBOX_CHUNK)):
            answers = await asyncio.gather(*(self._tell(request) for _, request in waiting))
            for (_, request), answer in zip(waiting, answers, strict=True):
                if isinstance(answer, Refused):
                    log.warning(
                        "the %s book refused %s: %s",
                        self.market,
                        type(request.command).__name__,
                        answer.code,
                    )
            await store.clear_outbox([outbox_id for outbox_id, _ in waiting])

    async def _tell(self, request: Request) -> object:
        for attempt in range(RETRIES_MAX):
            try:
                reply = await self._client.submit(
                    self.market, request.command, command_id=request.command_id
                )
                return reply.answer
            except BookGaveUp as error:
                # Sent again for ever, it would keep all that waits behind it.
                log.error("the %s book can't list %s: %s", self.market, request.command, error)
                return None
            except (BookBusy, BookUnavailable):
                if attempt == RETRIES_MAX - 1:
                    raise
                await asyncio.sleep(RETRY_PAUSE)
        raise AssertionError("unreachable")


def _one_per_lead(waiting: list[tuple[int, Request]]) -> list[tuple[int, Request]]:
    """The first of them, up to the second command about a lead: calls to a book may overtake
    one another, and an update must not come before its listing."""
    leads: set[str] = set()
    for number, (_, request) in enumerate(waiting):
        assert isinstance(request.command, (ListLead, UpdateLead, Withdraw))
        if request.command.lead_id in leads:
            return waiting[:number]
        leads.add(request.command.lead_id)
    return waiting


def _commands(
    lead_id: str, listing: Listing, before: Listing | None, first: SourceRecord | None
) -> Iterator[Command]:
    """What the book must hear of a lead of which `listing` is said now, `before` until now."""
    if listing == before:
        return
    if first is None:
        yield UpdateLead(lead_id, listing)
    else:
        seats = seats_for(first)
        yield ListLead(lead_id, starting_price(listing, seats), seats, listing)
    status = listing.standard_status
    if status in GONE_STATUSES and (before is None or before.standard_status != status):
        yield Withdraw(lead_id, f"{status} at its source")


def _says_more(record: SourceRecord, known: KnownRecord) -> bool:
    """Whether a record differs from what is kept of it, and is not older: a feed read
    again from its start must not undo its end."""
    if known.content_hash == record.content_hash:
        return False
    modified = record.modification_timestamp
    return modified is None or known.modified is None or modified >= known.modified


def _home_hash(record: SourceRecord) -> bytes | None:
    key = home_key(record)
    return hashlib.blake2b(key.encode(), digest_size=16).digest() if key else None


def _rejected_id(rejected: Rejected) -> tuple[str, str]:
    """A record without an id of its own is known by what it contained."""
    return rejected.source, rejected.source_id or f"content:{rejected.content_hash[:32]}"
