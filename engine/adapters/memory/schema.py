"""The tables of a book's market in memory, with the constraints that `migrations` puts on them."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.adapters.memory import rows
from engine.adapters.memory.table import Reference, Table

LEAD_STATES = ("available", "held", "sold", "withdrawn", "quarantined")


class Schema:
    """One database's tables, empty."""

    def __init__(self) -> None:
        self.markets = Table("markets", rows.Market, lambda r: r.market)
        self.users = Table("users", rows.User, lambda r: r.user_id)
        self.wallets = Table(
            "wallets",
            rows.Wallet,
            lambda r: r.user_id,
            checks={"wallets_balance_check": lambda r: r.balance >= 0},
            references={"wallets_user_id_fkey": Reference(self.users, lambda r: r.user_id)},
        )
        self.transfers = Table(
            "transfers",
            rows.Transfer,
            lambda r: r.transfer_id,
            checks={
                "transfers_amount_check": lambda r: r.amount > 0,
                "transfers_accounts_check": lambda r: r.debit_account != r.credit_account,
            },
        )
        self.leads = Table(
            "leads",
            rows.ListedLead,
            lambda r: r.lead_id,
            checks={"leads_quality_check": lambda r: 0 <= r.listing.quality <= 1},
            references={"leads_market_fkey": Reference(self.markets, lambda r: r.market)},
        )
        self.lead_trading = Table(
            "lead_trading",
            rows.LeadTrading,
            lambda r: r.lead_id,
            checks={
                "lead_trading_lead_state_check": lambda r: r.lead_state in LEAD_STATES,
                "lead_trading_price_check": lambda r: r.price >= 1,
                "lead_trading_seats_check": _seats_add_up,
            },
        )
        self.seats = Table(
            "seats",
            rows.SeatRow,
            lambda r: (r.lead_id, r.seat),
            unique={"seats_lead_id_user_id_key": lambda r: (r.lead_id, r.user_id)},
            checks={
                "seats_held_or_sold_check": lambda r: (
                    (r.order_id is None) == (r.held_until is not None)
                ),
                "seats_seat_check": lambda r: 1 <= r.seat <= r.max_buyers,
                "seats_fee_check": lambda r: r.fee >= 0,
            },
        )
        self.hold_counts = Table(
            "hold_counts",
            rows.HoldCount,
            lambda r: (r.user_id, r.market),
            checks={
                "hold_counts_live_holds_check": lambda r: r.live_holds >= 0,
                "hold_counts_held_value_check": lambda r: r.held_value >= 0,
            },
        )
        self.past_holds = Table("past_holds", rows.PastHoldRow, lambda r: (r.lead_id, r.user_id))
        self.orders = Table(
            "orders",
            rows.Order,
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
            rows.JournalEntry,
            lambda r: (r.market, r.position),
            unique={
                "market_events_market_feed_seq_key": lambda r: (
                    None if r.feed_seq is None else (r.market, r.feed_seq)
                )
            },
        )
        self.price_ticks = Table("price_ticks", rows.PriceTick, lambda r: (r.market, r.position))
        self.commands = Table("commands", rows.CommandRow, lambda r: r.command_id)
        self.contacts = Table("contacts", rows.ContactRow, lambda r: r.lead_id)
        self.queue_places = Table("queue_places", rows.QueuePlace, lambda r: (r.lead_id, r.user_id))
        self.standing_orders = Table(
            "standing_orders",
            rows.StandingOrderRow,
            lambda r: r.standing_order_id,
            checks={
                "standing_orders_bought_check": lambda r: r.bought >= 0 and r.spent >= 0,
                "standing_orders_budget_check": _is_within_budget,
            },
            references={
                "standing_orders_market_fkey": Reference(self.markets, lambda r: r.market),
                "standing_orders_user_id_fkey": Reference(self.users, lambda r: r.user_id),
            },
        )
        self.claim_rounds = Table("claim_rounds", rows.ClaimRound, lambda r: (r.lead_id, r.round))
        self.claims = Table("claims", rows.ClaimRow, lambda r: (r.lead_id, r.round, r.rank))

    def tables(self) -> dict[str, Table]:
        return {table.name: table for table in vars(self).values() if isinstance(table, Table)}


def _seats_add_up(row: Any) -> bool:
    return min(row.sold, row.held) >= 0 and bool(row.max_buyers >= max(1, row.sold + row.held))


def _is_within_budget(row: Any) -> bool:
    budget = msgspec.json.decode(row.terms).get("budget")
    return budget is None or bool(row.spent <= budget) or bool(row.revision > 1)
