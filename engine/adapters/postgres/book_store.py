"""The durable side of one market's book: what a flush reads and writes, set-based.

Every method but `take_over` runs inside the flush's transaction, after `fence`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.book_load import load_book
from engine.adapters.postgres.fair_trading_rows import (
    DELETE_PAIRS,
    write_contests,
    write_lines,
    write_standing,
)
from engine.adapters.postgres.listing_rows import INSERT_LEADS, UPDATE_LEADS, listing_columns
from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser
from engine.adapters.postgres.trade_statement import (
    PRICED_ARRAYS,
    PRICED_COLUMNS,
    TRADING_ARRAYS,
    TRADING_COLUMNS,
    priced_columns,
    trade_statement,
    trading_columns,
)
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Contact
from engine.market.book import Book
from engine.market.instant import to_datetime
from engine.market.lead import Lead
from engine.market.listing import Listing
from engine.market.outcome import Outcome, Priced, StoredAnswer
from engine.market.outcome import Tick as Repricing
from engine.market.plan import Plan
from engine.ports import Fenced, JournalRow, Standing, Takeover, Tick

# A wallet locked by another market's flush is waited for this long, then the flush fails.
LOCK_TIMEOUT = "2s"
LOAD_CHUNK = 20_000

# For connections whose every statement looks up a batch's rows by key: planned once, by
# index, whatever the statistics say. Left to them, a table that has just grown or been
# updated often is scanned (measured: 16 ms instead of 0.5 for the wallets of a batch).
PLANNED_BY_KEY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


_encode_event = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_decode_event = msgspec.json.Decoder(e.Event).decode


_TAKEOVER = "epoch, position, feed_seq, journal_at, matched_position, secret, time_zone"


class BookStore:
    """One connection, one market. Not for concurrent use."""

    def __init__(self, connection: asyncpg.Connection, market: str) -> None:
        self.connection = connection
        self.market = market

    @classmethod
    async def connect(cls, database_url: str, market: str) -> BookStore:
        """Raises OSError or asyncpg.PostgresError when the database can't be reached."""
        connection = await asyncpg.connect(
            database_url,
            timeout=10,
            command_timeout=30,
            server_settings={
                "application_name": f"book:{market}",
                "lock_timeout": LOCK_TIMEOUT,
                "idle_in_transaction_session_timeout": "60s",
                **PLANNED_BY_KEY,
            },
        )
        return cls(connection, market)

    async def close(self) -> None:
        await self.connection.close(timeout=2)

    # --- ownership ---------------------------------------------------------------

    async def take_over(self) -> Takeover:
        """Raise the epoch and commit: every older book of this market is fenced from now on.

        Raises LookupError when the market has no row (migrate and launch first).
        """
        row = await self.connection.fetchrow(
            f"UPDATE markets SET epoch = epoch + 1 WHERE market = $1 RETURNING {_TAKEOVER}",
            self.market,
        )
        if row is None:
            raise LookupError(f"market {self.market} is not in the database")
        return Takeover(*row)

    async def resume(self, epoch: int) -> Takeover:
        """Where the book of `epoch` goes on after a flush it lost. Waits for that flush: each
        holds the market's row from its first statement. Raises Fenced if superseded.
        """
        row = await self.connection.fetchrow(
            f"SELECT {_TAKEOVER} FROM markets WHERE market = $1 FOR NO KEY UPDATE",
            self.market,
        )
        if row is None or row[0] != epoch:
            raise Fenced(f"{self.market}: epoch {epoch} was superseded by {row and row[0]}")
        return Takeover(*row)

    @property
    def is_closed(self) -> bool:
        return bool(self.connection.is_closed())

    async def owns(self, epoch: int) -> bool:
        """Whether `epoch` is still the market's; without a lock, for an idle book's check."""
        current = await self.connection.fetchval(
            "SELECT epoch FROM markets WHERE market = $1", self.market
        )
        return bool(current == epoch)

    @asynccontextmanager
    async def flush(
        self, epoch: int, command_ids: Sequence[bytes] = ()
    ) -> AsyncIterator[dict[bytes, StoredAnswer]]:
        """A transaction that begins with the fence; yields the answers given before under
        these command ids. Raises Fenced if another book took over.

        One statement does both: were its snapshot older than another book's commit, the
        locked row would be read again, with that book's epoch.
        """
        async with self.connection.transaction():
            rows = await self.connection.fetch(
                "WITH fence AS MATERIALIZED"
                " (SELECT epoch FROM markets WHERE market = $1 FOR NO KEY UPDATE)"
                " SELECT fence.epoch, c.command_id, c.request_hash, c.answer"
                " FROM fence LEFT JOIN commands c ON c.command_id = ANY($2)",
                self.market,
                command_ids,
            )
            current = rows[0][0] if rows else None
            if current != epoch:
                raise Fenced(f"{self.market}: epoch {epoch} was superseded by {current}")
            yield {
                row[1]: StoredAnswer(row[2], _decode_answer(row[3]))
                for row in rows
                if row[1] is not None
            }

    # --- what a flush reads --------------------------------------------------------

    async def lock_accounts(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan], *, count_holds: bool
    ) -> dict[str, Account]:
        """The accounts among `user_ids`, their wallets locked until the flush ends; only
        active ones may trade.

        `live_holds` and `held_value` are those of the other markets: the book knows its own.
        They are read by a statement of their own, after the locks: a snapshot taken before
        them could miss another market's hold.
        """
        rows = await self.connection.fetch(
            "SELECT w.user_id, w.balance, u.plan, u.status = 'active'"
            " FROM wallets w JOIN users u USING (user_id)"
            " WHERE w.user_id = ANY($1) ORDER BY w.user_id FOR NO KEY UPDATE OF w",
            user_ids,
        )
        accounts = {
            row[0]: Account(row[0], row[1], plans.get(row[2], plans["basic"]), may_trade=row[3])
            for row in rows
        }
        if count_holds and accounts:
            counted = await self.connection.fetch(
                "SELECT user_id, sum(live_holds)::int8, sum(held_value)::int8 FROM hold_counts"
                " WHERE user_id = ANY($1) AND market <> $2 GROUP BY user_id",
                list(accounts),
                self.market,
            )
            for user_id, holds, value in counted:
                accounts[user_id].live_holds = holds
                accounts[user_id].held_value = value
        return accounts

    async def standings(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan]
    ) -> dict[str, Standing]:
        """Plans and balances of the active buyers among `user_ids`, as they were a moment ago."""
        rows = await self.connection.fetch(
            "SELECT w.user_id, w.balance, u.plan FROM wallets w JOIN users u USING (user_id)"
            " WHERE w.user_id = ANY($1) AND u.status = 'active'",
            user_ids,
        )
        return {row[0]: Standing(plans.get(row[2], plans["basic"]), row[1]) for row in rows}

    async def facts(self, lead_ids: Sequence[str]) -> dict[str, Listing]:
        """What filters look at, of each lead; its text stays in the database."""
        rows = await self.connection.fetch(
            "SELECT lead_id, sources, list_price, property_type, bedrooms_total, living_area,"
            " lot_size_square_feet, year_built, latitude, longitude"
            " FROM leads WHERE lead_id = ANY($1)",
            lead_ids,
        )
        return {
            row[0]: Listing(
                sources=tuple(row[1]),
                list_price=row[2],
                property_type=row[3],
                bedrooms_total=row[4],
                living_area=row[5],
                lot_size_square_feet=row[6],
                year_built=row[7],
                latitude=row[8],
                longitude=row[9],
            )
            for row in rows
        }

    async def saying(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """The (lead, text) pairs whose lead a search for the text would find."""
        rows = await self.connection.fetch(
            "SELECT u.lead_id, u.q FROM unnest($1::text[], $2::text[]) u(lead_id, q)"
            " JOIN leads l ON l.lead_id = u.lead_id"
            " AND l.search @@ websearch_to_tsquery('english', u.q)",
            [lead_id for lead_id, _ in pairs],
            [text for _, text in pairs],
        )
        return {(row[0], row[1]) for row in rows}

    async def teasers(self, lead_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        rows = await self.connection.fetch(
            f"SELECT {TEASER_COLUMNS} FROM {TEASER_TABLES} WHERE l.lead_id = ANY($1)",
            lead_ids,
        )
        return {row["lead_id"]: teaser(row) for row in rows}

    # --- what a flush writes -------------------------------------------------------

    async def write_listings(
        self,
        listed: Mapping[str, Listing],
        updated: Mapping[str, Listing],
        leads: Mapping[str, Lead],
        priced: Mapping[str, Priced],
        at: int,
    ) -> None:
        """New leads, with their rows for trading, and what is newly said of known ones."""
        if listed:
            await self.connection.execute(
                INSERT_LEADS, self.market, to_datetime(at), *listing_columns(listed)
            )
            columns = f"{TRADING_COLUMNS}, {PRICED_COLUMNS}"
            arrays = f"{TRADING_ARRAYS}, {PRICED_ARRAYS}".format(*(f"${n}" for n in range(2, 12)))
            await self.connection.execute(
                f"INSERT INTO lead_trading (market, {columns})"
                f" SELECT $1, {columns} FROM unnest({arrays}) u({columns})",
                self.market,
                *trading_columns({lead_id: leads[lead_id] for lead_id in listed}),
                *priced_columns(listed, priced),
            )
        if updated:
            await self.connection.execute(UPDATE_LEADS, to_datetime(at), *listing_columns(updated))

    async def write_merges(self, merged_into: Mapping[str, str | None]) -> None:
        await self.connection.execute(
            "UPDATE leads SET merged_into = u.into_id"
            " FROM unnest($1::text[], $2::text[]) u(lead_id, into_id)"
            " WHERE leads.lead_id = u.lead_id",
            list(merged_into),
            list(merged_into.values()),
        )

    async def end_seats(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Free the seats of (lead, buyer) `pairs`, before `write` gives them to others."""
        pairs = list(pairs)
        await self.connection.execute(
            DELETE_PAIRS.format(table="seats"),
            [lead_id for lead_id, _ in pairs],
            [user_id for _, user_id in pairs],
        )

    async def write_past_holds(
        self, pairs: Iterable[tuple[str, str]], leads: Mapping[str, Lead]
    ) -> None:
        """Bring what is remembered of (lead, buyer) `pairs` to what `leads` say."""
        pairs = list(pairs)
        await self.connection.execute(
            DELETE_PAIRS.format(table="past_holds"),
            [lead_id for lead_id, _ in pairs],
            [user_id for _, user_id in pairs],
        )
        kept = [
            (lead_id, user_id, past)
            for lead_id, user_id in pairs
            if (past := (leads[lead_id].past or {}).get(user_id)) is not None
        ]
        if kept:
            await self.connection.execute(
                "INSERT INTO past_holds"
                " (lead_id, user_id, market, first_held_at, ended_because, forget_at)"
                " SELECT u.lead_id, u.user_id, $1, u.first_held_at, u.ended_because, u.forget_at"
                " FROM unnest($2::text[], $3::text[], $4::int8[], $5::text[], $6::int8[])"
                " u(lead_id, user_id, first_held_at, ended_because, forget_at)",
                self.market,
                [lead_id for lead_id, _, _ in kept],
                [user_id for _, user_id, _ in kept],
                [past.first_held_at for _, _, past in kept],
                [past.ended_because for _, _, past in kept],
                [past.forget_at for _, _, past in kept],
            )

    async def write_fair_trading(self, outcome: Outcome, at: int) -> None:
        """Lines, standing orders and contests: rarely any of them."""
        if outcome.joined or outcome.left:
            await write_lines(self.connection, self.market, outcome.joined, outcome.left, at)
        if outcome.standing:
            await write_standing(
                self.connection, self.market, outcome.standing, outcome.cancelled, at
            )
        if outcome.contests:
            await write_contests(self.connection, self.market, outcome.contests, at)

    async def write_ticks(self, ticks: Sequence[Repricing], at: int) -> None:
        """Before `write`: each tick notes the one before it of every lead, so that a lead's
        prices are a chain. Of several in one flush the last is on it."""
        await self.connection.executemany(
            "INSERT INTO price_ticks"
            " (market, position, at, reason, lead_ids, prices, parts, before)"
            " SELECT $1, $2, $3, $4, $5, $6, $7, array_agg(t.tick_position ORDER BY u.number)"
            " FROM unnest($5::text[]) WITH ORDINALITY u(lead_id, number)"
            " LEFT JOIN lead_trading t ON t.lead_id = u.lead_id AND t.tick_position < $2",
            [
                (
                    *(self.market, position, at, tick.reason, tick.lead_ids, tick.prices),
                    parts or None,
                )
                for position, tick, parts in ticks
            ],
        )

    async def write(
        self,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        book: Book,
        *,
        epoch: int,
        at: int,
        matched_before: int,
    ) -> dict[str, Contact]:
        """Write everything a batch of trades came to; the contacts of the leads bought."""
        statement = trade_statement(
            self.market,
            outcome,
            rows,
            book,
            epoch=epoch,
            at=at,
            matched_before=matched_before,
        )
        if statement is None:
            return {}
        sql, values = statement
        return {
            row[0]: Contact(
                name=row[1],
                phone=row[2],
                email=row[3],
                unparsed_address=row[4],
                latitude=row[5],
                longitude=row[6],
                source_url=row[7],
                is_invented=row[8],
            )
            for row in await self.connection.fetch(sql, *values)
        }

    # --- load ----------------------------------------------------------------------

    async def load(self, book: Book, now: int) -> None:
        """Fill an empty book with what trading needs, from the projected tables."""
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            await load_book(self.connection, self.market, book, now)

    async def journal(self) -> AsyncIterator[tuple[e.Event, int]]:
        """Every event of the market in order, with its instant in µs."""
        async with self.connection.transaction(readonly=True):
            async for row in self.connection.cursor(
                "SELECT event, at FROM market_events WHERE market = $1 ORDER BY position",
                self.market,
                prefetch=LOAD_CHUNK,
            ):
                yield _decode_event(row[0]), row[1]

    async def public_events(self, after: int, limit: int) -> list[tuple[int, str]]:
        """(seq, event as JSON text) of at most `limit` public events after seq `after`."""
        rows = await self.connection.fetch(
            "SELECT feed_seq, public FROM market_events"
            " WHERE market = $1 AND feed_seq > $2 ORDER BY feed_seq LIMIT $3",
            self.market,
            after,
            limit,
        )
        return [(row[0], row[1]) for row in rows]

    async def feed_seq(self) -> int:
        """The newest committed seq, whichever book committed it."""
        seq: int = await self.connection.fetchval(
            "SELECT feed_seq FROM markets WHERE market = $1", self.market
        )
        return seq

    async def ticks(self, after: int, limit: int, newest: int) -> list[Tick]:
        """At most `limit` price ticks journalled after position `after`, of the `newest` ones."""
        rows = await self.connection.fetch(
            "SELECT position, at, reason, lead_ids, prices FROM price_ticks"
            " WHERE market = $1 AND position > greatest($2, (SELECT position FROM price_ticks"
            " WHERE market = $1 ORDER BY position DESC OFFSET $4 LIMIT 1))"
            " ORDER BY position LIMIT $3",
            self.market,
            after,
            limit,
            newest,
        )
        return [Tick(*row) for row in rows]

    # --- upkeep --------------------------------------------------------------------

    async def prune(self, now: int, answers_kept_us: int, batch: int = 5_000) -> bool:
        """Forget answers and past holds whose time is over, a bounded batch a call.

        True if there may be more.
        """
        answers = await self.connection.execute(
            "DELETE FROM commands WHERE ctid = ANY(ARRAY(SELECT ctid FROM commands"
            " WHERE decided_at < $1 AND market = $2 LIMIT $3))",
            now - answers_kept_us,
            self.market,
            batch,
        )
        holds = await self.connection.execute(
            "DELETE FROM past_holds WHERE ctid = ANY(ARRAY(SELECT ctid FROM past_holds"
            " WHERE market = $1 AND forget_at <= $2 LIMIT $3))",
            self.market,
            now,
            batch,
        )
        return f"DELETE {batch}" in (answers, holds)
