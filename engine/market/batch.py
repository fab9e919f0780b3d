"""One batch of commands decided against a book, and everything that must be written for it.

Pure: what the flush read (answers already given, accounts under lock) comes in, what it
must write goes out. The book itself has moved on when `decide_batch` returns: if the
write fails, the book must be thrown away and loaded anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Bought, Done, Held, Merged, Request
from engine.market.book import Book
from engine.market.lead import Lead, LeadState
from engine.market.listing import Listing

MISMATCH = c.Refused(
    "idempotency-mismatch", "this Idempotency-Key was used with another request body"
)
BUYER_COMMANDS = (c.Buy, c.Hold, c.Extend, c.Release)
# Events whose public form carries the whole teaser.
WHOLE = (e.LeadListed, e.LeadUpdated, e.LeadApproved, e.LeadRelisted, e.HoldExtended)


class StoredAnswer(NamedTuple):
    request_hash: bytes | None
    answer: Answer


class ThinLead(NamedTuple):
    """What every public event says of its lead, right after it."""

    lead_id: str
    lead_state: LeadState
    price: int
    max_buyers: int
    seats_left: int


class Entry(NamedTuple):
    """One journal entry; `feed_seq` and `thin` are None for what the feed does not tell."""

    position: int
    feed_seq: int | None
    event: e.Event
    thin: ThinLead | None


class Outcome:
    """What a batch came to. `replies` are in step with the requests."""

    def __init__(self, position: int, feed_seq: int) -> None:
        self.position = position
        self.feed_seq = feed_seq
        self.entries: list[Entry] = []
        self.replies: list[Answer] = []
        self.answers: dict[bytes, StoredAnswer] = {}
        self.leads: dict[str, Lead] = {}
        # (lead, buyer) pairs whose seat changed, and those of them that gave one up.
        self.seats: set[tuple[str, str]] = set()
        self.ended: set[tuple[str, str]] = set()
        # Buyers who hold more or fewer leads of this market than before.
        self.holders: set[str] = set()
        self.past_holds: set[tuple[str, str]] = set()
        self.listed: dict[str, Listing] = {}
        self.updated: dict[str, Listing] = {}
        # Where a withdrawn lead went, None for one that is on offer again.
        self.merged_into: dict[str, str | None] = {}
        self.sales: list[e.LeadSold] = []
        self.ticks: list[tuple[int, e.LeadsRepriced]] = []

    def whole_leads(self) -> set[str]:
        """Leads whose teaser the public events of this batch carry."""
        return {entry.event.lead_id for entry in self.entries if isinstance(entry.event, WHOLE)}

    def changes(self) -> bool:
        return bool(self.entries or self.answers)


def decide_batch(
    book: Book,
    requests: Sequence[Request],
    *,
    known: Mapping[bytes, StoredAnswer],
    accounts: Mapping[str, Account],
    now: int,
    position: int,
    feed_seq: int,
) -> Outcome:
    """Expire what is due at `now` (µs), then decide `requests` in order.

    `known` are answers given before under these command ids; a repeat within the batch
    gets the answer of the first.
    """
    batch = _Batch(book, accounts, now, Outcome(position, feed_seq))
    for event in book.due(now):
        batch.record(event)
    for request in requests:
        batch.answer(request, known.get(request.command_id))
    return batch.outcome


def _open(answer: Answer) -> bool:
    """Whether a repeat may be decided anew: a lead may be listed later, bad input mended."""
    return type(answer) is c.Refused and answer.code in ("not-found", "validation")


class _Batch:
    def __init__(
        self, book: Book, accounts: Mapping[str, Account], now: int, outcome: Outcome
    ) -> None:
        self.book = book
        self.accounts = accounts
        self.now = now
        self.outcome = outcome

    def answer(self, request: Request, known: StoredAnswer | None) -> None:
        outcome = self.outcome
        stored = known or outcome.answers.get(request.command_id)
        if stored is not None:
            same = stored.request_hash == request.request_hash
            outcome.replies.append(stored.answer if same else MISMATCH)
            return
        command = request.command
        account = (
            self.accounts.get(command.user_id) if isinstance(command, BUYER_COMMANDS) else None
        )
        decision = self.book.decide(command, self.now, account)
        changed = False
        if isinstance(decision, c.Refused):
            answer: Answer = decision
        else:
            if decision is not None:
                changed = True
                self.record(decision)
            answer = self._answer(command, decision, account)
        outcome.replies.append(answer)
        # A refusal without a key changed nothing and was promised to nobody: a repeat
        # after a crash may be decided anew.
        if changed or (request.request_hash is not None and not _open(answer)):
            outcome.answers[request.command_id] = StoredAnswer(request.request_hash, answer)

    def record(self, event: e.Event) -> None:
        """Apply one event and note what must be written for it."""
        outcome = self.outcome
        lead_id = event.lead_id
        ended = self._before(event)
        self.book.apply(event, self.now)
        outcome.position += 1
        if isinstance(event, e.LeadsRepriced):
            outcome.ticks.append((outcome.position, event))
            outcome.leads.update((id_, self.book.leads[id_]) for id_ in event.lead_ids)
            outcome.entries.append(Entry(outcome.position, None, event, None))
            return
        lead = self.book.leads[lead_id]
        if not isinstance(event, (e.LeadUpdated, e.HoldExtended)):
            outcome.leads[lead_id] = lead
        for user_id in ended:
            outcome.ended.add((lead_id, user_id))
            outcome.holders.add(user_id)
            outcome.past_holds.add((lead_id, user_id))
        self._after(event)
        seq, thin = None, None
        if lead.state != "quarantined" or isinstance(event, e.LeadQuarantined):
            outcome.feed_seq += 1
            seq = outcome.feed_seq
            thin = ThinLead(lead_id, lead.state, lead.price, lead.max_buyers, lead.seats_left)
        outcome.entries.append(Entry(outcome.position, seq, event, thin))

    def _before(self, event: e.Event) -> list[str]:
        """Whose hold `event` ends without a purchase; moves the accounts of this batch."""
        match event:
            case e.LeadReleased(user_id=user_id):
                ended = [user_id]
            case e.LeadWithdrawn() | e.LeadQuarantined():
                ended = self.book.holders(self.book.leads[event.lead_id])
            case e.LeadSold() | e.LeadHeld():
                self._settle(event)
                return []
            case _:
                return []
        for user_id in ended:
            if (account := self.accounts.get(user_id)) is not None:
                account.live_holds -= 1
        return ended

    def _settle(self, event: e.LeadSold | e.LeadHeld) -> None:
        account = self.accounts[event.user_id]
        lead = self.book.leads[event.lead_id]
        pair = (event.lead_id, event.user_id)
        if lead.past is not None and event.user_id in lead.past:
            self.outcome.past_holds.add(pair)
        self.outcome.seats.add(pair)
        if isinstance(event, e.LeadHeld):
            account.live_holds += 1
            self.outcome.holders.add(event.user_id)
        else:
            account.balance -= event.price
            if lead.taken and event.user_id in lead.taken:
                account.live_holds -= 1
                self.outcome.holders.add(event.user_id)

    def _after(self, event: e.Event) -> None:
        outcome = self.outcome
        match event:
            case e.LeadSold():
                outcome.sales.append(event)
            case e.LeadListed(lead_id=lead_id, listing=listing):
                outcome.listed[lead_id] = listing
            case e.LeadUpdated(lead_id=lead_id, listing=listing):
                outcome.updated[lead_id] = listing
            case e.HoldExtended(lead_id=lead_id, user_id=user_id):
                outcome.seats.add((lead_id, user_id))
            case e.LeadWithdrawn(lead_id=lead_id, merged_into=str(into)):
                outcome.merged_into[lead_id] = into
            case e.LeadRelisted(lead_id=lead_id):
                outcome.merged_into[lead_id] = None

    def _answer(self, command: c.Command, event: e.Event | None, account: Account | None) -> Answer:
        match event:
            case e.LeadSold():
                assert account is not None
                return Bought(event.order_id, event.lead_id, event.price, self.now, account.balance)
            case e.LeadHeld():
                return Held(event.lead_id, event.price, event.hold, event.held_until)
            case e.LeadWithdrawn(merged_into=str(survivor)) if isinstance(command, c.Merge):
                return Merged(survivor, event.lead_id, False)
        if isinstance(command, c.Merge):
            return Merged(command.lead_id, command.other_id, True)
        if isinstance(command, c.Extend):
            taken = self.book.leads[command.lead_id].taken
            assert taken is not None
            seat = taken[command.user_id]
            assert seat.hold is not None
            return Held(command.lead_id, seat.price, seat.hold, seat.held_until)
        return Done()
