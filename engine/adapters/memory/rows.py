"""The rows of a book's market in memory, column by column as `migrations` makes them."""

from __future__ import annotations

from typing import NamedTuple

from engine.market.answers import Contact
from engine.market.listing import Listing


class Market(NamedTuple):
    market: str
    epoch: int = 0
    position: int = 0
    feed_seq: int = 0
    journal_at: int = 0
    matched_position: int = 0
    secret: bytes = b"a market's own secret"
    time_zone: str = "UTC"


class User(NamedTuple):
    user_id: str
    plan: str = "basic"
    status: str = "active"


class Wallet(NamedTuple):
    user_id: str
    balance: int


class Transfer(NamedTuple):
    transfer_id: str
    debit_account: str
    credit_account: str
    amount: int
    reason: str
    reference: str | None
    created_at: int


class ListedLead(NamedTuple):
    lead_id: str
    market: str
    listed_at: int
    updated_at: int
    listing: Listing
    merged_into: str | None = None


class LeadTrading(NamedTuple):
    lead_id: str
    market: str
    lead_state: str
    price: int
    max_buyers: int
    sold: int
    held: int
    decide_at: int | None
    rounds: int
    price_parts: bytes | None = None
    tick_position: int | None = None


class SeatRow(NamedTuple):
    lead_id: str
    seat: int
    market: str
    user_id: str
    max_buyers: int
    price: int
    hold: str | None
    first_held_at: int | None
    held_at: int | None
    held_until: int | None
    forget_after: int | None
    order_id: str | None
    is_offer: bool
    fee: int


class HoldCount(NamedTuple):
    user_id: str
    market: str
    live_holds: int
    held_value: int


class PastHoldRow(NamedTuple):
    lead_id: str
    user_id: str
    market: str
    first_held_at: int
    ended_because: str
    forget_at: int


class Order(NamedTuple):
    order_id: str
    market: str
    lead_id: str
    user_id: str
    seat: int
    price: int
    bought_at: int
    standing_order_id: str | None


class JournalEntry(NamedTuple):
    """`event` is JSON as stored."""

    market: str
    position: int
    feed_seq: int | None
    at: int
    lead_id: str
    event: bytes
    public: str | None


class PriceTick(NamedTuple):
    market: str
    position: int
    at: int
    reason: str
    lead_ids: list[str]
    prices: list[int]
    parts: list[bytes] | None = None
    before: list[int | None] | None = None


class CommandRow(NamedTuple):
    """`answer` is MessagePack as stored."""

    command_id: bytes
    market: str
    request_hash: bytes | None
    answer: bytes
    decided_at: int


class ContactRow(NamedTuple):
    lead_id: str
    contact: Contact


class QueuePlace(NamedTuple):
    lead_id: str
    user_id: str
    market: str
    number: int
    joined_at: int


class StandingOrderRow(NamedTuple):
    """`terms` are JSON as stored."""

    standing_order_id: str
    market: str
    user_id: str
    terms: bytes
    revision: int
    bought: int
    spent: int
    placed_at: int
    changed_at: int
    cancelled_at: int | None = None


class ClaimRound(NamedTuple):
    lead_id: str
    round: int
    market: str
    seats: int
    seed: str
    next_commitment: str
    decided_at: int


class ClaimRow(NamedTuple):
    lead_id: str
    round: int
    rank: int
    market: str
    claim_id: str
    user_id: str
    kind: str
    priority: int
    wins: int
    draw: str
    result: str
    standing_order_id: str | None
    decided_at: int
