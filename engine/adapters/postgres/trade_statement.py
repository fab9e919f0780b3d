"""What a batch of trades came to, as one SQL statement.

A round trip costs as much as the rows of several buyers, so seats, wallets, orders,
journal and answers go in together, each part a data-modifying `WITH` query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from engine.market import events as e
from engine.market.answers import Bought
from engine.market.book import Book
from engine.market.instant import to_datetime
from engine.market.lead import Lead
from engine.market.outcome import Movement, Outcome, Priced
from engine.ports import JournalRow

CONTACT_COLUMNS = (
    "lead_id, name, phone, email, unparsed_address, latitude, longitude, source_url, is_invented"
)

HOUSE_FEES = "house:hold-fees"
TRADING_COLUMNS = "lead_id, lead_state, price, max_buyers, sold, held, decide_at, rounds"
TRADING_ARRAYS = (
    "{}::text[], {}::text[], {}::int8[], {}::int4[], {}::int4[], {}::int4[], {}::int8[], {}::int4[]"
)
PRICED_COLUMNS = "tick_position, price_parts"
PRICED_ARRAYS = "{}::int8[], {}::bytea[]"
UNPRICED = Priced(None, None)

_encode_event = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode


class SetBasedWrite:
    """Parts of one statement, each a `WITH name AS (...)`; `{}` stands for its next value."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: list[Any] = []

    def add(self, name: str, sql: str, *values: Any) -> None:
        self.parts.append(f"{name} AS ({self._numbered(sql, values)})")

    def statement(self, last: str, *values: Any) -> str:
        final = self._numbered(last, values)
        return f"WITH {', '.join(self.parts)} {final}" if self.parts else final

    def _numbered(self, sql: str, values: Sequence[Any]) -> str:
        first = len(self.values) + 1
        self.values.extend(values)
        return sql.format(*(f"${first + i}" for i in range(len(values))))


def trade_statement(
    market: str,
    outcome: Outcome,
    rows: Sequence[JournalRow],
    book: Book,
    *,
    epoch: int,
    at: int,
    matched_before: int | None = None,
) -> tuple[str, list[Any]] | None:
    """(SQL, values) that write `outcome` and return CONTACT_COLUMNS of the leads bought.

    `rows` are its journal entries, `book` is as it is after it, `at` in µs since the epoch,
    `matched_before` up to where ticks had been matched. None when there is nothing to write
    or read.
    """
    write = SetBasedWrite()
    known = {id_: lead for id_, lead in outcome.leads.items() if id_ not in outcome.listed}
    if known:
        _add_trading(write, known, outcome.priced)
    if outcome.seats:
        _add_seats(write, market, outcome.seats, book.leads)
    if outcome.holders:
        _add_hold_counts(write, market, outcome.holders, book)
    if outcome.sales:
        _add_sales(write, market, outcome.sales, at)
    if outcome.movements:
        _add_fees(write, market, outcome.movements, at)
    if outcome.wallets:
        _add_wallets(write, outcome.wallets)
    if rows:
        _add_journal(write, market, rows, at)
    if rows or outcome.matched_position != matched_before:
        write.add(
            "advanced",
            "UPDATE markets SET position = {}, feed_seq = {}, journal_at = {},"
            " matched_position = {} WHERE market = {} AND epoch = {}",
            outcome.position,
            outcome.feed_seq,
            at,
            outcome.matched_position,
            market,
            epoch,
        )
    if outcome.answers:
        write.add(
            "answered",
            "INSERT INTO commands (command_id, market, request_hash, answer, decided_at)"
            " SELECT u.command_id, {}, u.request_hash, u.answer, {}"
            " FROM unnest({}::bytea[], {}::bytea[], {}::bytea[])"
            " u(command_id, request_hash, answer)",
            market,
            at,
            list(outcome.answers),
            [stored.request_hash for stored in outcome.answers.values()],
            [_encode_answer(stored.answer) for stored in outcome.answers.values()],
        )
    bought = [answer.lead_id for answer in outcome.replies if isinstance(answer, Bought)]
    if not write.parts and not bought:
        return None
    sql = write.statement(
        f"SELECT {CONTACT_COLUMNS} FROM contacts WHERE lead_id = ANY({{}})", bought
    )
    return sql, write.values


