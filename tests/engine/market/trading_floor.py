"""The floor on which histories are played, and audited after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Bought, Done, Held, Merged, Request
from engine.market.batch import Entry, Outcome, StoredAnswer, decide_batch
from engine.market.book import HEAP_SLACK, Book
from engine.market.fingerprint import fingerprint
from engine.market.lead import MOVES, Lead, Move, Seat
from engine.market.listing import Listing
from tests.engine.market.history import (
    BUYERS,
    LEADS,
    MINUTE,
    PLANS,
    SEATS,
    START,
    TERMS,
    USERS,
    Ask,
    Step,
)
from tests.engine.market.naive_market import Expected, NaiveMarket


class TradingFloor:
    """Plays steps on a book and checks, after each, all that must hold.

    Raises AssertionError at the first thing that does not.
    """

    def __init__(self, make_book: Callable[[], Book] = Book) -> None:
        self.book = make_book()
        self.shadow = Book()
        self.naive = NaiveMarket(
            {user: PLANS[plan] for user, (plan, _) in BUYERS.items()},
            {user: credits for user, (_, credits) in BUYERS.items()},
        )
        self.balances = {user: credits for user, (_, credits) in BUYERS.items()}
        self.now = START
        self.position = self.feed_seq = 0
        self.stored: dict[bytes, StoredAnswer] = {}
        self.asked: list[Request] = []
        self.journal: list[tuple[Entry, int]] = []
        self.replies: list[Answer] = []
        self.feed: dict[str, tuple[str, int, int]] = {}
        self.most_holds = 0
        self.sales = 0

    def play(self, history: Iterable[Step]) -> TradingFloor:
        for step in history:
            self.step(step)
        return self

    def step(self, step: Step) -> None:
        self.now = max(self.now, self._instant(step))
        requests = [self._request(ask) for ask in step.asks]
        self.asked += requests
        accounts = self._accounts(requests)
        outcome = decide_batch(
            self.book,
            requests,
            known={
                r.command_id: self.stored[r.command_id]
                for r in requests
                if r.command_id in self.stored
            },
            accounts=accounts,
            now=self.now,
            position=self.position,
            feed_seq=self.feed_seq,
        )
        self._audit_entries(outcome.entries)
        self._audit_replies(requests, outcome.replies, outcome.answers)
        assert outcome.position == self.position + len(outcome.entries)
        self.position, self.feed_seq = outcome.position, outcome.feed_seq
        self._audit_accounts(accounts)
        self._audit_state()
        self._audit_writes(outcome)

    # --- reading a step ------------------------------------------------------------

    def _instant(self, step: Step) -> int:
        instants = []
        if step.wait == "micros":
            return self.now + step.amount
        if step.wait == "minutes":
            return self.now + step.amount * MINUTE
        if step.wait == "deadline":
            instants = sorted(seat.until for seat in self.naive.seats.values() if not seat.sold)
        if step.wait == "forget":
            instants = sorted(forget_at for _, _, forget_at in self.naive.past.values())
        ahead = [instant for instant in instants if instant + step.offset >= self.now]
        return ahead[step.amount % len(ahead)] + step.offset if ahead else self.now

    def _request(self, ask: Ask) -> Request:
        if ask.kind in ("repeat", "mismatch") and self.asked:
            old = self.asked[-1 - (ask.a * 8 + ask.b) % len(self.asked)]
            if ask.kind == "repeat":
                return old
            other = b"other" if old.request_hash != b"other" else b"another"
            return Request(old.command_id, old.command, other)
        number = len(self.asked)
        command_id = f"{number}.{ask.kind}.{ask.lead}.{ask.user}.{ask.a}.{ask.b}".encode()
        command_id += f".{len(self.journal)}.{self.now}".encode()
        return Request(command_id, self._command(ask), b"body" if ask.b % 2 else None)

    def _command(self, ask: Ask) -> c.Command:
        lead_id, user_id = LEADS[ask.lead], USERS[ask.user]
        holds = sorted(pair for pair, seat in self.naive.seats.items() if not seat.sold)
        # Most often, who names a hold has one.
        if ask.kind in ("extend", "release", "cart_buy") and holds and ask.b % 4:
            lead_id, user_id = holds[(ask.lead * len(USERS) + ask.user) % len(holds)]
        order_id = f"order-{len(self.asked)}-{self.position}-{ask.lead}-{ask.user}-{ask.a}-{ask.b}"
        match ask.kind:
            case "hold":
                return c.Hold(lead_id, user_id, TERMS[min(ask.a, 7) // 2])
            case "extend":
                return c.Extend(lead_id, user_id, TERMS[min(ask.a, 7) // 2])
            case "release":
                return c.Release(lead_id, user_id)
            case "buy":
                return c.Buy(lead_id, user_id, order_id, None if ask.a < 5 else ask.a * ask.b)
            case "cart_buy":
                return c.Buy(lead_id, user_id, order_id, from_cart=True)
            case "reprice":
                return c.Reprice(LEADS[: ask.lead + 1], (ask.a * 7 + ask.b,) * (ask.lead + 1), "x")
            case "update":
                return c.UpdateLead(lead_id, Listing(list_price=ask.a))
            case "withdraw":
                return c.Withdraw(lead_id, "sold elsewhere", LEADS[0] if ask.a > 5 else None)
            case "merge":
                return c.Merge(lead_id, LEADS[ask.a % len(LEADS)])
            case "quarantine":
                return c.Quarantine(lead_id, "looks odd")
            case "approve":
                return c.Approve(lead_id)
            case "relist":
                return c.Relist(lead_id)
        return c.ListLead(lead_id, ask.a * 5 + 1, SEATS[lead_id], Listing())

    def _accounts(self, requests: list[Request]) -> dict[str, Account]:
        asking = {getattr(request.command, "user_id", None) for request in requests}
        return {
            user: Account(user, self.balances[user], PLANS[plan], self._holds_in_book(user))
            for user, (plan, _) in BUYERS.items()
            if user in asking
        }

    def _holds_in_book(self, user: str) -> int:
        return sum(
            seat.order_id is None
            for lead in self.book.leads.values()
            for holder, seat in (lead.taken or {}).items()
            if holder == user
        )

    # --- what must hold ------------------------------------------------------------

    def _audit_entries(self, entries: list[Entry]) -> None:
        previous_expiry = 0
        position, seq = self.position, self.feed_seq
        for entry in entries:
            event = entry.event
            position += 1
            assert entry.position == position, "journal positions have a gap"
            before = self._states()
            if isinstance(event, e.LeadReleased) and event.reason == "expired":
                until = self._shadow_seat(event.lead_id, event.user_id).held_until
                assert until <= self.now, "expired before its deadline"
                assert until >= previous_expiry, "expiries out of order"
                previous_expiry = until
            self._audit_sale_and_hold(event)
            move = _move(event, self._held_by(event))
            self.shadow.apply(event, self.now)
            after = self._states()
            for lead_id, state in after.items():
                if move == "list" and lead_id == event.lead_id:
                    assert (before.get(lead_id), state) == (None, "available")
                elif _names(event, lead_id):
                    assert state in MOVES[before[lead_id], move], (before[lead_id], move, state)
                else:
                    assert state == before[lead_id], "an event changed another lead"
            assert type(event) in e.PUBLIC_TYPE or entry.feed_seq is None
            hidden = after[event.lead_id] == "quarantined" and move != "quarantine"
            assert (entry.feed_seq is None) == (hidden or move == "reprice")
            if entry.feed_seq is not None:
                seq += 1
                assert entry.feed_seq == seq, "the feed has a gap"
                assert entry.thin is not None
                self._audit_thin(entry)
            self.journal.append((entry, self.now))

    def _audit_thin(self, entry: Entry) -> None:
        assert entry.thin is not None
        lead = self.shadow.leads[entry.thin.lead_id]
        assert entry.thin[1:] == (lead.state, lead.price, lead.max_buyers, lead.seats_left)
        self.feed[entry.thin.lead_id] = (
            entry.thin.lead_state,
            entry.thin.max_buyers,
            entry.thin.seats_left,
        )

    def _audit_sale_and_hold(self, event: e.Event) -> None:
        if isinstance(event, e.LeadSold):
            assert self.shadow.leads[event.lead_id].state in ("available", "held")
            self.balances[event.user_id] -= event.price
            self.sales += event.price
        if isinstance(event, e.HoldExtended):
            seat = self._shadow_seat(event.lead_id, event.user_id)
            longest = PLANS[BUYERS[event.user_id][0]].longest_us
            assert seat.held_until < event.held_until <= seat.first_held_at + longest

    def _audit_replies(
        self,
        requests: list[Request],
        replies: list[Answer],
        answers: dict[bytes, StoredAnswer],
    ) -> None:
        """Every reply is what the naive market says, in order, and repeats repeat."""
        assert len(replies) == len(requests)
        self.naive.expire(self.now)
        promised: dict[bytes, StoredAnswer] = {}
        for request, reply in zip(requests, replies, strict=True):
            stored = self.stored.get(request.command_id) or promised.get(request.command_id)
            if stored is not None:
                same = stored.request_hash == request.request_hash
                expected = stored.answer if same else "idempotency-mismatch"
                assert reply == expected or getattr(reply, "code", None) == expected
                continue
            expected = self.naive.ask(request.command, self.now)
            assert _said(reply) == expected, (request.command, reply, expected)
            self._audit_promise(request.command, reply)
            # Whatever changed something, or was keyed, must be answered alike for ever.
            promise = StoredAnswer(request.request_hash, reply)
            if answers.get(request.command_id) == promise:
                promised[request.command_id] = promise
            else:
                open_ = getattr(reply, "code", None) in ("not-found", "validation")
                assert open_ or request.request_hash is None, "a keyed answer was not stored"
                assert not isinstance(reply, Bought), "a purchase was not stored"
        assert promised == answers
        self.stored |= promised
        self.replies += replies

    def _audit_promise(self, command: c.Command, reply: Answer) -> None:
        if isinstance(reply, Bought):
            assert isinstance(command, c.Buy)
            seat = (self.book.leads[reply.lead_id].taken or {})[command.user_id]
            assert (seat.order_id, seat.price) == (command.order_id, reply.price)
            assert reply.order_id == command.order_id
            assert reply.bought_at == self.now
            assert reply.balance == self.naive.balances[command.user_id]
        if isinstance(reply, Held):
            assert reply.held_until > self.now, "a hold that is over already"

    def _audit_accounts(self, accounts: dict[str, Account]) -> None:
        assert self.balances == self.naive.balances
        assert all(balance >= 0 for balance in self.balances.values())
        spent = sum(credits for _, credits in BUYERS.values()) - sum(self.balances.values())
        assert spent == self.sales
        for user, account in accounts.items():
            assert account.balance == self.balances[user]
            assert account.live_holds == self._holds_in_book(user)

    def _audit_state(self) -> None:
        book = self.book
        live = 0
        for lead_id, lead in book.leads.items():
            live += _audit_lead(lead)
            assert lead.state == self.naive.state(lead_id)
            assert lead.price == self.naive.leads[lead_id].price
            told = self.feed[lead_id]
            if lead.state != "quarantined":
                assert told == (lead.state, lead.max_buyers, lead.seats_left)
            for user, seat in (lead.taken or {}).items():
                assert seat.order_id or seat.held_until > self.now, "a hold outlived its deadline"
                naive = self.naive.seats[lead_id, user]
                assert (seat.number, seat.price) == (naive.number, naive.price)
        assert len(self.naive.seats) == sum(len(lead.taken or {}) for lead in book.leads.values())
        assert book.live_holds == live
        holders = Counter(user for (_, user), seat in self.naive.seats.items() if not seat.sold)
        assert book.holds_of == holders
        self.most_holds = max(self.most_holds, live)
        assert len(book._deadlines) <= 2 * self.most_holds + HEAP_SLACK
        deadline = book.next_deadline()
        holds = [seat.until for seat in self.naive.seats.values() if not seat.sold]
        assert not holds or (deadline is not None and deadline <= min(holds))
        assert fingerprint(book, self.now) == fingerprint(self.shadow, self.now)

    def _audit_writes(self, outcome: Outcome) -> None:
        """What the flush will write covers what the batch changed."""
        for entry in outcome.entries:
            event = entry.event
            if not isinstance(event, (e.LeadUpdated, e.HoldExtended, e.LeadsRepriced)):
                assert outcome.leads[event.lead_id] is self.book.leads[event.lead_id]
            if isinstance(event, (e.LeadHeld, e.HoldExtended, e.LeadSold)):
                assert (event.lead_id, event.user_id) in outcome.seats
            if isinstance(event, e.LeadReleased):
                assert (event.lead_id, event.user_id) in outcome.ended
            if isinstance(event, (e.LeadHeld, e.LeadReleased)):
                assert event.user_id in outcome.holders

    # --- small readings --------------------------------------------------------------

    def _states(self) -> dict[str, str]:
        return {lead_id: lead.state for lead_id, lead in self.shadow.leads.items()}

    def _shadow_seat(self, lead_id: str, user_id: str) -> Seat:
        seat = (self.shadow.leads[lead_id].taken or {}).get(user_id)
        assert seat is not None, "an event about a seat that nobody has"
        return seat

    def _held_by(self, event: e.Event) -> bool:
        lead = self.shadow.leads.get(event.lead_id)
        return bool(lead and lead.taken and getattr(event, "user_id", None) in lead.taken)


def _audit_lead(lead: Lead) -> int:
    """The lead's seats add up; returns how many are held."""
    taken = lead.taken if lead.taken is not None else {}
    assert lead.taken is None or taken, "an empty dict is kept"
    numbers = Counter(seat.number for seat in taken.values())
    assert all(count == 1 for count in numbers.values()), "a seat was given twice"
    assert all(1 <= number <= lead.max_buyers for number in numbers), "a seat that is not there"
    held = sum(seat.order_id is None for seat in taken.values())
    assert (lead.sold, lead.held) == (len(taken) - held, held)
    assert 0 <= lead.seats_left <= lead.max_buyers
    assert lead.state not in ("withdrawn", "quarantined") or held == 0
    return held


