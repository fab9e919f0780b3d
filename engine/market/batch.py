"""One batch of commands decided against a book, and everything that must be written for it.

Pure: what the flush read (answers already given, accounts under lock, which standing orders
ask for which lead) comes in, what it must write goes out. The book itself has moved on when
`decide_batch` returns: if the write fails, the book must be thrown away and loaded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import (
    Answer,
    Bought,
    Claimed,
    Done,
    Held,
    Merged,
    Queued,
    Request,
    StandingKept,
)
from engine.market.book import Book
from engine.market.buyer_events import BuyerEvent
from engine.market.contest import Contest
from engine.market.instant import rfc3339
from engine.market.lead import AVAILABLE, Lead
from engine.market.outcome import Entry, Movement, Outcome, Priced, StoredAnswer, ThinLead, Tick

MISMATCH = c.Refused(
    "idempotency-mismatch", "this Idempotency-Key was used with another request body"
)
TOO_MANY_CLAIMS = c.Refused("lead-unavailable", "too many buyers claim this lead already")
BUYER_COMMANDS = (
    c.Buy,
    c.Hold,
    c.Extend,
    c.Release,
    c.Join,
    c.Leave,
    c.PlaceStanding,
    c.ChangeStanding,
    c.CancelStanding,
)
STANDING_EVENTS = (e.StandingPlaced, e.StandingChanged, e.StandingCancelled)


def decide_batch(
    book: Book,
    requests: Sequence[Request],
    *,
    known: Mapping[bytes, StoredAnswer],
    accounts: Mapping[str, Account],
    now: int,
    position: int,
    feed_seq: int,
    candidates: Mapping[str, Sequence[str]] | None = None,
    market: str = "",
) -> Outcome:
    """Expire what is due at `now` (µs), decide the claims on the leads of `candidates`, then
    `requests` in order.

    `known` are answers given before under these command ids; a repeat within the batch
    gets the answer of the first. `candidates` maps each lead to be decided (of
    `Book.deciding`) to the standing orders that ask for it; the owners of those that are to
    be heard are among `accounts`.
    """
    batch = _Batch(book, accounts, now, Outcome(position, feed_seq), market)
    for event in book.due(now):
        batch.record(event)
    for lead_id, standing_order_ids in (candidates or {}).items():
        batch.decide_claims(lead_id, standing_order_ids)
    for request in requests:
        batch.answer(request, known.get(request.command_id))
    batch.outcome.matched_position = book.claims.matched_position(batch.outcome.position)
    return batch.outcome


def _open(command: c.Command, answer: Answer) -> bool:
    """Whether a repeat may be decided anew: a lead may be listed later, bad input mended. Not
    for a checkout, which tells its buyer what became of each lead once."""
    if isinstance(command, c.Buy) and command.from_cart:
        return False
    return type(answer) is c.Refused and answer.code in ("not-found", "validation")


class _Batch:
    def __init__(
        self,
        book: Book,
        accounts: Mapping[str, Account],
        now: int,
        outcome: Outcome,
        market: str,
    ) -> None:
        self.book = book
        self.accounts = accounts
        self.now = now
        self.outcome = outcome
        self.market = market

    def trader(self, user_id: str) -> Account | None:
        account = self.accounts.get(user_id)
        return account if account is not None and account.may_trade else None

    # --- commands ------------------------------------------------------------------

    def answer(self, request: Request, known: StoredAnswer | None) -> None:
        outcome = self.outcome
        stored = known or outcome.answers.get(request.command_id)
        if stored is not None:
            same = stored.request_hash == request.request_hash
            outcome.replies.append(stored.answer if same else MISMATCH)
            return
        command = request.command
        pending = self._pending(request)
        if pending is not None:
            outcome.replies.append(pending)
            return
        account = self.trader(command.user_id) if isinstance(command, BUYER_COMMANDS) else None
        decision = self.book.decide(command, self.now, account)
        if isinstance(decision, (e.LeadSold, e.LeadHeld)):
            claimed = self._collect(request)
            if claimed is not None:
                outcome.replies.append(claimed)
                return
        answer, changed = self._carry_out(command, decision, account)
        outcome.replies.append(answer)
        # A refusal without a key changed nothing and was promised to nobody: a repeat
        # after a crash may be decided anew.
        if changed or (request.request_hash is not None and not _open(command, answer)):
            outcome.answers[request.command_id] = StoredAnswer(request.request_hash, answer)

    def _carry_out(
        self, command: c.Command, decision: e.Event | c.Refused | None, account: Account | None
    ) -> tuple[Answer, bool]:
        """The answer, and whether anything changed."""
        if isinstance(decision, c.Refused):
            return decision, False
        if decision is not None:
            self.record(decision)
            if isinstance(decision, e.LeadsRepriced):
                self._tick(command, decision)
            elif isinstance(command, c.ListLead):
                self.outcome.priced[command.lead_id] = Priced(None, command.parts or None)
            if isinstance(decision, (e.LeadListed, e.LeadRelisted)) and decision.unseen:
                self._hide(command, decision)
        return self._answer(command, decision, account), decision is not None

    def _hide(self, command: c.Command, opened: e.LeadListed | e.LeadRelisted) -> None:
        """Take what was just opened out of everyone's sight, before anything is committed."""
        assert isinstance(command, (c.ListLead, c.Relist))
        # Of one that was on offer before, readers hear that it is withdrawn no more.
        unseen = isinstance(opened, e.LeadListed)
        self.record(e.LeadQuarantined(command.lead_id, command.quarantine, unseen=unseen))

    def _tick(self, command: c.Command, event: e.LeadsRepriced) -> None:
        """Note the tick just recorded, with what made its prices."""
        assert isinstance(command, c.Reprice)
        asked = zip(command.lead_ids, command.prices, strict=True)
        made = dict(zip(asked, command.parts, strict=False))
        changed = zip(event.lead_ids, event.prices, strict=True)
        parts = tuple(made[pair] for pair in changed) if made else ()
        position = self.outcome.position
        self.outcome.ticks.append(Tick(position, event, parts))
        for number, lead_id in enumerate(event.lead_ids):
            self.outcome.priced[lead_id] = Priced(position, parts[number] if parts else None)

    def _pending(self, request: Request) -> Answer | None:
        """The answer to who asks again about a claim that is collected already. It is not tried
        again: refused now, it could still be granted with the others."""
        command = request.command
        if not isinstance(command, (c.Buy, c.Hold)):
            return None
        claim = self.book.claims.find(command.lead_id, request.command_id)
        if claim is None:
            return None
        if claim.request_hash != request.request_hash:
            return MISMATCH
        return Claimed(self.book.leads[command.lead_id].decide_at)

    def _collect(self, request: Request) -> Answer | None:
        """Keep what would be decided now for the contest, while the lead's is to come."""
        command = request.command
        if not isinstance(command, (c.Buy, c.Hold)):
            return None
        decide_at = self.book.leads[command.lead_id].decide_at
        if not decide_at:
            return None
        if not self.book.claims.collect(request):
            return TOO_MANY_CLAIMS
        return Claimed(decide_at)

    # --- claims ----------------------------------------------------------------------

    def decide_claims(self, lead_id: str, standing_order_ids: Iterable[str]) -> None:
        """Decide what was claimed of a lead, and what rests on it."""
        book, lead = self.book, self.book.leads[lead_id]
        collected = book.claims.collected(lead_id)
        book.claims.done(lead_id)
        book.claims.drop(lead_id)
        if lead.decide_at:
            lead.decide_at = 0
            self.outcome.leads[lead_id] = lead
        contest = Contest(book, lead_id, self.now)
        for request in collected:
            command = request.command
            assert isinstance(command, (c.Buy, c.Hold))
            account = self.trader(command.user_id)
            decision = book.decide(command, self.now, account)
            if isinstance(decision, c.Refused):
                self._promise(request, decision)
            elif account is not None:
                contest.claim(account, request=request)
        if lead.state == AVAILABLE:
            for standing_order_id in standing_order_ids:
                order = book.standing.orders.get(standing_order_id)
                account = self.trader(order.user_id) if order is not None else None
                if order is not None and account is not None:
                    contest.claim_standing(account, order)
        self._hold_contest(contest)

    def _hold_contest(self, contest: Contest) -> None:
        decided = contest.decided()
        if decided is not None:
            self.record(decided)
        for claim in contest.claims:
            account = self.accounts[claim.user_id]
            if claim.request is not None:
                command = claim.request.command
                decision = self.book.decide(command, self.now, account)
                if isinstance(decision, c.Refused) and decided is not None:
                    decision = contest.lost(decision)
                self._promise(claim.request, self._carry_out(command, decision, account)[0])
            elif claim.standing_order_id is not None:
                fill = contest.fill(claim.standing_order_id, account)
                if fill is not None:
                    self.record(fill)

    def _promise(self, request: Request, answer: Answer) -> None:
        """The answer that waits for the claim to be asked for again."""
        self.outcome.answers[request.command_id] = StoredAnswer(request.request_hash, answer)

    # --- events ----------------------------------------------------------------------

    def record(self, event: e.Event) -> None:
        """Apply one event and note what must be written for it."""
        outcome = self.outcome
        lead_id = event.lead_id
        if isinstance(event, STANDING_EVENTS):
            self._record_standing(event)
            return
        ended = self._before(event)
        line = self.book.waiting.line(lead_id)
        self.book.apply(event, self.now)
        outcome.position += 1
        if isinstance(event, e.LeadsRepriced):
            outcome.leads.update((id_, self.book.leads[id_]) for id_ in event.lead_ids)
            outcome.entries.append(Entry(outcome.position, None, event, None))
            if len(self.book.standing):
                self.book.claims.tick(event.lead_ids, outcome.position)
            return
        lead = self.book.leads[lead_id]
        if not isinstance(event, (e.LeadUpdated, e.HoldExtended, e.QueueJoined)):
            outcome.leads[lead_id] = lead
        for user_id in ended:
            outcome.ended.add((lead_id, user_id))
            outcome.holders.add(user_id)
            outcome.past_holds.add((lead_id, user_id))
        self._after(event)
        # Who leaves a line is taken off this list; a line that ends is let go as it was.
        if line and not self.book.waiting.line(lead_id):
            self._empty_line(event, line)
        self._enter(event, lead)
        if isinstance(event, (e.LeadReleased, e.QueueLeft)):
            self._pass_on(lead_id)

    def _record_standing(self, event: e.Event) -> None:
        outcome, orders = self.outcome, self.book.standing.orders
        if isinstance(event, e.StandingCancelled):
            # With what it may have bought a moment ago.
            outcome.standing[event.lead_id] = orders[event.lead_id]
            outcome.cancelled.add(event.lead_id)
        self.book.apply(event, self.now)
        outcome.position += 1
        outcome.entries.append(Entry(outcome.position, None, event, None))
        if event.lead_id in orders:
            outcome.standing[event.lead_id] = orders[event.lead_id]

    def _enter(self, event: e.Event, lead: Lead) -> None:
        """Into the journal, and into the feed if it is for all to see."""
        outcome = self.outcome
        seq, thin = None, None
        hidden = lead.state == "quarantined" and not isinstance(event, e.LeadQuarantined)
        if e.is_public(event) and not hidden:
            outcome.feed_seq += 1
            seq = outcome.feed_seq
            thin = ThinLead(event.lead_id, lead.state, lead.price, lead.max_buyers, lead.seats_left)
        outcome.entries.append(Entry(outcome.position, seq, event, thin))

    def _pass_on(self, lead_id: str) -> None:
        """Keep a seat that is free for the first in line."""
        offer = self.book.offer(lead_id, self.now)
        if offer is not None:
            self.record(offer)

    def _before(self, event: e.Event) -> list[str]:
        """Whose hold `event` ends without a purchase; moves the accounts of this batch."""
        match event:
            case e.LeadReleased(user_id=user_id):
                ended = [user_id]
            case e.LeadWithdrawn() | e.LeadQuarantined():
                lead = self.book.leads[event.lead_id]
                ended = self.book.holders(lead)
                self.outcome.ended.update(
                    (event.lead_id, user_id) for user_id in self.book.offerees(lead)
                )
                self._close_down(event)
            case e.LeadSold() | e.LeadHeld():
                self._settle(event)
                return []
            case e.HoldExtended(fee=fee) if fee:
                self._charge(event.user_id, -fee, "hold-fee", event.lead_id)
                return []
            case _:
                return []
        taken = self.book.leads[event.lead_id].taken or {}
        for user_id in ended:
            if (account := self.accounts.get(user_id)) is not None:
                account.live_holds -= 1
                account.held_value -= taken[user_id].price
        return ended

    def _close_down(self, event: e.LeadWithdrawn | e.LeadQuarantined) -> None:
        """Give fees back, and tell those whose hold or offer ends with the lead."""
        because = "withdrawn" if isinstance(event, e.LeadWithdrawn) else "quarantined"
        for number, hold in enumerate(event.ended):
            if hold.fee:
                self._charge(hold.user_id, hold.fee, "hold-fee-refund", event.lead_id, number)
            self._tell(hold.user_id, "hold.expired", lead_id=event.lead_id, reason=because)
        for user_id in self.book.offerees(self.book.leads[event.lead_id]):
            self._tell(user_id, "queue.ended", lead_id=event.lead_id, reason=because)

    def _charge(
        self, user_id: str, amount: int, reason: str, lead_id: str, number: int = 0
    ) -> None:
        """Book a fee, or give one back, at the position that comes next."""
        outcome = self.outcome
        self.accounts[user_id].balance += amount
        outcome.movements.append(
            Movement(outcome.position + 1, number, user_id, amount, reason, lead_id)
        )
        outcome.move(user_id, amount)
        self._tell(user_id, "wallet.changed", balance=self.accounts[user_id].balance)

    def _settle(self, event: e.LeadSold | e.LeadHeld) -> None:
        account = self.accounts[event.user_id]
        lead = self.book.leads[event.lead_id]
        pair = (event.lead_id, event.user_id)
        if lead.past is not None and event.user_id in lead.past:
            self.outcome.past_holds.add(pair)
        self.outcome.seats.add(pair)
        seat = lead.taken.get(event.user_id) if lead.taken else None
        if isinstance(event, e.LeadHeld):
            account.live_holds += 1
            account.held_value += event.price
            self.outcome.holders.add(event.user_id)
            if event.fee:
                self._charge(event.user_id, -event.fee, "hold-fee", event.lead_id)
            return
        if event.fee_credit:
            self._charge(event.user_id, event.fee_credit, "hold-fee-credit", event.lead_id)
        account.balance -= event.price
        self.outcome.move(event.user_id, -event.price)
        if seat is not None and not seat.is_offer:
            account.live_holds -= 1
            account.held_value -= seat.price
            self.outcome.holders.add(event.user_id)
            self._tell(event.user_id, "hold.ended", lead_id=event.lead_id, reason="bought")

    def _after(self, event: e.Event) -> None:
        outcome = self.outcome
        match event:
            case e.LeadSold():
                self._after_sale(event)
            case e.LeadHeld(lead_id=lead_id, user_id=user_id):
                self._tell_hold(user_id, "hold.started", lead_id)
            case e.LeadReleased(lead_id=lead_id, user_id=user_id, reason="released"):
                self._tell(user_id, "hold.ended", lead_id=lead_id, reason="released")
            case e.LeadReleased(lead_id=lead_id, user_id=user_id, reason=reason):
                self._tell(user_id, "hold.expired", lead_id=lead_id, reason=reason)
            case e.LeadListed(lead_id=lead_id, listing=listing):
                outcome.listed[lead_id] = listing
            case e.LeadUpdated(lead_id=lead_id, listing=listing):
                outcome.updated[lead_id] = listing
            case e.HoldExtended(lead_id=lead_id, user_id=user_id):
                outcome.seats.add((lead_id, user_id))
                self._tell_hold(user_id, "hold.extended", lead_id)
            case e.LeadWithdrawn(lead_id=lead_id, merged_into=str(into)):
                outcome.merged_into[lead_id] = into
            case e.LeadRelisted(lead_id=lead_id):
                outcome.merged_into[lead_id] = None
            case e.QueueJoined() | e.SeatOffered() | e.QueueLeft():
                self._after_line(event)
            case e.ClaimsDecided():
                outcome.contests.append(event)

    def _after_sale(self, event: e.LeadSold) -> None:
        outcome, user_id = self.outcome, event.user_id
        outcome.sales.append(event)
        about = {"order_id": event.order_id, "lead_id": event.lead_id, "price": event.price}
        self._tell(user_id, "order.created", **about, bought_at=rfc3339(self.now))
        if event.standing_order_id is not None:
            order_id = event.standing_order_id
            outcome.standing[order_id] = self.book.standing.orders[order_id]
            self._tell(
                user_id,
                "standing_order.filled",
                standing_order_id=order_id,
                **about,
            )
        self._tell(user_id, "wallet.changed", balance=self.accounts[user_id].balance)

    def _after_line(self, event: e.QueueJoined | e.SeatOffered | e.QueueLeft) -> None:
        outcome, pair = self.outcome, (event.lead_id, event.user_id)
        if isinstance(event, e.QueueJoined):
            # Who left and is back again has both: the old place goes before the new one comes.
            outcome.joined[pair] = outcome.position
            return
        if isinstance(event, e.SeatOffered):
            self._leave_line(pair)
            outcome.seats.add(pair)
            self._tell(
                event.user_id,
                "queue.offered",
                lead_id=event.lead_id,
                price=event.price,
                offered_until=rfc3339(event.offered_until),
            )
        elif event.reason == "left":
            self._leave_line(pair)
        else:
            outcome.ended.add(pair)
            if event.reason == "expired":
                self._tell(event.user_id, "queue.ended", lead_id=event.lead_id, reason="expired")

    def _leave_line(self, pair: tuple[str, str]) -> None:
        self.outcome.joined.pop(pair, None)
        self.outcome.left.add(pair)

    def _empty_line(self, event: e.Event, line: Sequence[str]) -> None:
        """Nobody in line can get a seat any more."""
        because = {e.LeadSold: "sold", e.LeadWithdrawn: "withdrawn"}.get(type(event), "quarantined")
        for user_id in line:
            self._leave_line((event.lead_id, user_id))
            self._tell(user_id, "queue.ended", lead_id=event.lead_id, reason=because)

    def _tell(self, user_id: str, kind: Any, **body: Any) -> None:
        if "lead_id" in body:
            body = {"market": self.market, **body}
        self.outcome.buyer_events.append(BuyerEvent(user_id, kind, body))

    def _tell_hold(self, user_id: str, kind: Any, lead_id: str) -> None:
        seat = (self.book.leads[lead_id].taken or {})[user_id]
        self._tell(
            user_id,
            kind,
            lead_id=lead_id,
            price=seat.price,
            hold=seat.hold,
            held_until=rfc3339(seat.held_until),
        )

    def _answer(self, command: c.Command, event: e.Event | None, account: Account | None) -> Answer:
        match event:
            case e.LeadSold():
                assert account is not None
                return Bought(event.order_id, event.lead_id, event.price, self.now, account.balance)
            case e.LeadHeld():
                return Held(event.lead_id, event.price, event.hold, event.held_until)
            case e.LeadWithdrawn(merged_into=str(survivor)) if isinstance(command, c.Merge):
                return Merged(survivor, event.lead_id, False)
            case e.QueueJoined():
                line = self.book.waiting.line(event.lead_id)
                return Queued(event.lead_id, line.index(event.user_id) + 1, len(line))
            case e.StandingPlaced() | e.StandingChanged():
                order = self.book.standing.orders[event.lead_id]
                return StandingKept(event.lead_id, order.revision)
        if isinstance(command, c.Merge):
            return Merged(command.lead_id, command.other_id, True)
        if isinstance(command, c.Extend):
            taken = self.book.leads[command.lead_id].taken
            assert taken is not None
            seat = taken[command.user_id]
            assert seat.hold is not None
            return Held(command.lead_id, seat.price, seat.hold, seat.held_until)
        return Done()
