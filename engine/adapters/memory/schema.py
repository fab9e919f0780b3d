"""The tables of a book's market in memory, column by column as `migrations` makes them."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.adapters.memory.table import Reference, Table
from engine.market.answers import Contact
from engine.market.listing import Listing


class Market(NamedTuple):
    market: str
    epoch: int = 0
    position: int = 0
    feed_seq: int = 0
    journal_at: int = 0


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
    sold: int = 0
    held: int = 0


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


class HoldCount(NamedTuple):
    user_id: str
    market: str
    live_holds: int


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


LEAD_STATES = ("available", "held", "sold", "withdrawn", "quarantined")


class Schema:
    """One database's tables, empty."""

    def __init__(self) -> None:
        self.markets = Table("markets", Market, lambda r: r.market)
        self.users = Table("users", User, lambda r: r.user_id)
        self.wallets = Table(
            "wallets",
            Wallet,
            lambda r: r.user_id,
            checks={"wallets_balance_check": lambda r: r.balance >= 0},
            references={"wallets_user_id_fkey": Reference(self.users, lambda r: r.user_id)},
        )
        self.transfers = Table(
            "transfers",
            Transfer,
            lambda r: r.transfer_id,
            checks={
                "transfers_amount_check": lambda r: r.amount > 0,
                "transfers_accounts_check": lambda r: r.debit_account != r.credit_account,
            },
        )
        self.leads = Table(
            "leads",
            ListedLead,
            lambda r: r.lead_id,
            checks={"leads_quality_check": lambda r: 0 <= r.listing.quality <= 1},
            references={"leads_market_fkey": Reference(self.markets, lambda r: r.market)},
        )
        self.lead_trading = Table(
            "lead_trading",
            LeadTrading,
            lambda r: r.lead_id,
            checks={
                "lead_trading_lead_state_check": lambda r: r.lead_state in LEAD_STATES,
                "lead_trading_price_check": lambda r: r.price >= 1,
                "lead_trading_seats_check": _seats_add_up,
            },
        )
        self.seats = Table(
            "seats",
            SeatRow,
            lambda r: (r.lead_id, r.seat),
            unique={"seats_lead_id_user_id_key": lambda r: (r.lead_id, r.user_id)},
            checks={
                "seats_held_or_sold_check": lambda r: (
                    (r.order_id is None) == (r.held_until is not None)
                ),
                "seats_seat_check": lambda r: 1 <= r.seat <= r.max_buyers,
            },
        )
        self.hold_counts = Table(
            "hold_counts",
            HoldCount,
            lambda r: (r.user_id, r.market),
            checks={"hold_counts_live_holds_check": lambda r: r.live_holds >= 0},
        )
        self.past_holds = Table("past_holds", PastHoldRow, lambda r: (r.lead_id, r.user_id))
        self.orders = Table(
            "orders",
            Order,
            lambda r: r.order_id,
            unique={
                "orders_lead_id_seat_key": lambda r: (r.lead_id, r.seat),
                "orders_lead_id_user_id_key": lambda r: (r.lead_id, r.user_id),
            },
            checks={"orders_price_check": lambda r: r.price >= 0},
            references={
                "orders_lead_id_fkey": Reference(self.leads, lambda r: r.lead_id),
                "orders_user_id_fkey": Reference(self.users, lambda r: r.user_id),
            },
        )
        self.market_events = Table(
            "market_events",
            JournalEntry,
            lambda r: (r.market, r.position),
            unique={
                "market_events_market_feed_seq_key": lambda r: (
                    None if r.feed_seq is None else (r.market, r.feed_seq)
                )
            },
        )
        self.price_ticks = Table("price_ticks", PriceTick, lambda r: (r.market, r.position))
        self.commands = Table("commands", CommandRow, lambda r: r.command_id)
        self.contacts = Table("contacts", ContactRow, lambda r: r.lead_id)

    def tables(self) -> dict[str, Table]:
        return {table.name: table for table in vars(self).values() if isinstance(table, Table)}


def _seats_add_up(row: Any) -> bool:
    return min(row.sold, row.held) >= 0 and bool(row.max_buyers >= max(1, row.sold + row.held))
