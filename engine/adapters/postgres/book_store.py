"""The durable side of one market's book: what a flush reads and writes, set-based.

Every method but `take_over` runs inside the flush's transaction, after `fence`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.listing_rows import INSERT_LEADS, UPDATE_LEADS, listing_columns
from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser
from engine.adapters.postgres.trade_statement import JournalRow, trade_statement, trading_columns
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Contact
from engine.market.batch import Outcome, StoredAnswer
from engine.market.book import Book
from engine.market.instant import to_datetime
from engine.market.lead import Lead, PastHold, Seat
from engine.market.listing import Listing
from engine.market.plan import Plan

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

# Looked up pair by pair. As a join it is planned once, while the table is empty, as a walk
# through all of the table for all pairs (measured: 3.5 s for 2,000 pairs a minute later).
_DELETE_PAIRS = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT t.ctid"
    " FROM unnest($1::text[], $2::text[]) u(lead_id, user_id),"
    " LATERAL (SELECT ctid FROM {table} t WHERE t.lead_id = u.lead_id AND t.user_id = u.user_id"
    " LIMIT 1) t))"
)

_encode_event = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_decode_event = msgspec.json.Decoder(e.Event).decode


class Fenced(Exception):
    """Another book owns the market: this one must stop and never write again."""


class Takeover(NamedTuple):
    """Where a starting book goes on: its epoch and the ends of journal and feed. `at` in µs."""

    epoch: int
    position: int
    feed_seq: int
    at: int


class Tick(NamedTuple):
    """One repricing as stored; `at` in µs, `prices` in step with `lead_ids`."""

    position: int
    at: int
    reason: str
    lead_ids: list[str]
    prices: list[int]


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
            "UPDATE markets SET epoch = epoch + 1 WHERE market = $1"
            " RETURNING epoch, position, feed_seq, journal_at",
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
            "SELECT epoch, position, feed_seq, journal_at FROM markets WHERE market = $1"
            " FOR NO KEY UPDATE",
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
        """The active accounts among `user_ids`, their wallets locked until the flush ends.

        `live_holds` are those of the other markets: the book knows its own. They are read
        by a statement of their own, after the locks: a snapshot taken before them could
        miss another market's hold.
        """
        rows = await self.connection.fetch(
            "SELECT w.user_id, w.balance, u.plan FROM wallets w JOIN users u USING (user_id)"
            " WHERE w.user_id = ANY($1) AND u.status = 'active'"
            " ORDER BY w.user_id FOR NO KEY UPDATE OF w",
            user_ids,
        )
        accounts = {
            row[0]: Account(row[0], row[1], plans.get(row[2], plans["basic"])) for row in rows
        }
        if count_holds and accounts:
            counted = await self.connection.fetch(
                "SELECT user_id, sum(live_holds)::int8 FROM hold_counts"
                " WHERE user_id = ANY($1) AND market <> $2 GROUP BY user_id",
                list(accounts),
                self.market,
            )
            for user_id, holds in counted:
                accounts[user_id].live_holds = holds
        return accounts

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
        at: int,
    ) -> None:
        """New leads, with their rows for trading, and what is newly said of known ones."""
        if listed:
            await self.connection.execute(
                INSERT_LEADS, self.market, to_datetime(at), *listing_columns(listed)
            )
            await self.connection.execute(
                "INSERT INTO lead_trading"
                " (lead_id, market, lead_state, price, max_buyers, sold, held)"
                " SELECT u.lead_id, $1, u.lead_state, u.price, u.max_buyers, u.sold, u.held"
                " FROM unnest($2::text[], $3::text[], $4::int8[], $5::int4[], $6::int4[],"
                " $7::int4[]) u(lead_id, lead_state, price, max_buyers, sold, held)",
                self.market,
                *trading_columns({lead_id: leads[lead_id] for lead_id in listed}),
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
            _DELETE_PAIRS.format(table="seats"),
            [lead_id for lead_id, _ in pairs],
            [user_id for _, user_id in pairs],
        )

    async def write_past_holds(
        self, pairs: Iterable[tuple[str, str]], leads: Mapping[str, Lead]
    ) -> None:
        """Bring what is remembered of (lead, buyer) `pairs` to what `leads` say."""
        pairs = list(pairs)
        await self.connection.execute(
            _DELETE_PAIRS.format(table="past_holds"),
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

    async def write_ticks(self, ticks: Sequence[tuple[int, e.LeadsRepriced]], at: int) -> None:
        await self.connection.executemany(
            "INSERT INTO price_ticks (market, position, at, reason, lead_ids, prices)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (self.market, position, at, tick.reason, tick.lead_ids, tick.prices)
                for position, tick in ticks
            ],
        )

    async def write(
        self,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        leads: Mapping[str, Lead],
        holds_of: Mapping[str, int],
        *,
        epoch: int,
        at: int,
    ) -> dict[str, Contact]:
        """Write everything a batch of trades came to; the contacts of the leads bought."""
        statement = trade_statement(self.market, outcome, rows, leads, holds_of, epoch=epoch, at=at)
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
            leads = await self.connection.fetch(
                "SELECT lead_id, price, max_buyers, lead_state, sold, held"
                " FROM lead_trading WHERE market = $1",
                self.market,
            )
            for lead_id, price, max_buyers, state, sold, held in leads:
                book.load_lead(lead_id, Lead(price, max_buyers, state, sold, held))
            del leads
            for row in await self.connection.fetch(
                "SELECT lead_id, user_id, seat, price, hold, first_held_at, held_at, held_until,"
                " forget_after, order_id FROM seats WHERE market = $1",
                self.market,
            ):
                book.load_seat(
                    row[0],
                    row[1],
                    Seat(
                        row[2],
                        row[3],
                        hold=row[4],
                        first_held_at=row[5] or 0,
                        held_at=row[6] or 0,
                        held_until=row[7] or 0,
                        forget_after=row[8] or 0,
                        order_id=row[9],
                    ),
                )
            for lead_id, merged_into in await self.connection.fetch(
                "SELECT lead_id, merged_into FROM leads"
                " WHERE market = $1 AND merged_into IS NOT NULL",
                self.market,
            ):
                book.load_merge(lead_id, merged_into)
            for lead_id, user_id, first_held_at, because, forget_at in await self.connection.fetch(
                "SELECT lead_id, user_id, first_held_at, ended_because, forget_at"
                " FROM past_holds WHERE market = $1 AND forget_at > $2",
                self.market,
                now,
            ):
                book.load_past(lead_id, user_id, PastHold(first_held_at, because, forget_at))

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
