"""A preview as simply as it can be written, to compare the real one with."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.market import events as e
from engine.market.standing_rules import failed_filter_rules, in_hours, local_day, local_time
from engine.market.standing_terms import StandingTerms
from tests.engine.market.past import ME, PLAN, ZONE


class NaivePreview:
    """Every journal entry in turn, all leads in one dict, every rule asked every time."""

    def __init__(self, terms: StandingTerms, since: int, until: int) -> None:
        self.terms, self.since, self.until = terms, since, until
        self.leads: dict[str, dict[str, Any]] = {}
        self.bought: list[tuple[str, int, int]] = []
        self.last: dict[str, list[str]] = {}
        self.matched: set[str] = set()

    def run(self, journal: list[tuple[int, int, e.Event]]) -> None:
        for position, at, event in journal:
            if at > self.until:
                break
            self.open(at, position)
            self.entry(position, at, event)
        self.open(self.until + 1, 0)

    def open(self, at: int, position: int) -> None:
        waiting = sorted(
            (*known["opening"], lead_id)
            for lead_id, known in self.leads.items()
            if known["opening"] and known["opening"] < (at, position)
        )
        for moment, _, lead_id in waiting:
            self.leads[lead_id]["opening"] = None
            self.put(lead_id, moment)

    def entry(self, position: int, at: int, event: e.Event) -> None:
        if isinstance(event, e.LeadsRepriced):
            for lead_id, price in zip(event.lead_ids, event.prices, strict=True):
                self.leads[lead_id]["price"] = price
                if self.leads[lead_id]["opening"] is None:
                    self.put(lead_id, at)
            return
        if isinstance(event, e.LeadListed):
            self.leads[event.lead_id] = {
                "price": event.price,
                "seats": event.max_buyers,
                "listing": event.listing,
                "taken": {},
            }
        known = self.leads[event.lead_id]
        match event:
            case e.LeadListed() | e.LeadRelisted() | e.LeadApproved():
                known["closed"] = False
                known["opening"] = (max(at, event.decide_at), position)
            case e.LeadUpdated():
                first = known["listing"]
                known["listing"] = msgspec.structs.replace(
                    event.listing,
                    latitude=event.listing.latitude if first.latitude is None else first.latitude,
                )
            case e.LeadHeld() | e.SeatOffered():
                known["taken"][event.user_id] = "held"
            case e.LeadSold():
                known["taken"][event.user_id] = "sold"
            case e.LeadReleased():
                del known["taken"][event.user_id]
            case e.QueueLeft() if event.reason != "left":
                del known["taken"][event.user_id]
            case e.LeadWithdrawn() | e.LeadQuarantined():
                known["closed"], known["opening"] = True, None
                for user_id in [u for u, how in known["taken"].items() if how == "held"]:
                    del known["taken"][user_id]

    def put(self, lead_id: str, at: int) -> None:
        if at < self.since or lead_id in {bought for bought, _, _ in self.bought}:
            return
        terms, known = self.terms, self.leads[lead_id]
        price, taken = known["price"], known["taken"]
        failed = failed_filter_rules(terms, known["listing"], price, known["seats"])
        if not failed:
            self.matched.add(lead_id)
        if terms.hours and not in_hours(terms, local_time(at, ZONE)):
            failed.append("hours")
        today = [1 for _, then, _ in self.bought if local_day(then, ZONE) == local_day(at, ZONE)]
        if terms.per_day is not None and len(today) >= terms.per_day:
            failed.append("per_day")
        spent = sum(PLAN.discounted(paid) for _, _, paid in self.bought)
        if terms.budget is not None and spent + PLAN.discounted(price) > terms.budget:
            failed.append("budget")
        if ME in taken:
            failed.append("already_bought" if taken[ME] == "sold" else "already_held")
        if known["closed"] or len(taken) >= known["seats"]:
            failed.append("lead_state")
        self.last[lead_id] = failed
        if not failed:
            self.bought.append((lead_id, at, price))

    def refused(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for failed in self.last.values():
            if not any(rule.startswith("filter.") for rule in failed):
                for rule in failed:
                    counts[rule] = counts.get(rule, 0) + 1
        return counts
