"""A market as simply as it can be written: dicts, scans, no indexes, no events.

The reference that the real book is compared with. It says what each command should be
answered; it shares no code with `engine.market.book`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.market import commands as c
from engine.market.plan import Plan

# ("bought", price), ("held", price, term, held_until), ("done",) or a refusal's code.
Expected = tuple[object, ...] | str


@dataclass
class NaiveLead:
    price: int
    max_buyers: int
    closed: str | None = None


@dataclass
class NaiveSeat:
    number: int
    price: int
    sold: bool = False
    term: str = ""
    first: int = 0
    until: int = 0
    remember: int = 0


@dataclass
class NaiveMarket:
    plans: dict[str, Plan]
    balances: dict[str, int]
    leads: dict[str, NaiveLead] = field(default_factory=dict)
    seats: dict[tuple[str, str], NaiveSeat] = field(default_factory=dict)
    past: dict[tuple[str, str], tuple[int, str, int]] = field(default_factory=dict)
    merged_into: dict[str, str] = field(default_factory=dict)

    def taken(self, lead_id: str) -> list[NaiveSeat]:
        return [seat for (lead, _), seat in self.seats.items() if lead == lead_id]

    def state(self, lead_id: str) -> str:
        lead = self.leads[lead_id]
        if lead.closed:
            return lead.closed
        taken = self.taken(lead_id)
        if sum(seat.sold for seat in taken) == lead.max_buyers:
            return "sold"
        return "held" if len(taken) == lead.max_buyers else "available"

    def live_holds(self, user_id: str) -> int:
        return sum(user == user_id and not seat.sold for (_, user), seat in self.seats.items())

    def expire(self, now: int) -> None:
        for (lead_id, user_id), seat in list(self.seats.items()):
            if not seat.sold and now >= seat.until:
                self._end(lead_id, user_id, "expired", seat.until)

    def ask(self, command: c.Command, now: int) -> Expected:
        """Carry out `command` at `now`, after everything due has been expired."""
        match command:
            case c.ListLead():
                if command.lead_id in self.leads or command.price < 1 or command.max_buyers < 1:
                    return "validation"
                self.leads[command.lead_id] = NaiveLead(command.price, command.max_buyers)
                return ("done",)
            case c.Reprice():
                if any(price < 1 for price in command.prices):
                    return "validation"
                for lead_id, price in zip(command.lead_ids, command.prices, strict=True):
                    if lead_id in self.leads and self.state(lead_id) in ("available", "held"):
                        self.leads[lead_id].price = price
                return ("done",)
            case c.Hold() | c.Extend() | c.Buy() | c.Release():
                return self._buyer(command, now)
        return self._operator(command, now)

    def _operator(self, command: c.Command, now: int) -> Expected:
        assert not isinstance(command, c.Reprice)
        if command.lead_id not in self.leads:
            return "not-found"
        lead, state = self.leads[command.lead_id], self.state(command.lead_id)
        match command:
            case c.UpdateLead():
                return ("done",)
            case c.Withdraw() if state in ("available", "held", "quarantined"):
                self._withdraw(command.lead_id, command.merged_into, now)
            case c.Merge(lead_id=older, other_id=younger):
                return self._merge(older, younger, now)
            case c.Quarantine() if state in ("available", "held"):
                self._close(command.lead_id, "quarantined", now)
            case c.Approve() if state == "quarantined":
                lead.closed = None
            case c.Relist() if state == "withdrawn":
                lead.closed = None
                self.merged_into.pop(command.lead_id, None)
            case _:
                return "lead-unavailable"
        return ("done",)

    def _merge(self, older: str, younger: str, now: int) -> Expected:
        if younger not in self.leads:
            return "not-found"
        if older == younger:
            return "validation"
        stays, goes = older, younger
        if self._rank(younger) > self._rank(older):
            stays, goes = younger, older
        if self.state(goes) == "sold":
            return ("merged", stays, goes, True)
        self._withdraw(goes, stays, now)
        return ("merged", stays, goes, False)

    def _rank(self, lead_id: str) -> tuple[bool, bool, bool, int, int]:
        state, taken = self.state(lead_id), self.taken(lead_id)
        sold = sum(seat.sold for seat in taken)
        return (
            state == "sold", state == "quarantined", state != "withdrawn", sold, len(taken) - sold
        )  # fmt: skip

    def _withdraw(self, lead_id: str, merged_into: str | None, now: int) -> None:
        self._close(lead_id, "withdrawn", now)
        if merged_into is not None:
            self.merged_into[lead_id] = merged_into

    def _bought_as_another(self, lead_id: str, user_id: str) -> bool:
        """Whether the buyer bought a lead that ended, after however many merges, in this one."""
        return any(
            seat.sold and user == user_id and lead_id in self._ends(lead)
            for (lead, user), seat in self.seats.items()
        )

    def _ends(self, lead_id: str) -> set[str]:
        ends: set[str] = set()
        while (lead_id := self.merged_into.get(lead_id, "")) and lead_id not in ends:
            ends.add(lead_id)
        return ends

    def _buyer(self, command: c.BuyerCommand, now: int) -> Expected:
        pair = (command.lead_id, command.user_id)
        plan = self.plans.get(command.user_id)
        if plan is None and not isinstance(command, c.Release):
            return "forbidden"
        if isinstance(command, (c.Hold, c.Extend)) and command.term not in plan.terms_us:
            return "plan-required"
        if command.lead_id not in self.leads or self.state(command.lead_id) == "quarantined":
            return "not-found"
        lead, state, seat = (
            self.leads[command.lead_id],
            self.state(command.lead_id),
            self.seats.get(pair),
        )
        if seat is not None and seat.sold:
            return "already-bought"
        match command:
            case c.Hold(term=term):
                if seat is not None:
                    return "already-held"
                if state != "available":
                    return "lead-unavailable"
                if self._bought_as_another(*pair):
                    return "already-bought"
                if self.live_holds(command.user_id) >= plan.holds_max:
                    return "hold-limit"
                first, _, forget_at = self.past.get(pair, (now, "", now))
                first = first if forget_at > now else now
                until = first + plan.terms_us[term]
                if until <= now:
                    return "hold-limit"
                price = lead.price * (100 - plan.discount_percent) // 100
                self.past.pop(pair, None)
                self.seats[pair] = NaiveSeat(
                    self._free_number(command.lead_id), price, False, term, first, until,
                    max(plan.terms_us.values()),
                )  # fmt: skip
                return ("held", price, term, until)
            case c.Extend(term=term):
                if seat is None:
                    return self._without_hold(pair, now)
                until = seat.first + plan.terms_us[term]
                if until > seat.until:
                    seat.term, seat.until = term, until
                    seat.remember = max(plan.terms_us.values())
                return ("held", seat.price, seat.term, seat.until)
            case c.Release():
                if seat is None:
                    return self._without_hold(pair, now)
                self._end(*pair, "released", now)
                return ("done",)
            case c.Buy():
                if seat is None and command.from_cart:
                    return self._without_hold(pair, now)
                if seat is None and state != "available":
                    return "lead-unavailable"
                if self._bought_as_another(*pair):
                    return "already-bought"
                price = lead.price * (100 - plan.discount_percent) // 100
                price = seat.price if seat else price
                if command.max_price is not None and price > command.max_price:
                    return "price-changed"
                if price > self.balances[command.user_id]:
                    return "insufficient-credits"
                number = seat.number if seat else self._free_number(command.lead_id)
                self.balances[command.user_id] -= price
                self.past.pop(pair, None)
                self.seats[pair] = NaiveSeat(number, price, sold=True)
                return ("bought", price)
        raise AssertionError(command)

    def _without_hold(self, pair: tuple[str, str], now: int) -> str:
        _, because, forget_at = self.past.get(pair, (0, "", 0))
        ended = now < forget_at and because != "released"
        return "hold-expired" if ended else "not-in-cart"

    def _free_number(self, lead_id: str) -> int:
        numbers = {seat.number for seat in self.taken(lead_id)}
        return min(n for n in range(1, len(numbers) + 2) if n not in numbers)

    def _close(self, lead_id: str, because: str, now: int) -> None:
        for lead, user_id in list(self.seats):
            if lead == lead_id and not self.seats[lead, user_id].sold:
                self._end(lead_id, user_id, because, now)
        self.leads[lead_id].closed = because

    def _end(self, lead_id: str, user_id: str, because: str, at: int) -> None:
        seat = self.seats.pop((lead_id, user_id))
        self.past[lead_id, user_id] = (seat.first, because, at + seat.remember)
