"""Accounts that act together to make it look as if a segment were in demand, or were not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.market import commands as c
from engine.market.lead import AVAILABLE
from engine.market.pricing.segments import Key

if TYPE_CHECKING:
    from models_ml.pricing.simulation.floor import Floor

_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
# When those that pay do so: early, and elsewhere than where they act later.
_PAYS_AT_HOUR = 24


class Schemers:
    """They buy what they must in any run; whether they `act` tells a run from its twin."""

    def __init__(self, floor: Floor, *, acts: bool) -> None:
        terms = floor.world.terms.collusion
        assert terms is not None
        self._floor = floor
        self._terms = terms
        self._acts = acts
        self._ids = [f"schemer-{number:02d}" for number in range(terms.accounts)]
        self.target = target_of(floor)
        created = floor.opened_at - int(terms.age_days * 24 * _HOUR_US)
        if not terms.age_days:
            created = floor.opened_at + int(terms.day * 24 * _HOUR_US)
        for user_id in self._ids:
            floor.enrol(user_id, created)

    def act(self, hour: int, now: int) -> None:
        """What they do on this hour."""
        if hour == _PAYS_AT_HOUR and self._terms.paid:
            self._pay(now)
        since = hour - int(self._terms.day * 24)
        if self._acts and since >= 0 and since % self._terms.every_hours == 0:
            self._pretend(now)

    def _pay(self, now: int) -> None:
        leads = self._floor.world.leads
        for user_id in self._ids:
            paid = 0
            for number, lead_id in enumerate(leads.ids):
                if paid == self._terms.paid:
                    break
                lead = self._floor.book.leads.get(lead_id)
                if lead is not None and lead.state == AVAILABLE and not self._is_target(number):
                    order_id = f"{user_id}-{lead_id}"
                    self._floor.view(lead_id, user_id, now)
                    self._floor.ask([c.Buy(lead_id, user_id, order_id)], now)
                    paid += 1

    def _pretend(self, now: int) -> None:
        """Each looks at all leads of the segment, holds one, and gives it back a minute later."""
        floor = self._floor
        offered = [
            lead_id
            for number, lead_id in enumerate(floor.world.leads.ids)
            if self._is_target(number)
            and (lead := floor.book.leads.get(lead_id)) is not None
            and lead.state == AVAILABLE
        ]
        for place, user_id in enumerate(self._ids):
            for lead_id in offered:
                floor.view(lead_id, user_id, now)
            if offered:
                held = offered[place % len(offered)]
                floor.ask([c.Hold(held, user_id, "15m")], now)
                floor.ask([c.Release(held, user_id)], now + _MINUTE_US)

    def _is_target(self, number: int) -> bool:
        return self._floor.world.leads.segments[number] == self.target


def target_of(floor: Floor) -> Key:
    """The segment with most leads: where most is to be gained."""
    counts = Counter(floor.world.leads.segments)
    return max(counts, key=lambda key: (counts[key], key))
