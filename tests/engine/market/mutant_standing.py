"""Markets with one thing wrong about standing orders each."""

from __future__ import annotations

from datetime import UTC

from msgspec.structs import replace

from engine.market import events as e
from engine.market.batch import _Batch
from engine.market.book import Book
from engine.market.claims import ClaimDesk
from engine.market.contest import Contest
from engine.market.standing_orders import StandingOrder, StandingOrders
from engine.market.standing_rules import local_day


class _Lenient(Contest):
    """Does not look at one rule."""

    rule = ""

    def failed_rules(self, account, order):
        return [rule for rule in super().failed_rules(account, order) if rule != self.rule]


class CapIgnored(_Lenient):
    rule = "per_day"


class BudgetIgnored(_Lenient):
    rule = "budget"


class BuysAtAnyHour(_Lenient):
    rule = "hours"


class BuysOnCredit(_Lenient):
    rule = "credits"


class BuysTwice(_Lenient):
    rule = "already_bought"


class BuysWhatIsHeld(_Lenient):
    rule = "already_held"


class BuysWithoutASeat(_Lenient):
    rule = "lead_state"


class BudgetOfTheFullPrice(Contest):
    def failed_rules(self, account, order):
        failed = super().failed_rules(account, order)
        budget = order.terms.budget
        if budget is not None and order.spent + self._lead.price > budget:
            failed.append("budget")
        return failed


class HoursInUtc(Contest):
    def failed_rules(self, account, order):
        failed = [rule for rule in super().failed_rules(account, order) if rule != "hours"]
        if "hours" in order.failed_limits(0, self._now, UTC):
            failed.append("hours")
        return failed


class FillUndiscounted(Contest):
    def fill(self, standing_order_id, account):
        sale = super().fill(standing_order_id, account)
        return sale and replace(sale, price=min(self._lead.price, account.balance))


class FillUnderItsOwnName(Contest):
    """The order id is not the one that anyone deciding it would give."""

    def fill(self, standing_order_id, account):
        sale = super().fill(standing_order_id, account)
        return sale and replace(sale, order_id=f"{standing_order_id}-{self._now}")


class FillOfNobodysOrder(Contest):
    def fill(self, standing_order_id, account):
        sale = super().fill(standing_order_id, account)
        return sale and replace(sale, standing_order_id=None)


class NewestOrderFirst(Contest):
    @property
    def claims(self):
        return sorted(
            super().claims,
            key=lambda claim: (-claim.priority, claim.wins, claim.draw, -claim.placed_at),
        )


class DayCountedInUtc(Book):
    """Where it counts what was bought and where it compares."""

    def _on_sold(self, event, at):
        super()._on_sold(event, at)
        order = self.standing.orders.get(event.standing_order_id)
        if order is not None:
            self.standing.orders[event.standing_order_id].__class__ = _InUtc
            order.day = local_day(at, UTC)


class _InUtc(StandingOrder):
    __slots__ = ()

    def failed_limits(self, price, now, zone):
        failed = [rule for rule in super().failed_limits(price, now, zone) if rule != "per_day"]
        cap = self.terms.per_day
        if cap is not None and self.bought_on(local_day(now, UTC)) >= cap:
            failed.append("per_day")
        return failed


class ChangedCapStartsAnew(Book):
    def _on_standing_changed(self, event, at):
        super()._on_standing_changed(event, at)
        self.standing.orders[event.lead_id].bought_today = 0


class ChangedBudgetStartsAnew(Book):
    def _on_standing_changed(self, event, at):
        super()._on_standing_changed(event, at)
        self.standing.orders[event.lead_id].spent = 0


class FillsAreNotCounted(Book):
    def _on_sold(self, event, at):
        super()._on_sold(replace(event, standing_order_id=None), at)


class _Unpausable(StandingOrders):
    def _reindex(self, order):
        self._index.add(order.standing_order_id, replace(order.terms, is_paused=False))


class BuysWhilePaused(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.standing = _Unpausable()


class _Open(StandingOrders):
    def _own(self, standing_order_id, user_id):
        return self.orders.get(standing_order_id)


class ChangesAnothersOrder(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.standing = _Open()


class _Overwriting(StandingOrders):
    def decide_change(self, command):
        order = self._own(command.standing_order_id, command.user_id)
        revision = command.revision if order is None else order.revision
        return super().decide_change(replace(command, revision=revision))


class ChangedMeanwhileAllTheSame(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.standing = _Overwriting()


class _Generous(StandingOrders):
    def decide_place(self, command, account):
        return e.StandingPlaced(command.standing_order_id, command.user_id, command.terms)


class OrdersWithoutLimit(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.standing = _Generous()


class _Deaf(ClaimDesk):
    def tick(self, lead_ids, position):
        pass


class TicksAreNotMatched(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.claims = _Deaf()


class TicksMatchedBeforeTheClaims(Book):
    """A tick cuts short the time that claims on a new lead are given."""

    def deciding(self, now, limit=1_000_000):
        ticked = [id_ for id_ in self.claims._ticked if self.leads[id_].decide_at]
        return list(dict.fromkeys([*ticked, *super().deciding(now, limit)]))[:limit]


class FillLeftOutOfTheTables(_Batch):
    def _after_sale(self, event):
        super()._after_sale(event)
        self.outcome.standing.pop(event.standing_order_id, None)


class FillIsNotTold(_Batch):
    def _tell(self, user_id, kind, **body):
        if kind != "standing_order.filled":
            super()._tell(user_id, kind, **body)
