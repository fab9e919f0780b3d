"""The leads on offer in a market, put together from what its feed tells. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from aiqleads.client.answers.leads import LeadNow, Teaser
from aiqleads.client.feed.messages import FeedMessage, LeadEvent, Missed, PriceTick, Snapshot

# More ticks than this that wait for events are looked through for those that wait in vain.
_TICKS_AHEAD_MAX = 10_000


class _Known(NamedTuple):
    """A lead, and the number of the event or snapshot that told of it last."""

    lead: LeadNow
    seq: int


class MarketView:
    """Hand every message to `apply`; ask `leads` at any time.

    A price is as of the newest snapshot, event or tick; without the channel of prices it may
    be behind. Not for several threads at once.
    """

    def __init__(self, market: str) -> None:
        self.market = market
        self.seq: int | None = None
        self._known: dict[str, _Known] = {}
        # The newest tick of a lead as long as events may come that are older than it.
        self._ahead: dict[str, PriceTick] = {}
        self._shown: Mapping[str, LeadNow] | None = None

    @property
    def leads(self) -> Mapping[str, LeadNow]:
        """Available and held leads by id, as of now: it does not change under your hands.

        Those listed or updated since the snapshot are whole Teasers.
        """
        if self._shown is None:
            self._shown = MappingProxyType({id_: known.lead for id_, known in self._known.items()})
        return self._shown

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, lead_id: object) -> bool:
        return lead_id in self._known

    def get(self, lead_id: str) -> LeadNow | None:
        known = self._known.get(lead_id)
        return None if known is None else known.lead

    def apply(self, message: FeedMessage) -> bool:
        """Whether the view has changed. Messages of other markets mean nothing to it."""
        match message:
            case Snapshot(market=self.market):
                changed = self._begin(message)
            case LeadEvent(market=self.market):
                changed = self._follow(message)
            case PriceTick(market=self.market):
                changed = self._reprice(message)
            case Missed(channel=channel) if channel == f"prices:{self.market}":
                # They may be older now than what comes next.
                self._ahead.clear()
                changed = False
            case _:
                changed = False
        if changed:
            self._shown = None
        return changed

    def _begin(self, snapshot: Snapshot) -> bool:
        self.seq = snapshot.seq
        self._known = {
            lead.lead_id: _Known(self._priced(lead, snapshot.seq), snapshot.seq)
            for lead in snapshot.leads
        }
        self._forget_ticks_before(snapshot.seq)
        return True

    def _follow(self, event: LeadEvent) -> bool:
        """Events before the first snapshot, and those it has already, mean nothing."""
        if self.seq is None:
            return False
        # What tells of a price alone stands behind the event, and the ticks, of its number.
        behind = 0 if event.is_numbered else 1
        if event.seq + behind <= self.seq:
            return False
        self.seq = event.seq
        lead_id = event.lead.lead_id
        if event.lead.is_on_offer and event.matches:
            lead = self._priced(event.lead, event.seq + behind)
            self._known[lead_id] = _Known(_with_facts(lead, self.get(lead_id)), event.seq)
        else:
            self._known.pop(lead_id, None)
        tick = self._ahead.get(lead_id)
        if tick is not None and tick.seq <= event.seq:
            del self._ahead[lead_id]
        return True

    def _reprice(self, tick: PriceTick) -> bool:
        if self.seq is None or tick.seq > self.seq:
            self._keep_ahead(tick)
        known = self._known.get(tick.lead_id)
        if known is None or tick.seq < known.seq or known.lead.price == tick.price:
            return False
        lead = msgspec.structs.replace(known.lead, price=tick.price)
        self._known[tick.lead_id] = known._replace(lead=lead)
        return True

    def _keep_ahead(self, tick: PriceTick) -> None:
        self._ahead[tick.lead_id] = tick
        if len(self._ahead) > _TICKS_AHEAD_MAX and self.seq is not None:
            self._forget_ticks_before(self.seq + 1)

    def _forget_ticks_before(self, seq: int) -> None:
        self._ahead = {id_: tick for id_, tick in self._ahead.items() if tick.seq >= seq}

    def _priced(self, lead: LeadNow, seq: int) -> LeadNow:
        """The lead of an event or snapshot, at the price of a tick that is newer than it."""
        tick = self._ahead.get(lead.lead_id)
        if tick is None or tick.seq < seq or tick.price == lead.price:
            return lead
        return msgspec.structs.replace(lead, price=tick.price)


def _with_facts(lead: LeadNow, known: LeadNow | None) -> LeadNow:
    """How a lead stands now, with what was known of it before."""
    if isinstance(lead, Teaser) or not isinstance(known, Teaser):
        return lead
    return msgspec.structs.replace(
        known,
        lead_state=lead.lead_state,
        price=lead.price,
        max_buyers=lead.max_buyers,
        seats_left=lead.seats_left,
    )
