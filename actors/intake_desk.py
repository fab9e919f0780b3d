"""IntakeDesk: decides which records are one lead, and tells the market's book.

Records, contacts, entities and the commands to the book are committed together; the
commands then leave from the outbox under ids of their own, so a desk that dies in
between sends them again and the book answers the repeat.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from actors.client import BookBusy, BookGaveUp, BookUnavailable, MarketClient
from actors.intake_turn import Counts, Split, Turn
from actors.match_index import MatchIndex
from engine.adapters.postgres import lead_identities
from engine.adapters.postgres.intake_store import IntakeStore
from engine.intake.prepared import Prepared
from engine.intake.record import Rejected
from engine.market.answers import Answer, Done, Merged, Request
from engine.market.commands import ListLead, Merge, Refused, Relist, UpdateLead, Withdraw

log = logging.getLogger(__name__)

RECORDS_MAX = 1_000
OUTBOX_CHUNK = 500
RETRY_PAUSE = 0.5
RETRIES_MAX = 20

_decode = msgspec.msgpack.Decoder(tuple[list[Prepared], list[Rejected]]).decode
encode_records = msgspec.msgpack.Encoder().encode


class IntakeDesk:
    """One market's desk. Calls may be made concurrently; they are served in turn."""

    def __init__(self, market: str, database_url: str, client: MarketClient) -> None:
        self.market = market
        self._database_url = database_url
        self._client = client
        self._store: IntakeStore | None = None
        self._index: MatchIndex | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Load what is known and send what an earlier desk left in the outbox.

        Raises when the database is away.
        """
        async with self._turn:
            store, index = await self._ready()
            await self._send_outbox(store, index, Counts())

    async def stop(self) -> None:
        async with self._turn:
            if self._store is not None:
                await self._store.close()
                self._store = None

    async def take_encoded(self, payload: bytes) -> bytes:
        """`take` of (records, rejected) in MessagePack; the Counts in MessagePack."""
        records, rejected = _decode(payload)
        return msgspec.msgpack.encode(await self.take(records, rejected))

    async def take(self, records: Sequence[Prepared], rejected: Sequence[Rejected]) -> Counts:
        """Resolve at most 1,000 records and have the book list or update their leads.

        Returns when the book has answered: the leads are listed. The same records taken
        twice change nothing the second time. Raises ValueError on too many records,
        BookUnavailable when the book stays away (the outbox keeps the commands).
        """
        if len(records) + len(rejected) > RECORDS_MAX:
            raise ValueError(f"{len(records) + len(rejected)} records; at most {RECORDS_MAX}")
        async with self._turn:
            async with self._trusted() as (store, index):
                async with store.transaction():
                    counts = await Turn(store, index).take(records, rejected)
                await self._send_outbox(store, index, counts)
            return counts

    async def undo_merge(self, merge_id: str, by: str) -> Split | None:
        """Take a merge apart: the lead that went is offered under a new id.

        None if there is no such merge, or nothing to undo. Raises as `take`.
        """
        async with self._turn:
            async with self._trusted() as (store, index):
                # Rows of what went stand under the lead that stayed: load them anew.
                self._index = None
                async with store.transaction():
                    split = await Turn(store, index).undo(merge_id, by)
                store, index = await self._ready()
                await self._send_outbox(store, index, Counts())
            return split

    @asynccontextmanager
    async def _trusted(self) -> AsyncIterator[tuple[IntakeStore, MatchIndex]]:
        """Store and index, neither trusted again after a failure in the middle of something."""
        store, index = await self._ready()
        try:
            yield store, index
        except (BookBusy, BookUnavailable):
            raise
        except BaseException:
            store.abandon()
            self._store = self._index = None
            raise

    async def _ready(self) -> tuple[IntakeStore, MatchIndex]:
        if self._store is None:
            self._store = await IntakeStore.connect(self._database_url, self.market)
        if self._index is None:
            self._index = await MatchIndex.load(self._store.match_rows())
        return self._store, self._index

    async def _send_outbox(self, store: IntakeStore, index: MatchIndex, counts: Counts) -> None:
        """Send what waits, in order, until the book has answered all of it."""
        while outbox := await store.outbox(OUTBOX_CHUNK):
            waiting = _one_per_lead(
                [(number, await _as_it_stands(store, request)) for number, request in outbox]
            )
            answers = await asyncio.gather(*(self._tell(request) for _, request in waiting))
            async with store.transaction():
                turn = Turn(store, index)
                for (_, request), answer in zip(waiting, answers, strict=True):
                    await self._follow(turn, request, answer)
                await store.clear_outbox([outbox_id for outbox_id, _ in waiting])
            counts.add(turn.counts)

    async def _follow(self, turn: Turn, request: Request, answer: Answer | None) -> None:
        """Enter what the book made of a command; `answer` is None if it gave it up."""
        command = request.command
        if isinstance(answer, Merged):
            await turn.settle(answer)
            return
        if isinstance(answer, Refused):
            kind = type(command).__name__
            log.warning("the %s book refused %s: %s", self.market, kind, answer.code)
        if isinstance(command, Merge):
            await lead_identities.drop_merge(turn.connection, command.lead_id, command.other_id)
        if isinstance(command, ListLead) and answer is None:
            await lead_identities.take_back(turn.connection, [command.lead_id])

    async def _tell(self, request: Request) -> Answer | None:
        command = request.command
        if isinstance(command, Merge) and command.lead_id == command.other_id:
            return Done()  # An earlier answer has joined them already.
        for attempt in range(RETRIES_MAX):
            try:
                reply = await self._client.submit(
                    self.market, request.command, command_id=request.command_id
                )
                return reply.answer
            except BookGaveUp as error:
                # Sent again for ever, it would keep all that waits behind it.
                log.error("the %s book can't take %s: %s", self.market, request.command, error)
                return None
            except (BookBusy, BookUnavailable):
                if attempt == RETRIES_MAX - 1:
                    raise
                await asyncio.sleep(RETRY_PAUSE)
        raise AssertionError("unreachable")


async def _as_it_stands(store: IntakeStore, request: Request) -> Request:
    """A merge is asked for of the leads that its two have become by earlier answers."""
    command = request.command
    if not isinstance(command, Merge):
        return request
    pair = await lead_identities.as_they_stand(store.connection, command.lead_id, command.other_id)
    return msgspec.structs.replace(request, command=Merge(*pair))


def _one_per_lead(waiting: list[tuple[int, Request]]) -> list[tuple[int, Request]]:
    """The first of them, up to the second command about a lead: calls to a book may overtake
    one another, and an update must not come before its listing."""
    leads: set[str] = set()
    for number, (_, request) in enumerate(waiting):
        about = _leads_of(request)
        if leads & about:
            return waiting[:number]
        leads |= about
    return waiting


def _leads_of(request: Request) -> set[str]:
    command = request.command
    if isinstance(command, Merge):
        return {command.lead_id, command.other_id}
    assert isinstance(command, (ListLead, UpdateLead, Withdraw, Relist))
    return {command.lead_id}
