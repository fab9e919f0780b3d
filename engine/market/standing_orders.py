"""The standing orders of one market: what rests, what each has bought, which ask for a lead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.commands import Refused
from engine.market.lead import Lead
from engine.market.listing import Listing
from engine.market.standing_index import StandingIndex
from engine.market.standing_rules import in_hours, local_day, local_time
from engine.market.standing_terms import StandingTerms

# Over all buyers, so that no market's memory grows without bound.
STANDING_ORDERS_MAX = 200_000

NOT_FOUND = Refused("not-found", "you have no such standing order")


class StandingOrder:
    """One live standing order. `bought_today` counts purchases of local day `day`."""

    __slots__ = (
        "bought",
        "bought_today",
        "day",
        "placed_at",
        "revision",
        "spent",
        "standing_order_id",
        "terms",
        "user_id",
    )

    def __init__(
        self,
        standing_order_id: str,
        user_id: str,
        terms: StandingTerms,
        *,
        placed_at: int,
        revision: int = 1,
        bought: int = 0,
        spent: int = 0,
        day: int = 0,
        bought_today: int = 0,
    ) -> None:
        self.standing_order_id = standing_order_id
        self.user_id = user_id
        self.terms = terms
        self.placed_at = placed_at
        self.revision = revision
        self.bought = bought
        self.spent = spent
        self.day = day
        self.bought_today = bought_today

    def failed_limits(self, price: int, now: int, zone: tzinfo) -> list[str]:
        """Which of pause, hours and limits forbid buying for `price` credits at `now` (µs)."""
        terms = self.terms
        failed = []
        if terms.is_paused:
            failed.append("paused")
        if terms.hours and not in_hours(terms, local_time(now, zone)):
            failed.append("hours")
        if terms.per_day is not None and self.bought_on(local_day(now, zone)) >= terms.per_day:
            failed.append("per_day")
        if terms.budget is not None and self.spent + price > terms.budget:
            failed.append("budget")
        return failed

    def bought_on(self, day: int) -> int:
        return self.bought_today if self.day == day else 0

    def count(self, price: int, day: int) -> None:
        self.bought_today = self.bought_on(day) + 1
        self.day = day
        self.bought += 1
        self.spent += price


class StandingOrders:
    """All live standing orders of a market."""

    def __init__(self) -> None:
        self.orders: dict[str, StandingOrder] = {}
        self.count_of: dict[str, int] = {}
        self._index = StandingIndex()

    def __len__(self) -> int:
        return len(self.orders)

    def matching(self, listing: Listing, lead: Lead) -> list[str]:
        """Ids of the orders that ask for the lead; the text of those `with_text` names is
        not compared."""
        return self._index.find(listing, lead.price, lead.max_buyers)

    def with_text(self, standing_order_ids: Iterable[str]) -> list[tuple[str, str]]:
        """(id, q) of those that also ask for words."""
        return [(id_, q) for id_ in standing_order_ids if (q := self.orders[id_].terms.filter.q)]

    # --- decide --------------------------------------------------------------------

    def decide_place(self, command: c.PlaceStanding, account: Account) -> e.Event | Refused:
        if command.standing_order_id in self.orders:
            return Refused("validation", "there is a standing order with this id already")
        most = account.plan.standing_orders_max
        if self.count_of.get(command.user_id, 0) >= most:
            return Refused(
                "standing-order-limit",
                f"your plan has at most {most} standing orders in a market; delete one first",
            )
        if len(self.orders) >= STANDING_ORDERS_MAX:
            return Refused("standing-order-limit", "the market takes no more standing orders")
        return e.StandingPlaced(command.standing_order_id, command.user_id, command.terms)

    def decide_change(self, command: c.ChangeStanding) -> e.Event | Refused:
        order = self._own(command.standing_order_id, command.user_id)
        if order is None:
            return NOT_FOUND
        if order.revision != command.revision:
            return Refused("changed-meanwhile", "the standing order was changed meanwhile")
        return e.StandingChanged(command.standing_order_id, command.terms)

    def decide_cancel(self, command: c.CancelStanding) -> e.Event | Refused:
        if self._own(command.standing_order_id, command.user_id) is None:
            return NOT_FOUND
        return e.StandingCancelled(command.standing_order_id)

    def _own(self, standing_order_id: str, user_id: str) -> StandingOrder | None:
        order = self.orders.get(standing_order_id)
        return order if order is not None and order.user_id == user_id else None

    # --- apply ---------------------------------------------------------------------

    def put(self, order: StandingOrder) -> None:
        self.orders[order.standing_order_id] = order
        self.count_of[order.user_id] = self.count_of.get(order.user_id, 0) + 1
        self._reindex(order)

    def change(self, standing_order_id: str, terms: StandingTerms) -> None:
        order = self.orders[standing_order_id]
        order.terms = terms
        order.revision += 1
        self._index.remove(standing_order_id)
        self._reindex(order)

    def cancel(self, standing_order_id: str) -> None:
        order = self.orders.pop(standing_order_id)
        self._index.remove(standing_order_id)
        left = self.count_of[order.user_id] - 1
        if left:
            self.count_of[order.user_id] = left
        else:
            del self.count_of[order.user_id]

    def _reindex(self, order: StandingOrder) -> None:
        self._index.add(order.standing_order_id, order.terms)
