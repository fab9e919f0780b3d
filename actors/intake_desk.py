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
from typing import Any, NamedTuple

import msgspec

from actors.client import BookBusy, BookGaveUp, BookUnavailable, MarketClient
from actors.fraud_evidence import FraudEvidence
from actors.intake_turn import Counts, Split, Turn
from actors.judging import LeadJudge
from actors.lead_review import LeadReview
from actors.match_index import MatchIndex
from actors.models import ModelUnavailable
from actors.rescoring import Rescoring
from engine.adapters.postgres import fraud_scores, lead_identities
from engine.adapters.postgres.fraud_scores import Word
from engine.adapters.postgres.intake_store import IntakeStore
from engine.intake.prepared import Prepared
from engine.intake.record import Rejected
from engine.market.answers import Answer, Done, Merged, Request
from engine.market.commands import (
    Approve,
    ListLead,
    Merge,
    Quarantine,
    Refused,
    Relist,
    UpdateLead,
    Withdraw,
)

log = logging.getLogger(__name__)

RECORDS_MAX = 1_000
OUTBOX_CHUNK = 500
RETRY_PAUSE = 0.5
RETRIES_MAX = 20
# Leads that are judged again in one turn: records go between.
RESCORED_MAX = 256

_decode = msgspec.msgpack.Decoder(tuple[list[Prepared], list[Rejected]]).decode
encode_records = msgspec.msgpack.Encoder().encode


class Known(NamedTuple):
    """What a desk has in memory, right as long as every transaction commits."""

    match_index: MatchIndex
    fraud: LeadReview


class IntakeDesk:
    """One market's desk. Calls may be made concurrently; they are served in turn."""

    def __init__(
        self,
        market: str,
        database_url: str,
        client: MarketClient,
        judge: LeadJudge | None = None,
    ) -> None:
        self.market = market
        self._database_url = database_url
        self._client = client
        self._judge = LeadJudge() if judge is None else judge
        self._store: IntakeStore | None = None
        self._known: Known | None = None
        self._turn = asyncio.Lock()
        self._rescoring = Rescoring(market, self.rescore_waiting)
        # Leads to be judged again, as far as was counted.
        self._waiting = 0

    async def start(self) -> None:
        """Load what is known and send what an earlier desk left in the outbox.

        Raises when the database is away.
        """
        async with self._turn:
            store, known = await self._ready()
            await self._send_outbox(store, known, Counts())
        self._rescoring.start()

    async def stop(self) -> None:
        await self._rescoring.stop()
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
            async with self._trusted() as (store, known):
                await known.fraud.evidence.read_on(store.connection)
                async with store.transaction():
                    counts = await self._in(store, known).take(records, rejected)
                await self._send_outbox(store, known, counts)
            return counts

    async def undo_merge(self, merge_id: str, by: str) -> Split | None:
        """Take a merge apart: the lead that went is offered under a new id.

        None if there is no such merge, or nothing to undo. Raises as `take`.
        """
        async with self._turn:
            async with self._trusted() as (store, known):
                # Rows of what went stand under the lead that stayed: load them anew.
                self._known = None
                async with store.transaction():
                    split = await self._in(store, known).undo(merge_id, by)
                store, known = await self._ready()
                await self._send_outbox(store, known, Counts())
            return split

    # --- scams ---------------------------------------------------------------------

    async def decide(self, lead_id: str, word: Word) -> bool:
        """Enter a reviewer's word on a lead and have the book follow it; said twice, it is the
        same. False if this desk keeps nothing of such a lead. Raises as `take`."""
        async with self._turn, self._trusted() as (store, known):
            async with store.transaction():
                is_known = await self._in(store, known).decide(lead_id, word)
            await self._send_outbox(store, known, Counts())
        return is_known

    async def rescore(self, lead_ids: Sequence[str] | None = None) -> int:
        """Have these leads, or all of the market, judged again in the background, a bounded
        part of them at a time; how many were not waiting for it already."""
        async with self._turn, self._trusted() as (store, _):
            asked = await fraud_scores.ask_again(store.connection, self.market, lead_ids)
            await self._count_waiting(store)
        self._rescoring.hurry()
        return asked

    async def rescore_waiting(self) -> bool:
        """Judge some of the leads again that wait for it, if the model answers. True if there
        are more. Raises as `take`."""
        async with self._turn, self._trusted() as (store, known):
            more = False
            if not self._judge.is_resting():
                try:
                    more = await self._rescore_some(store, known)
                except ModelUnavailable:
                    log.info("leads of %s wait to be judged again", self.market)
            await self._count_waiting(store)
        return more

    async def _rescore_some(self, store: IntakeStore, known: Known) -> bool:
        lead_ids = await fraud_scores.waiting(store.connection, self.market, RESCORED_MAX)
        if lead_ids:
            await known.fraud.evidence.read_on(store.connection)
            async with store.transaction():
                await self._in(store, known).rescore(lead_ids)
            await self._send_outbox(store, known, Counts())
        return len(lead_ids) == RESCORED_MAX

    def judged(self) -> dict[str, Any]:
        """Leads judged since the start, by model version and by rules alone, and how many
        were to be judged again when that was last counted."""
        judge = self._judge
        return {
            "scored": {str(version): count for version, count in judge.by_version.items()},
            "by_rules": judge.by_rules,
            "to_rescore": self._waiting,
        }

    async def _count_waiting(self, store: IntakeStore) -> None:
        self._waiting = await fraud_scores.count_waiting(store.connection, self.market)

    # --- what it is worked with ------------------------------------------------------

    @asynccontextmanager
    async def _trusted(self) -> AsyncIterator[tuple[IntakeStore, Known]]:
        """Store and what is known, not trusted again after a failure in the middle."""
        store, known = await self._ready()
        try:
            yield store, known
        except (BookBusy, BookUnavailable):
            raise
        except BaseException:
            store.abandon()
            self._store = self._known = None
            raise

    async def _ready(self) -> tuple[IntakeStore, Known]:
        if self._store is None:
            self._store = await IntakeStore.connect(self._database_url, self.market)
        if self._known is None:
            evidence = await FraudEvidence.load(self._store.connection, self.market)
            self._known = Known(
                await MatchIndex.load(self._store.match_rows()),
                LeadReview(self._judge, evidence),
            )
        return self._store, self._known

    def _in(self, store: IntakeStore, known: Known) -> Turn:
        return Turn(store, known.match_index, known.fraud)

    async def _send_outbox(self, store: IntakeStore, known: Known, counts: Counts) -> None:
        """Send what waits, in order, until the book has answered all of it."""
        while outbox := await store.outbox(OUTBOX_CHUNK):
            waiting = _one_per_lead(
                [(number, await _as_it_stands(store, request)) for number, request in outbox]
            )
            answers = await asyncio.gather(*(self._tell(request) for _, request in waiting))
            async with store.transaction():
                turn = self._in(store, known)
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
            # An operator may have been there before, and what is sold stays sold.
            expected = isinstance(command, (Quarantine, Approve))
            level = logging.INFO if expected else logging.WARNING
            log.log(level, "the %s book refused %s: %s", self.market, kind, answer.code)
        if isinstance(command, Merge):
            await lead_identities.drop_merge(turn.connection, command.lead_id, command.other_id)
        if isinstance(command, ListLead) and answer is None:
            await lead_identities.take_back(turn.connection, [command.lead_id])
        if isinstance(command, Quarantine) and answer is None:
            await fraud_scores.not_quarantined(turn.connection, [command.lead_id])

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
    assert isinstance(command, (ListLead, UpdateLead, Withdraw, Relist, Quarantine, Approve))
    return {command.lead_id}
