"""What a replica knows of each market's live price and state, kept by the feed itself.

It is loaded at seq N in one consistent reading and follows the stream from N+1. Only
leads on offer (available or held) are kept. The leads are immutable, so a snapshot is a
copied list, encoded part by part when somebody asks for the part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine.adapters.postgres.feed_journal import FeedJournal, Head, PriceTick, ThinLead
from engine.market.listing import Listing
from serve_apps.api.feed.frame import LEADS_PER_FRAME, Frame, FrameCache, snapshot_frame

log = logging.getLogger(__name__)

ON_OFFER = frozenset({"available", "held"})


class PublicEvent(msgspec.Struct, gc=False):
    """What the model takes from an event of the feed. `at` is RFC 3339 with microseconds."""

    seq: int
    type: str
    at: str
    lead: ThinLead


class _Whole(msgspec.Struct, gc=False):
    lead: Listing


decode_event = msgspec.json.Decoder(PublicEvent).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode
_WHOLE = frozenset({"lead.listed", "lead.updated"})


def listing_of(event: PublicEvent, text: bytes) -> Listing | None:
    """The listing in an event that carries the whole teaser; None in the others.

    What can't be read counts as unstated.
    """
    if event.type not in _WHOLE:
        return None
    try:
        return _decode_whole(text).lead
    except msgspec.ValidationError as error:
        log.warning("feed: the teaser of event %d is not readable: %s", event.seq, error)
        return Listing()


class Repriced(NamedTuple):
    """A lead on offer before and after a price tick."""

    before: ThinLead
    after: ThinLead


class Snapshot:
    """The leads on offer at `seq` that a view of the market has. Its frames are shared by
    all who ask for them; `view` names the view, empty for the whole market."""

    __slots__ = (
        "__weakref__",
        "_cache",
        "_leads",
        "crossings",
        "market",
        "seq",
        "taken_at",
        "view",
    )

    def __init__(
        self,
        market: str,
        seq: int,
        leads: list[ThinLead],
        taken_at: float,
        cache: FrameCache,
        view: bytes = b"",
        crossings: int = 0,
    ) -> None:
        self.view = view
        # How many price ticks had moved leads in or out of the view by then.
        self.crossings = crossings
        self.market = market
        self.seq = seq
        self.taken_at = taken_at
        self._leads = leads
        self._cache = cache

    @property
    def parts(self) -> int:
        """How many frames it makes; an empty market makes one."""
        return max(1, -(-len(self._leads) // LEADS_PER_FRAME))

    def part(self, number: int) -> Frame:
        """Part `number`, from 0."""
        # Two snapshots at one seq may differ in prices: the moment tells them apart.
        key = ("snapshot", self.market, self.view, self.seq, self.taken_at, number)
        return self._cache.get(key, lambda: self._encode(number))

    def _encode(self, number: int) -> Frame:
        leads = self._leads[number * LEADS_PER_FRAME : (number + 1) * LEADS_PER_FRAME]
        return snapshot_frame(self.market, self.seq, number, number + 1 == self.parts, leads)


class ReadModel:
    """One market's leads on offer at `seq`, and the journal position of the last tick."""

    def __init__(self, market: str, head: Head, leads: Iterable[ThinLead] = ()) -> None:
        self.market = market
        self.seq = head.seq
        self.position = head.position
        self.leads: dict[str, ThinLead] = {lead.lead_id: lead for lead in leads}
        # When a tick last set a lead's price, until an event newer than it does. Events
        # and ticks come by two streams; the older of two prices must not win.
        self._ticked_at: dict[str, str] = {}

    def get(self, lead_id: str) -> ThinLead | None:
        """The lead if it is on offer."""
        return self.leads.get(lead_id)

    def apply(self, event: PublicEvent) -> None:
        """Fold the event that follows `seq`."""
        lead = event.lead
        lead_id = lead.lead_id
        self.seq = event.seq
        if lead.lead_state not in ON_OFFER:
            self.leads.pop(lead_id, None)
            self._ticked_at.pop(lead_id, None)
            return
        ticked_at = self._ticked_at.get(lead_id)
        if ticked_at is not None:
            if event.at > ticked_at:
                del self._ticked_at[lead_id]
            else:
                lead = _at_price(lead, self.leads[lead_id].price)
        self.leads[lead_id] = lead

    def reprice(self, tick: PriceTick, newer: frozenset[str] = frozenset()) -> list[Repriced]:
        """Set a tick's prices; those that hold. `newer` leads had an event after it."""
        self.position = tick.position
        held = []
        for lead_id, price in zip(tick.lead_ids, tick.prices, strict=True):
            lead = self.leads.get(lead_id)
            if lead is None or lead_id in newer:
                continue
            repriced = self.leads[lead_id] = _at_price(lead, price)
            self._ticked_at[lead_id] = tick.at
            held.append(Repriced(lead, repriced))
        return held

    def snapshot(self, taken_at: float, cache: FrameCache) -> Snapshot:
        return Snapshot(self.market, self.seq, list(self.leads.values()), taken_at, cache)


async def load(journal: FeedJournal, market: str) -> ReadModel:
    """The market as it is committed now. Raises as FeedJournal does when it is away."""
    model: ReadModel | None = None
    async for reading in journal.thin_leads(market):
        if isinstance(reading, Head):
            model = ReadModel(market, reading)
        elif model is not None:
            model.leads.update((lead.lead_id, lead) for lead in reading)
    if model is None:
        raise LookupError(f"the reading of {market} had no head")
    return model


def decode_events(texts: Sequence[bytes]) -> list[PublicEvent]:
    """Raises msgspec.DecodeError on text that is no public event."""
    return [decode_event(text) for text in texts]


def _at_price(lead: ThinLead, price: int) -> ThinLead:
    if lead.price == price:
        return lead
    return ThinLead(lead.lead_id, lead.lead_state, price, lead.max_buyers, lead.seats_left)