def _names(event: e.Event, lead_id: str) -> bool:
    return lead_id in getattr(event, "lead_ids", (event.lead_id,))


def _move(event: e.Event, held: bool) -> Move | str:
    match event:
        case e.LeadSold():
            return "buy_held" if held else "buy"
        case e.LeadReleased(reason=reason):
            return "expire" if reason == "expired" else "release"
        case e.LeadWithdrawn(reason="merged"):
            return "merge"
    return {
        e.LeadListed: "list",
        e.LeadUpdated: "update",
        e.LeadHeld: "hold",
        e.HoldExtended: "extend",
        e.LeadWithdrawn: "withdraw",
        e.LeadQuarantined: "quarantine",
        e.LeadApproved: "approve",
        e.LeadRelisted: "relist",
        e.LeadsRepriced: "reprice",
    }[type(event)]


def _said(answer: Answer) -> Expected:
    match answer:
        case Bought():
            return ("bought", answer.price)
        case Held():
            return ("held", answer.price, answer.hold, answer.held_until)
        case Merged():
            return ("merged", answer.survivor, answer.merged, answer.is_link)
        case Done():
            return ("done",)
        case c.Refused():
            return answer.code


def refold(journal: Iterable[tuple[Entry, int]]) -> Book:
    """A fresh book folded from the entries."""
    book = Book()
    for entry, at in journal:
        book.apply(entry.event, at)
    return book
