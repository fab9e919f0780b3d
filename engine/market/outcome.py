"""What a batch of decisions came to: everything that must be written, answered and told."""

from __future__ import annotations

from typing import NamedTuple

from engine.market import events as e
from engine.market.answers import Answer
from engine.market.buyer_events import BuyerEvent
from engine.market.lead import Lead, LeadState
from engine.market.listing import Listing
from engine.market.standing_orders import StandingOrder

# Events whose public form carries the whole teaser.
WHOLE = (e.LeadListed, e.LeadUpdated, e.LeadApproved, e.LeadRelisted, e.HoldExtended)


class StoredAnswer(NamedTuple):
    request_hash: bytes | None
    answer: Answer


class ThinLead(NamedTuple):
    """What every public event says of its lead, right after it."""

    lead_id: str
    lead_state: LeadState
    price: int
    max_buyers: int
    seats_left: int


class Entry(NamedTuple):
    """One journal entry; `feed_seq` and `thin` are None for what the feed does not tell."""

    position: int
    feed_seq: int | None
    event: e.Event
    thin: ThinLead | None


class Tick(NamedTuple):
    """A repricing at a journal position; `parts` in step with its leads, or empty."""

    position: int
    event: e.LeadsRepriced
    parts: tuple[bytes, ...] = ()


class Priced(NamedTuple):
    """Where a lead got its price: the tick's position, None for its listing. `parts` are packed,
    None if nobody knows them."""

    position: int | None
    parts: bytes | None


class Movement(NamedTuple):
    """Credits of a hold's fee: to the buyer if `amount` is positive, else from them."""

    position: int
    number: int
    user_id: str
    amount: int
    reason: str
    lead_id: str


class Outcome:
    """What a batch came to. `replies` are in step with the requests."""

    def __init__(self, position: int, feed_seq: int) -> None:
        self.position = position
        self.feed_seq = feed_seq
        # Up to where price ticks have been matched with standing orders.
        self.matched_position = position
        self.entries: list[Entry] = []
        self.replies: list[Answer] = []
        self.answers: dict[bytes, StoredAnswer] = {}
        self.leads: dict[str, Lead] = {}
        # (lead, buyer) pairs whose seat changed, and those of them that gave one up.
        self.seats: set[tuple[str, str]] = set()
        self.ended: set[tuple[str, str]] = set()
        # Buyers who hold more or fewer leads of this market than before.
        self.holders: set[str] = set()
        self.past_holds: set[tuple[str, str]] = set()
        # Places in line: taken, with the journal position, and given up.
        self.joined: dict[tuple[str, str], int] = {}
        self.left: set[tuple[str, str]] = set()
        self.listed: dict[str, Listing] = {}
        self.updated: dict[str, Listing] = {}
        # Where a withdrawn lead went, None for one that is on offer again.
        self.merged_into: dict[str, str | None] = {}
        self.sales: list[e.LeadSold] = []
        self.movements: list[Movement] = []
        # What each wallet gains (or loses) in all.
        self.wallets: dict[str, int] = {}
        self.contests: list[e.ClaimsDecided] = []
        # Standing orders that changed, as they are now or were at their end.
        self.standing: dict[str, StandingOrder] = {}
        self.cancelled: set[str] = set()
        self.ticks: list[Tick] = []
        # Leads that got a price, listed or repriced: the last one of each.
        self.priced: dict[str, Priced] = {}
        self.buyer_events: list[BuyerEvent] = []

    def whole_leads(self) -> set[str]:
        """Leads whose teaser the public events of this batch carry."""
        return {entry.event.lead_id for entry in self.entries if isinstance(entry.event, WHOLE)}

    def changes(self) -> bool:
        return bool(self.entries or self.answers or self.leads)

    def move(self, user_id: str, credits: int) -> None:
        self.wallets[user_id] = self.wallets.get(user_id, 0) + credits