def _add_trading(
    write: SetBasedWrite, leads: Mapping[str, Lead], priced: Mapping[str, Priced]
) -> None:
    """What trading changed of known leads; what made a price, only if there are new ones."""
    columns, arrays, made, values = TRADING_COLUMNS, TRADING_ARRAYS, "", trading_columns(leads)
    if not priced.keys().isdisjoint(leads):
        columns, arrays = f"{columns}, {PRICED_COLUMNS}", f"{arrays}, {PRICED_ARRAYS}"
        values += priced_columns(leads, priced)
        made = (
            ", tick_position = coalesce(u.tick_position, t.tick_position),"
            " price_parts = CASE WHEN u.tick_position IS NULL THEN t.price_parts"
            " ELSE u.price_parts END"
        )
    write.add(
        "traded",
        "UPDATE lead_trading t"
        " SET lead_state = u.lead_state, price = u.price, sold = u.sold, held = u.held,"
        f" decide_at = u.decide_at, rounds = u.rounds{made}"
        f" FROM unnest({arrays}) u({columns}) WHERE t.lead_id = u.lead_id",
        *values,
    )


def _add_seats(
    write: SetBasedWrite, market: str, pairs: Iterable[tuple[str, str]], leads: Mapping[str, Lead]
) -> None:
    taken = [
        (lead_id, user_id, seat, leads[lead_id].max_buyers)
        for lead_id, user_id in pairs
        if (seat := (leads[lead_id].taken or {}).get(user_id)) is not None
    ]
    if not taken:
        return
    held = [seat if seat.order_id is None else None for _, _, seat, _ in taken]
    write.add(
        "seated",
        "INSERT INTO seats AS s (lead_id, seat, market, user_id, max_buyers, price, hold,"
        " first_held_at, held_at, held_until, forget_after, order_id, is_offer, fee)"
        " SELECT u.lead_id, u.seat, {}, u.user_id, u.max_buyers, u.price, u.hold,"
        " u.first_held_at, u.held_at, u.held_until, u.forget_after, u.order_id, u.is_offer, u.fee"
        " FROM unnest({}::text[], {}::int2[], {}::text[], {}::int4[], {}::int8[], {}::text[],"
        " {}::int8[], {}::int8[], {}::int8[], {}::int8[], {}::text[], {}::bool[], {}::int8[])"
        " u(lead_id, seat, user_id, max_buyers, price, hold, first_held_at, held_at,"
        " held_until, forget_after, order_id, is_offer, fee)"
        " ON CONFLICT (lead_id, user_id) DO UPDATE SET seat = excluded.seat,"
        " price = excluded.price, hold = excluded.hold,"
        " first_held_at = excluded.first_held_at, held_at = excluded.held_at,"
        " held_until = excluded.held_until, forget_after = excluded.forget_after,"
        " order_id = excluded.order_id, is_offer = excluded.is_offer, fee = excluded.fee"
        " WHERE s.order_id IS NULL",
        market,
        [lead_id for lead_id, _, _, _ in taken],
        [seat.number for _, _, seat, _ in taken],
        [user_id for _, user_id, _, _ in taken],
        [max_buyers for _, _, _, max_buyers in taken],
        [seat.price for _, _, seat, _ in taken],
        [seat and seat.hold for seat in held],
        [seat and seat.first_held_at for seat in held],
        [seat and seat.held_at for seat in held],
        [seat and seat.held_until for seat in held],
        [seat and seat.forget_after for seat in held],
        [seat.order_id for _, _, seat, _ in taken],
        [seat.is_offer for _, _, seat, _ in taken],
        [seat.fee for _, _, seat, _ in taken],
    )


def _add_hold_counts(write: SetBasedWrite, market: str, holders: Iterable[str], book: Book) -> None:
    users = list(holders)
    write.add(
        "counted",
        "INSERT INTO hold_counts (user_id, market, live_holds, held_value)"
        " SELECT u.user_id, {}, u.live_holds, u.held_value"
        " FROM unnest({}::text[], {}::int4[], {}::int8[]) u(user_id, live_holds, held_value)"
        " ON CONFLICT (user_id, market) DO UPDATE"
        " SET live_holds = excluded.live_holds, held_value = excluded.held_value",
        market,
        users,
        [book.holds_of.get(user_id, 0) for user_id in users],
        [book.value_of.get(user_id, 0) for user_id in users],
    )


