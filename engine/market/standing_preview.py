"""What a standing order would have bought: its rules, replayed over a market's past.

The order buys alone: everything else is as it happened, also what its buyer did. A seat that
was free is taken, so contests are not replayed, and credits do not limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import NamedTuple

from engine.market.lead_history import Entry, LeadReplay
from engine.market.plan import Plan
from engine.market.standing_rules import facts, failures, in_hours, local_day, local_time, wanted
from engine.market.standing_terms import StandingTerms

PRICE_RULES = ("filter.price", "price")


class PastLead(NamedTuple):
    """A lead's entries by position. `saying` are the positions of those whose text the order's
    `q` finds, None without `q`; from `bought_as_another_at` (µs) its buyer has bought a lead
    that was merged into it."""

    lead_id: str
    entries: Sequence[Entry]
    saying: frozenset[int] | None = None
    bought_as_another_at: int | None = None


class Purchase(NamedTuple):
    """`at` in µs; `price` is the lead's, `pays` what the plan makes of it."""

    lead_id: str
    at: int
    price: int
    pays: int


class Preview(NamedTuple):
    """Of the leads `considered` (put to standing orders in the window), `matches` met filter,
    price and seats at some moment. `refused` counts, of those not bought that met the filter
    at their last moment, the rules they failed then."""

    considered: int
    matches: int
    bought: list[Purchase]
    refused: dict[str, int]

    @property
    def cost(self) -> int:
        return sum(purchase.pays for purchase in self.bought)


class _Lead:
    __slots__ = ("failed", "fixed", "is_bought", "is_match", "listing_position", "past", "replay")

    def __init__(self, past: PastLead, user_id: str) -> None:
        self.past = past
        self.replay = LeadReplay(past.entries, user_id)
        self.listing_position = 0
        # Rules that the facts fail whatever the price, as last said.
        self.fixed: list[str] = []
        # Rules failed at the last moment, None before the first.
        self.failed: list[str] | None = None
        self.is_match = False
        self.is_bought = False


class StandingPreview:
    """One order over a window from `since` (µs): give it every lead, then the ticks in order,
    then take the preview."""

    def __init__(
        self,
        terms: StandingTerms,
        plan: Plan,
        zone: tzinfo,
        user_id: str,
        past: Iterable[PastLead],
        since: int,
    ) -> None:
        self._terms = terms
        self._wanted = wanted(terms)
        self._plan = plan
        self._zone = zone
        self._since = since
        self._leads = {each.lead_id: _Lead(each, user_id) for each in past}
        self._openings = sorted(
            (
                (moment, lead_id)
                for lead_id, lead in self._leads.items()
                for moment in lead.replay.openings()
            ),
            key=lambda opening: (opening[0].at, opening[0].position),
        )
        self._next = 0
        self._bought: list[Purchase] = []
        self._spent = 0
        self._bought_on: dict[int, int] = {}
        # Of the instant looked at last: the local day, and whether the order's hours have it.
        self._at, self._day, self._is_in_hours = -1, 0, True

    def tick(self, position: int, at: int, prices: Iterable[tuple[str, int]]) -> None:
        """New prices of (lead, price) at `at` µs, within the window."""
        self._open_until(at, position)
        for lead_id, price in prices:
            lead = self._leads.get(lead_id)
            if lead is not None and not lead.is_bought and lead.replay.reprice(position, price):
                self._put(lead, at)

    def finish(self, until: int) -> Preview:
        """The outcome, with all that came to its moment up to `until` (µs)."""
        self._open_until(until + 1)
        leads = self._leads.values()
        refused: dict[str, int] = {}
        for lead in leads:
            if not lead.is_bought and not any(_is_filter(rule) for rule in lead.failed or ()):
                for rule in lead.failed or ():
                    refused[rule] = refused.get(rule, 0) + 1
        return Preview(
            considered=sum(lead.failed is not None for lead in leads),
            matches=sum(lead.is_match for lead in leads),
            bought=self._bought,
            refused=refused,
        )

    def _open_until(self, at: int, position: int = 0) -> None:
        while self._next < len(self._openings):
            moment, lead_id = self._openings[self._next]
            if not moment.is_before(at, position):
                break
            self._next += 1
            lead = self._leads[lead_id]
            if not lead.is_bought and lead.replay.open(moment) and moment.at >= self._since:
                self._put(lead, moment.at)

    def _put(self, lead: _Lead, at: int) -> None:
        """Put the order to the lead as it stands, and buy it if no rule fails."""
        price = lead.replay.history.price
        failed = self._failed_facts(lead, price)
        if not failed:
            lead.is_match = True
        pays = self._plan.discounted(price)
        if not any(_is_filter(rule) for rule in failed):
            failed += self._failed_limits(pays, at) + _failed_state(lead, at)
        lead.failed = failed
        if not failed:
            lead.is_bought = True
            self._look_at(at)
            self._bought_on[self._day] = self._bought_on.get(self._day, 0) + 1
            self._spent += pays
            self._bought.append(Purchase(lead.past.lead_id, at, price, pays))

    def _failed_facts(self, lead: _Lead, price: int) -> list[str]:
        """Filter, price and seats. Facts change seldom and prices often: the rules of facts
        are looked at once for each listing."""
        history = lead.replay.history
        if lead.listing_position != history.listing_position:
            lead.listing_position = history.listing_position
            looked_at = facts(history.listing, price, history.max_buyers)
            lead.fixed = [
                rule for rule in failures(self._wanted, looked_at) if rule not in PRICE_RULES
            ]
            saying = lead.past.saying
            if saying is not None and history.listing_position not in saying:
                lead.fixed.insert(0, "filter.q")
        failed = list(lead.fixed)
        price_min = self._terms.filter.price_min
        if price_min is not None and price < price_min:
            failed.append("filter.price")
        if price > self._terms.price_max:
            failed.append("price")
        return failed

    def _failed_limits(self, pays: int, at: int) -> list[str]:
        terms, failed = self._terms, []
        self._look_at(at)
        if not self._is_in_hours:
            failed.append("hours")
        if terms.per_day is not None and self._bought_on.get(self._day, 0) >= terms.per_day:
            failed.append("per_day")
        if terms.budget is not None and self._spent + pays > terms.budget:
            failed.append("budget")
        return failed

    def _look_at(self, at: int) -> None:
        """A tick puts many leads to the order at one instant: its day is found once."""
        if at != self._at:
            self._at = at
            self._day = local_day(at, self._zone)
            self._is_in_hours = in_hours(self._terms, local_time(at, self._zone))


def _failed_state(lead: _Lead, at: int) -> list[str]:
    history, another_at = lead.replay.history, lead.past.bought_as_another_at
    failed = []
    if history.own == "bought" or (another_at is not None and another_at <= at):
        failed.append("already_bought")
    elif history.own == "held":
        failed.append("already_held")
    if not history.is_available:
        failed.append("lead_state")
    return failed


def _is_filter(rule: str) -> bool:
    return rule.startswith("filter.")
