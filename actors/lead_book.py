"""LeadBook: the one writer of a market's leads. A shell around `engine.market.book`.

Commands queue in an inbox; one consumer takes all that wait, decides them as a batch
and commits what they came to in one transaction (group commit). Nobody is answered,
and nothing is published, before the commit. If a flush fails the book is thrown away
and loaded anew from the tables: there is one recovery path, and nothing is undone by
hand. A newer book of the same market raises the epoch, and this one stops.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from actors.client import AWAY, BUSY
from actors.feed_publisher import FeedPublisher, redis_client, ticks_json
from actors.matching import Found, Matcher
from actors.repricing_lane import Arrival, RepricingLane, is_repricing
from actors.steady_clock import SteadyClock
from actors.suspects import Suspects
from engine.adapters.postgres.book_store import BookStore
from engine.market import commands as c
from engine.market.account import Account
from engine.market.answers import Bought, Contact, Reply, Request, Undecided
from engine.market.batch import BUYER_COMMANDS, decide_batch
from engine.market.book import Book
from engine.market.events import PUBLIC_TYPE, LeadApproved, LeadListed, LeadRelisted
from engine.market.instant import rfc3339
from engine.market.lead import AVAILABLE
from engine.market.outcome import WHOLE, Outcome
from engine.market.plan import Plan
from engine.market.rules import SECOND_US, Rules
from engine.ports import BookStorage, Committed, ConnectStore, Fenced, JournalRow, Publisher

log = logging.getLogger(__name__)

BATCH_MAX = 512
INBOX_MAX = 20_000
# An idle market's holds expire within this, seconds.
TICK = 0.2
OWNERSHIP_CHECK = 1.0
PRUNE_EVERY = 60.0
PRUNE_AGAIN = 0.5
ANSWERS_KEPT_US = 25 * 3600 * 1_000_000
RELOAD_PAUSE_MAX = 2.0
# Leads whose claims and standing orders are decided in one flush: trades go between.
DECIDING_MAX = 16
# Events that put a lead on offer anew.
OPENED = (LeadListed, LeadApproved, LeadRelisted)

_requests = msgspec.msgpack.Decoder(list[Request]).decode
_replies = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class LeadBook:
    """A market's book, served: `start`, then `submit` batches until `stop`."""

    def __init__(
        self,
        market: str,
        database_url: str,
        redis_url: str,
        plans: Mapping[str, Plan],
        *,
        claim_window_us: int = 0,
        offer_us: int = 300 * SECOND_US,
        on_fenced: Callable[[], None] | None = None,
        clock: Callable[[], int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        connect: ConnectStore | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        """`clock` is in ns since the epoch, by default a steady one."""
        self.market = market
        self.fenced = False
        self._connect = connect or partial(BookStore.connect, database_url, market)
        self._plans = plans
        self._on_fenced = on_fenced
        self._clock = clock or SteadyClock()
        self._claim_window_us = claim_window_us
        self._offer_us = offer_us
        self._matcher = Matcher(plans)
        self._matched_position = 0
        self._monotonic = monotonic
        self._inbox: deque[Arrival] = deque()
        self._queued = 0
        self._repricings = RepricingLane(monotonic)
        self._wake = asyncio.Event()
        self._serving = False
        self._book = Book()
        self._store: BookStorage | None = None
        self._epoch = 0
        self._position = 0
        self._feed_seq = 0
        self._journal_at = 0
        self._suspects = Suspects()
        self._stop_asked = asyncio.Event()
        # True from the moment the book moved on until what it decided is committed.
        self._ahead = False
        self._losses_in_a_row = 0
        self._publisher = publisher or FeedPublisher(market, self._connect, redis_client(redis_url))
        self._consumer: asyncio.Task[None] | None = None
        self._flushes = 0
        self._decided = 0
        self._reloads = 0
        self._last_seen = 0.0
        self._prune_at = 0.0

    # --- life --------------------------------------------------------------------

    async def start(self) -> None:
        """Own the market and serve. Raises when the database can't be reached or lacks it."""
        await self._load()
        self._publisher.start(self._feed_seq)
        self._consumer = asyncio.create_task(self._consume(), name=f"book:{self.market}")

    async def stop(self) -> None:
        """Finish the flush under way, answer the rest `AWAY`, and let go."""
        self._stop_asked.set()
        self._serving = False
        if self._consumer is not None:
            self._wake.set()
            await self._consumer
        await self._publisher.stop()
        if self._store is not None:
            await self._store.close()
            self._store = None

    async def submit(self, payload: bytes) -> bytes:
        """Decide an encoded list of Requests; the encoded Replies, in order, once committed.

        `AWAY` when the book is not serving or lost its flush, `BUSY` when the inbox is
        full: the same batch may be sent again.
        """
        if not self._serving:
            return AWAY
        requests = _requests(payload)
        if is_repricing(requests):
            return await self._submit_repricings(requests)
        if self._queued + len(requests) > INBOX_MAX:
            return BUSY
        replies: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        self._inbox.append(Arrival(requests, replies))
        self._queued += len(requests)
        self._wake.set()
        try:
            return _replies(await replies)
        except _Lost:
            return AWAY

    async def _submit_repricings(self, requests: list[Request]) -> bytes:
        """New prices, which let trades go first."""
        if not self._repricings.has_room(len(requests)):
            return BUSY
        self._wake.set()
        try:
            return _replies(await self._repricings.carried_out(requests))
        except _Lost:
            return AWAY

    def stats(self) -> dict[str, Any]:
        """For the operator: what the book holds and did since it was made."""
        return {
            "market": self.market,
            "serving": self._serving,
            "fenced": self.fenced,
            "epoch": self._epoch,
            "leads": len(self._book.leads),
            "live_holds": self._book.live_holds,
            "live_offers": self._book.live_offers,
            "standing_orders": len(self._book.standing),
            "position": self._position,
            "feed_seq": self._feed_seq,
            "published_seq": self._publisher.published_seq,
            "queued": self._queued,
            "repricings": len(self._repricings),
            "flushes": self._flushes,
            "decided": self._decided,
            "reloads": self._reloads,
        }

    async def _load(self) -> None:
        """Own the market, then load: whatever an earlier flush, of this book or an older
        one, still had in flight is either committed before the load, or never.

        The first load raises the epoch. A later one asks for the same epoch again, under
        the lock that every flush holds: a book that was superseded must not take its
        market back. Raises Fenced then.
        """
        if self._store is not None:
            await self._store.close()
            self._store = None
        store = await self._connect()
        try:
            taken = await (store.resume(self._epoch) if self._epoch else store.take_over())
            book = Book(
                Rules(
                    claim_window_us=self._claim_window_us,
                    offer_us=self._offer_us,
                    zone=ZoneInfo(taken.time_zone),
                    secret=taken.secret,
                )
            )
            # Hundreds of thousands of small objects are made, and none is garbage.
            gc.disable()
            try:
                await store.load(book, self._now(taken.at))
            finally:
                gc.enable()
                gc.freeze()
        except BaseException:
            await store.close()
            raise
        self._store, self._book = store, book
        self._matcher = Matcher(self._plans)
        self._epoch, self._position, self._feed_seq, self._journal_at = taken[:4]
        self._matched_position = taken.matched_position
        self._ahead = False
        self._last_seen = self._monotonic()
        self._serving = not self._stop_asked.is_set()
        log.info("book %s serves epoch %d: %d leads", self.market, self._epoch, len(book.leads))

    def _now(self, journal_at: int) -> int:
        """µs; never behind the journal, so a clock stepping back revives no hold."""
        return max(journal_at, self._clock() // 1000)

    # --- the one consumer ----------------------------------------------------------

    async def _consume(self) -> None:
        try:
            while self._serving:
                try:
                    await self._turn()
                except Fenced:
                    raise
                except Exception as error:
                    await self._recover(error)
        except Fenced as fenced:
            log.warning("%s; this book stops", fenced)
            self._stop_fenced()
        self._drop_inbox()

    async def _turn(self) -> None:
        if not self._inbox and not self._repricings.is_due(trades_wait=False):
            self._wake.clear()
            await self._wait()
        arrivals = self._take()
        if arrivals:
            await self._flush(arrivals)
            if not is_repricing(arrivals[0].requests):
                self._repricings.traded()
        elif self._is_something_due():
            await self._carry_out([])
        else:
            await self._see_ownership()
        await self._tidy()

    async def _wait(self) -> None:
        """For a call, or until something is due by itself."""
        due_at = self._next_due_at()
        seconds = TICK
        if due_at is not None:
            seconds = min(TICK, max(0.0, (due_at - self._now(self._journal_at)) / 1e6))
        slice_in = self._repricings.due_in(trades_wait=False)
        if slice_in is not None:
            seconds = min(seconds, slice_in)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _is_something_due(self) -> bool:
        due_at = self._next_due_at()
        return due_at is not None and due_at <= self._now(self._journal_at)

    def _next_due_at(self) -> int | None:
        """When the next hold ends or claims are decided, µs; 0 for at once."""
        instants = (self._book.next_deadline(), self._book.claims.next_at())
        return min((at for at in instants if at is not None), default=None)

    async def _see_ownership(self) -> None:
        """An idle book's check that the market is still its own; a flush has its own fence."""
        assert self._store is not None
        if self._monotonic() - self._last_seen >= OWNERSHIP_CHECK:
            if not await self._store.owns(self._epoch):
                raise Fenced(f"{self.market}: epoch {self._epoch} was superseded")
            self._last_seen = self._monotonic()

    async def _tidy(self) -> None:
        """Forget what is over, busy or not: a bounded piece at a time, the next one soon
        while there is more."""
        if self._monotonic() < self._prune_at:
            return
        assert self._store is not None
        now = self._now(self._journal_at)
        async with self._store.flush(self._epoch):
            more = await self._store.prune(now, ANSWERS_KEPT_US)
        if not more:
            self._book.forget_past(now)
        self._prune_at = self._monotonic() + (PRUNE_AGAIN if more else PRUNE_EVERY)

    def _take(self) -> list[Arrival]:
        """Whole calls, together at most BATCH_MAX commands unless one call alone has more, and a
        slice of new prices if it is their turn. A call that was in a lost flush comes alone."""
        arrivals: list[Arrival] = []
        repricing = self._repricings.is_due(trades_wait=bool(self._inbox))
        if repricing and self._is_suspect(self._repricings.first):
            return [self._repricings.take()]
        count = 0
        while self._inbox and (not arrivals or count + len(self._inbox[0].requests) <= BATCH_MAX):
            suspect = self._is_suspect(self._inbox[0])
            if suspect and arrivals:
                break
            arrival = self._inbox.popleft()
            count += len(arrival.requests)
            arrivals.append(arrival)
            if suspect:
                break
        self._queued -= count
        if repricing and not (arrivals and self._is_suspect(arrivals[0])):
            arrivals.append(self._repricings.take())
        return arrivals

    def _is_suspect(self, arrival: Arrival) -> bool:
        return self._suspects.any(request.command_id for request in arrival.requests)

    async def _flush(self, arrivals: Sequence[Arrival]) -> None:
        requests = [request for arrival in arrivals for request in arrival.requests]
        try:
            if self._is_suspect(arrivals[0]):
                replies = [await self._carry_out_alone(request) for request in requests]
            else:
                replies = await self._carry_out(requests)
        except BaseException:
            for arrival in arrivals:
                if not arrival.replies.done():
                    arrival.replies.set_exception(_Lost())
            raise
        start = 0
        for arrival in arrivals:
            end = start + len(arrival.requests)
            if not arrival.replies.done():
                arrival.replies.set_result(replies[start:end])
            start = end

    async def _carry_out_alone(self, request: Request) -> Reply:
        """One command that was in a lost flush: it may be the one that no flush survives."""
        if self._suspects.give_up(request.command_id):
            log.error("book %s gives up a %s", self.market, type(request.command).__name__)
            return Reply(Undecided())
        return (await self._carry_out([request]))[0]

    async def _carry_out(self, requests: Sequence[Request]) -> list[Reply]:
        """Decide and commit, then publish. What raises here was lost, as far as is known."""
        try:
            replies, committed = await self._commit(requests)
        except Fenced:
            raise
        except Exception:
            connected = self._store is not None and not self._store.is_closed
            self._suspects.lost((r.command_id for r in requests), connected=connected)
            raise
        self._ahead = False
        self._losses_in_a_row = 0
        self._suspects.clear(request.command_id for request in requests)
        self._flushes += 1
        self._decided += len(requests)
        self._last_seen = self._monotonic()
        self._publisher.put(committed)
        return replies

    async def _commit(self, requests: Sequence[Request]) -> tuple[list[Reply], Committed]:
        store, book = self._store, self._book
        assert store is not None
        deciding = book.deciding(self._now(self._journal_at), DECIDING_MAX)
        async with store.flush(self._epoch, [r.command_id for r in requests]) as known:
            found = await self._matcher.find(store, book, deciding, self._now(self._journal_at))
            accounts = await self._lock_accounts(store, requests, found)
            now = self._now(self._journal_at)
            self._ahead = True
            outcome = decide_batch(
                book,
                requests,
                known=known,
                accounts=accounts,
                now=now,
                position=self._position,
                feed_seq=self._feed_seq,
                candidates=found.heard,
                market=self.market,
            )
            public, contacts = await self._write(store, outcome, now)
        self._after_commit(outcome, found)
        published = Committed(
            self._feed_seq + 1,
            outcome.feed_seq,
            public,
            _ticks(outcome, now),
            outcome.buyer_events,
        )
        self._position, self._feed_seq, self._journal_at = outcome.position, outcome.feed_seq, now
        replies = [
            Reply(answer, contacts.get(answer.lead_id) if isinstance(answer, Bought) else None)
            for answer in outcome.replies
        ]
        return replies, published

    async def _lock_accounts(
        self, store: BookStorage, requests: Sequence[Request], found: Found
    ) -> dict[str, Account]:
        """The accounts of all whose credits or limits this batch may touch."""
        users = _buyers(self._book, requests, found)
        if not users:
            return {}
        accounts = await store.lock_accounts(
            list(users),
            self._plans,
            count_holds=bool(found.heard)
            or any(isinstance(request.command, c.Hold) for request in requests),
        )
        for user_id, account in accounts.items():
            account.live_holds += self._book.holds_of.get(user_id, 0)
            account.held_value += self._book.value_of.get(user_id, 0)
        return accounts

    def _after_commit(self, outcome: Outcome, found: Found) -> None:
        self._matched_position = outcome.matched_position
        self._matcher.forget(outcome.updated)
        for lead_id in found.cut:
            if self._book.leads[lead_id].state == AVAILABLE:
                self._book.claims.again(lead_id)

    async def _write(
        self, store: BookStorage, outcome: Outcome, now: int
    ) -> tuple[list[str], dict[str, Contact]]:
        """Write what the batch came to. Returns the public events as JSON texts, in order
        of seq, and the contacts of leads bought, now or in a repeated answer."""
        leads = self._book.leads
        if outcome.listed or outcome.updated:
            await store.write_listings(outcome.listed, outcome.updated, leads, outcome.priced, now)
        if outcome.merged_into:
            await store.write_merges(outcome.merged_into)
        if outcome.ended:
            await store.end_seats(outcome.ended)
        if outcome.past_holds:
            await store.write_past_holds(outcome.past_holds, leads)
        if outcome.ticks:
            await store.write_ticks(outcome.ticks, now)
        await store.write_fair_trading(outcome, now)
        whole = outcome.whole_leads()
        teasers = await store.teasers(list(whole)) if whole else {}
        rows = _journal_rows(outcome, teasers, rfc3339(now))
        contacts = await store.write(
            outcome,
            rows,
            self._book,
            epoch=self._epoch,
            at=now,
            matched_before=self._matched_position,
        )
        return [row.public for row in rows if row.public is not None], contacts

    # --- losing it -----------------------------------------------------------------

    async def _recover(self, error: Exception) -> None:
        """After a turn that failed: load anew if the book is ahead of the tables, or lost its
        connection. Else, as after a wallet that stayed locked, nothing happened."""
        self._losses_in_a_row += 1
        if self._store is not None and not self._store.is_closed and not self._ahead:
            log.warning("book %s could not begin a flush: %s", self.market, error)
            await self._pause()
            return
        log.error("book %s lost a flush and reloads", self.market, exc_info=error)
        self._serving = False
        self._drop_inbox()
        self._reloads += 1
        while not self._stop_asked.is_set():
            if self._losses_in_a_row > 1:
                await self._pause()
            try:
                await self._load()
            except Fenced:
                raise
            except Exception as again:
                self._losses_in_a_row += 1
                log.warning("book %s can't load yet: %s", self.market, again)
            else:
                self._publisher.resume(self._feed_seq)
                return

    async def _pause(self) -> None:
        """Longer with every loss in a row, and over at once when the book is to stop."""
        pause = min(0.02 * 2 ** min(self._losses_in_a_row, 10), RELOAD_PAUSE_MAX)
        try:
            async with asyncio.timeout(pause):
                await self._stop_asked.wait()
        except TimeoutError:
            pass

    def _stop_fenced(self) -> None:
        self._serving = False
        self.fenced = True
        self._drop_inbox()
        if self._on_fenced is not None:
            self._on_fenced()

    def _drop_inbox(self) -> None:
        for arrival in self._inbox:
            if not arrival.replies.done():
                arrival.replies.set_exception(_Lost())
        self._inbox.clear()
        self._queued = 0
        self._repricings.drop(_Lost)


class _Lost(Exception):
    """The flush that carried this call did not commit here; the caller asks again."""


def _journal_rows(
    outcome: Outcome, teasers: Mapping[str, dict[str, Any]], at: str
) -> list[JournalRow]:
    rows = []
    for position, seq, event, thin in outcome.entries:
        public = None
        if seq is not None and thin is not None:
            lead = thin._asdict()
            if isinstance(event, WHOLE):
                lead = {**teasers[event.lead_id], **lead}
            told = {"seq": seq, "type": PUBLIC_TYPE[type(event)], "at": at, "lead": lead}
            if isinstance(event, OPENED) and event.decide_at:
                told["claims"] = {
                    "decide_at": rfc3339(event.decide_at),
                    "commitment": event.commitment,
                }
            public = _json(told).decode()
        rows.append(JournalRow(position, seq, event, public))
    return rows


def _buyers(book: Book, requests: Sequence[Request], found: Found) -> set[str]:
    """Whose wallets a batch needs: who asks, who claims, whose standing orders are heard, and
    who is given back a fee."""
    users = book.claims.claimants(found.heard)
    for order_ids in found.heard.values():
        users.update(book.standing.orders[order_id].user_id for order_id in order_ids)
    for request in requests:
        command = request.command
        if isinstance(command, BUYER_COMMANDS):
            users.add(command.user_id)
        elif isinstance(command, (c.Withdraw, c.Quarantine)):
            users |= _fee_payers(book, command.lead_id)
        elif isinstance(command, c.Merge):
            users |= _fee_payers(book, command.lead_id) | _fee_payers(book, command.other_id)
    return users


def _fee_payers(book: Book, lead_id: str) -> set[str]:
    lead = book.leads.get(lead_id)
    taken = lead.taken if lead is not None and lead.taken else {}
    return {user_id for user_id, seat in taken.items() if seat.fee and seat.order_id is None}


def _ticks(outcome: Outcome, now: int) -> list[tuple[int, str, str, str]]:
    """(position, at, reason, ticks as JSON text) of each repricing."""
    return [
        (
            position,
            rfc3339(now),
            tick.reason,
            ticks_json(tick.lead_ids, tick.prices),
        )
        for position, tick, _ in outcome.ticks
    ]
