"""A market as simply as it can be written: dicts, scans, no indexes, no events.

The reference that the real book is compared with. It says what each command should be
answered, and who gets what when; it shares no code with `engine.market.book`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.market import commands as c
from engine.market.answers import Request
from engine.market.plan import Plan
from engine.market.rules import Rules
from tests.engine.market import naive_claims, naive_queue, naive_seats, naive_standing
from tests.engine.market.naive_facts import (
    Expected,
    NaiveClaim,
    NaiveLead,
    NaiveOrder,
    NaiveSeat,
    NaiveWin,
)

# The seat contested, so that what comes of it may have to wait for the others.
CLAIMS = (c.Buy, c.Hold)


@dataclass
class NaiveMarket:
    """`ask` and `begin` are all that happens; the rest is for looking at."""

    rules: Rules
    plans: dict[str, Plan]
    balances: dict[str, int]
    # What the house has taken for holds and not given back.
    house: int = 0
    suspended: set[str] = field(default_factory=set)
    # Prices of what buyers hold in other markets.
    elsewhere: dict[str, list[int]] = field(default_factory=dict)
    leads: dict[str, NaiveLead] = field(default_factory=dict)
    seats: dict[tuple[str, str], NaiveSeat] = field(default_factory=dict)
    past: dict[tuple[str, str], tuple[int, str, int]] = field(default_factory=dict)
    merged_into: dict[str, str] = field(default_factory=dict)
    line: dict[str, list[str]] = field(default_factory=dict)
    claims: dict[str, list[NaiveClaim]] = field(default_factory=dict)
    wins: list[NaiveWin] = field(default_factory=list)
    orders: dict[str, NaiveOrder] = field(default_factory=dict)
    # Leads on which claims are collected, and those whose new price is to be looked at.
    undecided: set[str] = field(default_factory=set)
    repriced: set[str] = field(default_factory=set)

    # --- what happens --------------------------------------------------------------

    def expire(self, now: int) -> None:
        """End what is due, earliest deadline first; a seat that comes free is offered on."""
        while due := [
            (seat.until, pair)
            for pair, seat in self.seats.items()
            if seat.kind != "sold" and now >= seat.until
        ]:
            until, (lead_id, user_id) = min(due)
            if self.seats[lead_id, user_id].kind == "held":
                self.end(lead_id, user_id, "expired", until)
            else:
                del self.seats[lead_id, user_id]
            naive_queue.offer(self, lead_id, now)

    def due(self, now: int) -> set[str]:
        """Leads to be decided upon before anything asked at `now`."""
        over = {lead_id for lead_id in self.undecided if now >= self.leads[lead_id].decide_at}
        return over | self.repriced

    def forget_claims(self) -> None:
        """A book that starts anew knows what was written, not what it had only collected."""
        self.claims.clear()

    def ask(self, request: Request, now: int) -> Expected:
        """Carry out a command at `now`, after everything due has been expired and decided."""
        command = request.command
        match command:
            case c.ListLead() | c.Reprice():
                return self._list_or_reprice(command, now)
            case c.PlaceStanding() | c.ChangeStanding() | c.CancelStanding():
                return naive_standing.keep(self, command, now)
            case c.Join() | c.Leave():
                return naive_queue.ask(self, command, now)
            case c.Hold() | c.Extend() | c.Buy() | c.Release():
                return self._trade(request, now)
        return self._operator(command, now)

    def _trade(self, request: Request, now: int) -> Expected:
        command = request.command
        for claim in self.claims.get(command.lead_id, ()):
            if claim.request.command_id == request.command_id:
                same = claim.request.request_hash == request.request_hash
                decide_at = self.leads[command.lead_id].decide_at
                return ("claimed", decide_at) if same else "idempotency-mismatch"
        decision = self.judge(command, now)
        if isinstance(decision, str):
            return decision
        lead = self.leads[command.lead_id]
        from_cart = isinstance(command, c.Buy) and command.from_cart
        if isinstance(command, CLAIMS) and not from_cart and command.lead_id in self.undecided:
            self.claims.setdefault(command.lead_id, []).append(NaiveClaim(request))
            return ("claimed", lead.decide_at)
        return decision()

    def judge(self, command: c.Command, now: int) -> str | Callable[[], Expected]:
        return naive_seats.judge(self, command, now)

    def decide(self, lead_id: str, candidates: list[str], now: int) -> naive_claims.Round:
        """Decide what is collected on a lead, and match it with standing orders."""
        return naive_claims.decide(self, lead_id, candidates, now)

    # --- what the operator asks ------------------------------------------------------

    def _list_or_reprice(self, command: c.ListLead | c.Reprice, now: int) -> Expected:
        if isinstance(command, c.ListLead):
            if command.lead_id in self.leads or command.price < 1 or command.max_buyers < 1:
                return "validation"
            lead = NaiveLead(command.price, command.max_buyers, command.listing)
            self.leads[command.lead_id] = lead
            self._put_on_offer(command.lead_id, now)
            return ("done",)
        if any(price < 1 for price in command.prices):
            return "validation"
        before = [self.leads[id_].price if id_ in self.leads else 0 for id_ in command.lead_ids]
        expected = command.previous or before
        for number, (lead_id, price) in enumerate(
            zip(command.lead_ids, command.prices, strict=True)
        ):
            if lead_id not in self.leads or self.state(lead_id) not in ("available", "held"):
                continue
            if before[number] != expected[number]:
                continue
            if self.leads[lead_id].price != price:
                self.leads[lead_id].price = price
                if self._has_live_orders() and lead_id not in self.undecided:
                    self.repriced.add(lead_id)
        return ("done",)

    def _has_live_orders(self) -> bool:
        return any(order.is_live for order in self.orders.values())

    def _put_on_offer(self, lead_id: str, now: int) -> None:
        """Claims on it are collected first, or it is matched at once, if anybody waits for it."""
        window = self.rules.claim_window_us
        if window > 0 or self._has_live_orders():
            self.leads[lead_id].decide_at = now + window
            self.undecided.add(lead_id)
            self.repriced.discard(lead_id)

    def _operator(self, command: c.Command, now: int) -> Expected:
        if command.lead_id not in self.leads:
            return "not-found"
        lead, state = self.leads[command.lead_id], self.state(command.lead_id)
        match command:
            case c.UpdateLead():
                lead.listing = command.listing
            case c.Withdraw() if state in ("available", "held", "quarantined"):
                self._withdraw(command.lead_id, command.merged_into, now)
            case c.Merge(lead_id=older, other_id=younger):
                return self._merge(older, younger, now)
            case c.Quarantine() if state in ("available", "held"):
                self._close(command.lead_id, "quarantined", now)
            case c.Approve() if state == "quarantined":
                self._open(command.lead_id, now)
            case c.Relist() if state == "withdrawn":
                self.merged_into.pop(command.lead_id, None)
                self._open(command.lead_id, now)
            case _:
                return "lead-unavailable"
        return ("done",)

    def _open(self, lead_id: str, now: int) -> None:
        self.leads[lead_id].closed = None
        self._put_on_offer(lead_id, now)

    def _merge(self, older: str, younger: str, now: int) -> Expected:
        if younger not in self.leads:
            return "not-found"
        if older == younger:
            return "validation"
        stays, goes = older, younger
        if self._rank(younger) > self._rank(older):
            stays, goes = younger, older
        if self.state(goes) == "sold":
            return ("merged", older, younger, True)
        self._withdraw(goes, stays, now)
        return ("merged", stays, goes, False)

    def _rank(self, lead_id: str) -> tuple[bool, bool, bool, int, int]:
        state, taken = self.state(lead_id), self.taken(lead_id)
        sold = sum(seat.kind == "sold" for seat in taken)
        return (
            state == "sold", state == "quarantined", state != "withdrawn", sold, len(taken) - sold
        )  # fmt: skip

    def _withdraw(self, lead_id: str, merged_into: str | None, now: int) -> None:
        self._close(lead_id, "withdrawn", now)
        if merged_into is not None:
            self.merged_into[lead_id] = merged_into

    def _close(self, lead_id: str, because: str, now: int) -> None:
        """Every hold, offer, place in line and claim ends; what holding cost is given back."""
        for (lead, user_id), seat in list(self.seats.items()):
            if lead != lead_id or seat.kind == "sold":
                continue
            if seat.kind == "held":
                self.pay(user_id, seat.fee)
                self.end(lead_id, user_id, because, now)
            else:
                del self.seats[lead_id, user_id]
        self.line.pop(lead_id, None)
        self.claims.pop(lead_id, None)
        self.undecided.discard(lead_id)
        self.leads[lead_id].closed = because

    # --- readings and small moves ----------------------------------------------------

    def taken(self, lead_id: str) -> list[NaiveSeat]:
        return [seat for (lead, _), seat in self.seats.items() if lead == lead_id]

    def seats_left(self, lead_id: str) -> int:
        return self.leads[lead_id].max_buyers - len(self.taken(lead_id))

    def state(self, lead_id: str) -> str:
        lead = self.leads[lead_id]
        if lead.closed:
            return lead.closed
        taken = self.taken(lead_id)
        if sum(seat.kind == "sold" for seat in taken) == lead.max_buyers:
            return "sold"
        return "held" if len(taken) == lead.max_buyers else "available"

    def trader(self, user_id: str) -> Plan | None:
        """The plan of a buyer who may trade."""
        return None if user_id in self.suspended else self.plans.get(user_id)

    def held_prices(self, user_id: str) -> list[int]:
        """One price for each hold that is live, in any market."""
        return self.elsewhere.get(user_id, []) + [
            seat.price
            for (_, user), seat in self.seats.items()
            if user == user_id and seat.kind == "held"
        ]

    def free_number(self, lead_id: str) -> int:
        numbers = {seat.number for seat in self.taken(lead_id)}
        return min(n for n in range(1, len(numbers) + 2) if n not in numbers)

    def end(self, lead_id: str, user_id: str, because: str, at: int) -> None:
        seat = self.seats.pop((lead_id, user_id))
        self.past[lead_id, user_id] = (seat.first, because, at + seat.remember)

    def pay(self, user_id: str, credits: int) -> None:
        """From the house to a buyer, or, below zero, the other way."""
        self.balances[user_id] += credits
        self.house -= credits

    def bought_as_another(self, lead_id: str, user_id: str) -> bool:
        """Whether the buyer bought a lead that ended, after however many merges, in this one."""
        return any(
            seat.kind == "sold" and user == user_id and lead_id in self._ends(lead)
            for (lead, user), seat in self.seats.items()
        )

    def _ends(self, lead_id: str) -> set[str]:
        ends: set[str] = set()
        while (lead_id := self.merged_into.get(lead_id, "")) and lead_id not in ends:
            ends.add(lead_id)
        return ends
