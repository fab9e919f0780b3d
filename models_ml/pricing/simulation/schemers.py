"""Accounts that act together to make it look as if a segment were in demand, or were not."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Protocol, runtime_checkable

from engine.market import commands as c
from engine.market import events as e
from engine.market.lead import AVAILABLE
from engine.market.pricing.considering import Signal
from engine.market.pricing.segments import Key
from models_ml.pricing.simulation.desk import OPENED_AT, Desk
from models_ml.pricing.simulation.world import World

_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
# When those that pay do so: early, and elsewhere than where they act later.
_PAYS_AT_HOUR = 24
_HOLD, _HOLD_US = "15m", 15 * _MINUTE_US

# Not at all; in the market; or so that only a shadow of its pricing hears of it.
Acting = Literal["still", "market", "shadow"]


@runtime_checkable
class HearsOfSchemes(Protocol):
    """A pricer with a shadow that is told of what did not happen."""

    def pretend(self, signals: list[Signal], events: list[tuple[e.Event, int]]) -> None:
        """Signals, then events with their instants in µs."""


class Schemers:
    """They buy what they must however they are `acting` later, so that runs compare."""

    def __init__(self, world: World, desk: Desk, acting: Acting) -> None:
        terms = world.terms.collusion
        assert terms is not None
        self._leads = world.leads
        self._desk = desk
        self._terms = terms
        self._acting = acting
        self._ids = [f"schemer-{number:02d}" for number in range(terms.accounts)]
        self._target = target_of(world)
        begins = int(terms.day * 24 * _HOUR_US)
        old = -int(terms.age_days * 24 * _HOUR_US)
        for user_id in self._ids:
            desk.enrol(user_id, OPENED_AT + (old if terms.age_days else begins))

    def act(self, hour: int, now: int, shadow: HearsOfSchemes | None) -> None:
        """What they do on this hour."""
        if hour == _PAYS_AT_HOUR and self._terms.paid:
            self._pay(now)
        since = hour - int(self._terms.day * 24)
        if self._acting == "still" or since < 0 or since % self._terms.every_hours:
            return
        offered = self._offered()
        if self._acting == "market":
            self._pretend(offered, now)
        elif shadow is not None:
            self._pretend_to(shadow, offered, now)

    def _offered(self) -> list[str]:
        """The target's leads that have a free seat."""
        leads, book = self._leads, self._desk.book
        return [
            lead_id
            for lead_id, key in zip(leads.ids, leads.segments, strict=True)
            if key == self._target
            and (lead := book.leads.get(lead_id)) is not None
            and lead.state == AVAILABLE
        ]

    def _pay(self, now: int) -> None:
        leads = self._leads
        for user_id in self._ids:
            paid = 0
            for number, lead_id in enumerate(leads.ids):
                if paid == self._terms.paid:
                    break
                lead = self._desk.book.leads.get(lead_id)
                if (
                    lead is None
                    or lead.state != AVAILABLE
                    or leads.segments[number] == self._target
                ):
                    continue
                self._desk.see("view", lead_id, user_id, now)
                self._desk.ask([c.Buy(lead_id, user_id, f"{user_id}-{lead_id}")], now)
                paid += 1

    def _pretend(self, offered: list[str], now: int) -> None:
        """Each looks at all leads of the segment, holds one, and gives it back a minute later."""
        for place, user_id in enumerate(self._ids):
            for lead_id in offered:
                self._desk.see("view", lead_id, user_id, now)
            if offered:
                held = offered[place % len(offered)]
                self._desk.ask([c.Hold(held, user_id, _HOLD)], now)
                self._desk.ask([c.Release(held, user_id)], now + _MINUTE_US)

    def _pretend_to(self, shadow: HearsOfSchemes, offered: list[str], now: int) -> None:
        signals, events = list[Signal](), list[tuple[e.Event, int]]()
        for place, user_id in enumerate(self._ids):
            signals += [Signal("view", lead_id, user_id, now) for lead_id in offered]
            if offered:
                held = offered[place % len(offered)]
                price, until = self._desk.book.leads[held].price, now + _HOLD_US
                hold = e.LeadHeld(held, user_id, 1, price, _HOLD, now, until, _HOLD_US)
                events.append((hold, now))
                events.append((e.LeadReleased(held, user_id, "released"), now + _MINUTE_US))
        shadow.pretend(signals, events)


def target_of(world: World) -> Key:
    """The segment with most leads: where most is to be gained."""
    counts = Counter(world.leads.segments)
    return max(counts, key=lambda key: (counts[key], key))
