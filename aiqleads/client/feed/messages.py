"""What a feed tells, as typed values."""

from __future__ import annotations

from typing import Any

from aiqleads.client.answers.fields import Answer, Instant
from aiqleads.client.answers.leads import LeadNow

REPRICED = "lead.repriced"


class Snapshot(Answer, frozen=True, kw_only=True):
    """All leads on offer in a market as of number `seq`: what was known before is replaced."""

    market: str
    seq: int
    leads: tuple[LeadNow, ...]


class OpenClaims(Answer, frozen=True, kw_only=True):
    """Claims on a new lead are collected until `decide_at`; `commitment` is to the seed that
    will break ties. Keep it to check the decision: `aiqleads.client.claims`."""

    decide_at: Instant
    commitment: str


class LeadEvent(Answer, frozen=True, kw_only=True):
    """Event number `seq` of a market: `type` is `lead.listed`, `lead.updated`, `lead.held`,
    `lead.released`, `lead.sold`, `lead.withdrawn` or `lead.quarantined`.

    `lead` is how it stands after it, a whole Teaser if it was listed or updated. Where a channel
    has a filter, `matches` says whether the lead still meets it, and `lead.repriced` tells of one
    that came to meet it or not by its price: that is no event of the market, and has the number
    of the one before it.
    """

    market: str
    seq: int
    type: str
    at: Instant
    lead: LeadNow
    claims: OpenClaims | None = None
    matches: bool = True

    @property
    def is_numbered(self) -> bool:
        return self.type != REPRICED


class PriceTick(Answer, frozen=True, kw_only=True):
    """A lead's new price in credits. `seq` is the number of the market's newest event when it
    was applied: it is newer than those up to it."""

    market: str
    seq: int
    at: Instant
    lead_id: str
    price: int
    reason: str = ""


class Missed(Answer, frozen=True, kw_only=True):
    """Messages of a channel that is not numbered may have been lost, as while reconnecting:
    what they said is read by the client's other methods."""

    channel: str


class BuyerMessage(Answer, frozen=True, kw_only=True):
    """Something of this buyer's own. Kinds that this version does not know come as this, with
    what they say in `members`."""

    type: str
    members: dict[str, Any]


class HoldExpiring(BuyerMessage, frozen=True, kw_only=True):
    """A hold ends in `minutes_left` minutes."""

    market: str
    lead_id: str
    price: int
    hold: str
    held_until: Instant
    minutes_left: int


class HoldExpired(BuyerMessage, frozen=True, kw_only=True):
    """A hold has ended: `reason` is `expired`, `withdrawn` or `quarantined`."""

    market: str
    lead_id: str
    reason: str


class OrderCreated(BuyerMessage, frozen=True, kw_only=True):
    """A lead was bought; `order` has its contact."""

    order_id: str
    market: str
    lead_id: str
    price: int
    bought_at: Instant


class StandingOrderFilled(BuyerMessage, frozen=True, kw_only=True):
    """A standing order bought a lead."""

    standing_order_id: str
    order_id: str
    market: str
    lead_id: str
    price: int


class WalletChanged(BuyerMessage, frozen=True, kw_only=True):
    balance: int


class NotificationSent(BuyerMessage, frozen=True, kw_only=True):
    """A new notification; `members` is as in the list of them."""


FeedMessage = Snapshot | LeadEvent | PriceTick | Missed | BuyerMessage