def _add_sales(write: SetBasedWrite, market: str, sales: Sequence[e.LeadSold], at: int) -> None:
    """Orders, and their transfers to `house:sales`."""
    write.add(
        "sale",
        "SELECT * FROM unnest({}::text[], {}::text[], {}::text[], {}::int2[], {}::int8[],"
        " {}::text[]) u(order_id, lead_id, user_id, seat, price, standing_order_id)",
        [sale.order_id for sale in sales],
        [sale.lead_id for sale in sales],
        [sale.user_id for sale in sales],
        [sale.seat for sale in sales],
        [sale.price for sale in sales],
        [sale.standing_order_id for sale in sales],
    )
    write.add(
        "ordered",
        "INSERT INTO orders"
        " (order_id, market, lead_id, user_id, seat, price, bought_at, standing_order_id)"
        " SELECT order_id, {}, lead_id, user_id, seat, price, {}, standing_order_id FROM sale",
        market,
        at,
    )
    # A discount of 100 % makes an order of nothing, which moves no credit.
    write.add(
        "moved",
        "INSERT INTO transfers"
        " (transfer_id, debit_account, credit_account, amount, reason, reference, created_at)"
        " SELECT 'order:' || order_id, 'user:' || user_id, 'house:sales', price, 'purchase',"
        " order_id, {} FROM sale WHERE price > 0",
        to_datetime(at),
    )


def _add_fees(write: SetBasedWrite, market: str, movements: Sequence[Movement], at: int) -> None:
    """Fees of holds, to `house:hold-fees` and back."""
    write.add(
        "fees",
        "INSERT INTO transfers"
        " (transfer_id, debit_account, credit_account, amount, reason, reference, created_at)"
        " SELECT u.transfer_id, u.debit, u.credit, u.amount, u.reason, u.lead_id, {}"
        " FROM unnest({}::text[], {}::text[], {}::text[], {}::int8[], {}::text[], {}::text[])"
        " u(transfer_id, debit, credit, amount, reason, lead_id)",
        to_datetime(at),
        [f"{m.reason}:{market}:{m.position}.{m.number}" for m in movements],
        [HOUSE_FEES if m.amount > 0 else f"user:{m.user_id}" for m in movements],
        [f"user:{m.user_id}" if m.amount > 0 else HOUSE_FEES for m in movements],
        [abs(m.amount) for m in movements],
        [m.reason for m in movements],
        [m.lead_id for m in movements],
    )


def _add_wallets(write: SetBasedWrite, changes: Mapping[str, int]) -> None:
    write.add(
        "charged",
        "UPDATE wallets w SET balance = w.balance + u.change"
        " FROM unnest({}::text[], {}::int8[]) u(user_id, change) WHERE w.user_id = u.user_id",
        list(changes),
        list(changes.values()),
    )


def _add_journal(write: SetBasedWrite, market: str, rows: Sequence[JournalRow], at: int) -> None:
    write.add(
        "journalled",
        "INSERT INTO market_events (market, position, feed_seq, at, lead_id, event, public)"
        " SELECT {}, u.position, u.feed_seq, {}, u.lead_id, u.event::jsonb, u.public::json"
        " FROM unnest({}::int8[], {}::int8[], {}::text[], {}::text[], {}::text[])"
        " u(position, feed_seq, lead_id, event, public)",
        market,
        at,
        [row.position for row in rows],
        [row.feed_seq for row in rows],
        [row.event.lead_id for row in rows],
        [_encode_event(row.event).decode() for row in rows],
        [row.public for row in rows],
    )


def priced_columns(leads: Iterable[str], priced: Mapping[str, Priced]) -> list[list[Any]]:
    """The values of PRICED_COLUMNS, a list each; None for leads that got no new price."""
    rows = [priced.get(lead_id, UNPRICED) for lead_id in leads]
    return [[row.position for row in rows], [row.parts for row in rows]]


def trading_columns(leads: Mapping[str, Lead]) -> list[list[Any]]:
    """The values of TRADING_COLUMNS, a list each."""
    rows = leads.values()
    return [
        list(leads),
        [lead.state for lead in rows],
        [lead.price for lead in rows],
        [lead.max_buyers for lead in rows],
        [lead.sold for lead in rows],
        [lead.held for lead in rows],
        [lead.decide_at or None for lead in rows],
        [lead.rounds for lead in rows],
    ]
