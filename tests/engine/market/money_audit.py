"""Every credit accounted for, and every buyer told of what is theirs, as the journal has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from engine.market import events as e
from engine.market.book import Book
from engine.market.instant import rfc3339
from engine.market.outcome import Outcome

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor

MARKET = "town"
# Seen from the buyer's wallet: (journal position, buyer, amount, reason, lead).
Fee = tuple[int, str, int, str, str]


class MoneyAudit:
    """Wallets, sales and hold fees as the events of the journal move them."""

    def __init__(self, floor: TradingFloor, balances: dict[str, int]) -> None:
        self.floor = floor
        self.balances = dict(balances)
        self.came_in = sum(balances.values())
        self.sales = 0
        self.house = 0
        self._begin()

    def _begin(self) -> None:
        self.fees: list[Fee] = []
        self.told: Counter[str] = Counter()
        self.after: defaultdict[str, list[int]] = defaultdict(list)
        self.moved: Counter[str] = Counter()

    def grant(self, user_id: str, credits: int) -> None:
        self.balances[user_id] += credits
        self.came_in += credits

    # --- event by event --------------------------------------------------------------

    def see(self, book: Book, event: e.Event, position: int) -> None:
        """An event that is about to be applied to `book`."""
        for user_id, amount, reason in _fees_of(event):
            if amount:
                self._move(user_id, amount)
                self.house -= amount
                self.fees.append((position, user_id, amount, reason, event.lead_id))
        if isinstance(event, e.LeadSold):
            self._move(event.user_id, -event.price)
            self.sales += event.price
        for user_id, kind, body in _told_of(book, event, self.floor.now):
            self.told[repr((user_id, kind, sorted(body.items())))] += 1

    def _move(self, user_id: str, amount: int) -> None:
        self.balances[user_id] += amount
        assert self.balances[user_id] >= 0, "a wallet below zero"
        self.moved[user_id] += amount
        self.after[user_id].append(self.balances[user_id])

    # --- batch by batch --------------------------------------------------------------

    def audit(self, outcome: Outcome) -> None:
        naive = self.floor.naive
        assert self.balances == naive.balances
        assert self.house == naive.house
        assert self.house >= 0, "more given back than taken"
        assert sum(self.balances.values()) + self.sales + self.house == self.came_in
        assert sorted((*each[:1], *each[2:]) for each in outcome.movements) == sorted(self.fees)
        numbers = [(each.position, each.number) for each in outcome.movements]
        assert len(set(numbers)) == len(numbers), "two movements under one key"
        assert Counter(outcome.wallets) == self.moved
        self._audit_told(outcome)
        self._begin()

    def _audit_told(self, outcome: Outcome) -> None:
        told: Counter[str] = Counter()
        last: dict[str, int] = {}
        for event in outcome.buyer_events:
            if event.type == "wallet.changed":
                assert event.body.keys() == {"balance"}
                last[event.user_id] = event.body["balance"]
                assert last[event.user_id] in self.after[event.user_id], "no balance of theirs"
            else:
                told[repr((event.user_id, event.type, sorted(event.body.items())))] += 1
        assert told == self.told
        changed = {user_id: balances[-1] for user_id, balances in self.after.items() if balances}
        assert last == changed, "a wallet's buyer was not told what is in it"


def _fees_of(event: e.Event) -> list[tuple[str, int, str]]:
    match event:
        case e.LeadHeld() | e.HoldExtended():
            return [(event.user_id, -event.fee, "hold-fee")]
        case e.LeadSold():
            return [(event.user_id, event.fee_credit, "hold-fee-credit")]
        case e.LeadWithdrawn() | e.LeadQuarantined():
            return [(hold.user_id, hold.fee, "hold-fee-refund") for hold in event.ended]
    return []


def _told_of(book: Book, event: e.Event, now: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Who is to be told what, wallets apart."""
    lead_id, about = event.lead_id, {"market": MARKET, "lead_id": event.lead_id}
    lead = book.leads.get(lead_id)
    taken = (lead.taken or {}) if lead else {}
    waiting = book.waiting.lines.get(lead_id, [])
    match event:
        case e.LeadHeld():
            return [(event.user_id, "hold.started", about | _terms(event.price, event))]
        case e.HoldExtended():
            price = taken[event.user_id].price
            return [(event.user_id, "hold.extended", about | _terms(price, event))]
        case e.LeadReleased(reason=reason):
            kind = "hold.expired" if reason == "expired" else "hold.ended"
            return [(event.user_id, kind, about | {"reason": reason})]
        case e.LeadSold():
            told = _told_of_sale(event, about, now)
            seat = taken.get(event.user_id)
            if seat is not None and seat.hold is not None:
                told.append((event.user_id, "hold.ended", about | {"reason": "bought"}))
            if lead is not None and lead.sold + 1 == lead.max_buyers:
                told += [(user, "queue.ended", about | {"reason": "sold"}) for user in waiting]
            return told
        case e.LeadWithdrawn() | e.LeadQuarantined():
            why = about | {
                "reason": "withdrawn" if isinstance(event, e.LeadWithdrawn) else "quarantined"
            }
            offered = [user for user, seat in taken.items() if seat.is_offer]
            held = [user for user, seat in taken.items() if seat.hold is not None]
            return [(user, "hold.expired", why) for user in held] + [
                (user, "queue.ended", why) for user in (*offered, *waiting)
            ]
        case e.SeatOffered():
            terms = {"price": event.price, "offered_until": rfc3339(event.offered_until)}
            return [(event.user_id, "queue.offered", about | terms)]
        case e.QueueLeft(reason="expired"):
            return [(event.user_id, "queue.ended", about | {"reason": "expired"})]
    return []


def _terms(price: int, event: e.LeadHeld | e.HoldExtended) -> dict[str, Any]:
    return {"price": price, "hold": event.hold, "held_until": rfc3339(event.held_until)}


def _told_of_sale(
    event: e.LeadSold, about: dict[str, str], now: int
) -> list[tuple[str, str, dict[str, Any]]]:
    order = about | {"order_id": event.order_id, "price": event.price}
    told = [(event.user_id, "order.created", order | {"bought_at": rfc3339(now)})]
    if event.standing_order_id is not None:
        filled = order | {"standing_order_id": event.standing_order_id}
        told.append((event.user_id, "standing_order.filled", filled))
    return told
