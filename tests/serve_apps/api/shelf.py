"""Rows as a book writes them, in a market whose book is not running: a past made up by hand."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.listing_rows import INSERT_LEADS, listing_columns
from engine.market import events as e
from engine.market.instant import to_datetime
from engine.market.listing import Listing
from engine.market.standing_terms import StandingTerms
from tests.serve_apps.api.world import World

MARKET = "phoenix"
_encode = msgspec.json.Encoder().encode
_numbers = itertools.count(1)


class Shelf:
    """Writes leads, standing orders and journal of one market; instants in µs."""

    def __init__(self, world: World) -> None:
        assert world.replica.deps is not None
        self.pool: asyncpg.Pool = world.replica.deps.pool

    async def journal(self, event: e.Event, at: int, **public: Any) -> int:
        """Write one event; `public` is what its public form says of the lead."""
        position = next(_numbers)
        await self.pool.execute(
            "INSERT INTO market_events (market, position, at, lead_id, event, public)"
            " VALUES ($1, $2, $3, $4, $5, $6::text::json)",
            MARKET,
            position,
            at,
            event.lead_id,
            msgspec.json.decode(_encode(event)),
            _encode({"type": "lead.listed", "lead": public}).decode() if public else None,
        )
        return position

    async def lead(
        self,
        at: int,
        *,
        price: int = 10,
        seats: int = 1,
        listing: Listing | None = None,
        decide_at: int = 0,
        commitment: str = "",
    ) -> str:
        """A lead listed at `at`, as it is until something else is written of it."""
        lead_id = f"shelf-{secrets.token_hex(6)}"
        listing = listing or Listing()
        await self.pool.execute(
            INSERT_LEADS, MARKET, to_datetime(at), *listing_columns({lead_id: listing})
        )
        await self.pool.execute(
            "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
            " VALUES ($1, $2, 'available', $3, $4)",
            lead_id,
            MARKET,
            price,
            seats,
        )
        listed = e.LeadListed(lead_id, price, seats, listing, decide_at, commitment)
        await self.journal(listed, at, price=price)
        return lead_id

    async def tick(self, prices: dict[str, int], at: int) -> None:
        """New prices, as a tick and as the leads' own."""
        tick = e.LeadsRepriced(next(iter(prices)), tuple(prices), tuple(prices.values()), "test")
        position = await self.journal(tick, at)
        await self.pool.execute(
            "INSERT INTO price_ticks (market, position, at, reason, lead_ids, prices)"
            " VALUES ($1, $2, $3, 'test', $4, $5)",
            MARKET,
            position,
            at,
            list(prices),
            list(prices.values()),
        )

    async def standing(
        self, user_id: str, terms: StandingTerms, at: int, *, cancelled_at: int | None = None
    ) -> str:
        """A standing order placed at `at`."""
        standing_order_id = f"standing-{next(_numbers)}"
        await self.pool.execute(
            "INSERT INTO standing_orders (standing_order_id, market, user_id, terms, revision,"
            " placed_at, changed_at, cancelled_at) VALUES ($1, $2, $3, $4, 1, $5, $5, $6)",
            standing_order_id,
            MARKET,
            user_id,
            msgspec.to_builtins(terms),
            at,
            cancelled_at,
        )
        await self.journal(e.StandingPlaced(standing_order_id, user_id, terms), at)
        return standing_order_id

    async def change(self, standing_order_id: str, terms: StandingTerms, at: int) -> None:
        await self.pool.execute(
            "UPDATE standing_orders SET terms = $2, revision = revision + 1, changed_at = $3"
            " WHERE standing_order_id = $1",
            standing_order_id,
            msgspec.to_builtins(terms),
            at,
        )
        await self.journal(e.StandingChanged(standing_order_id, terms), at)

    async def sell(
        self, lead_id: str, user_id: str, price: int, at: int, standing_order_id: str | None = None
    ) -> str:
        """A purchase of the lead's first seat, with its order and the credits it moved."""
        order_id = f"order-{next(_numbers)}"
        await self.pool.execute(
            "INSERT INTO orders (order_id, market, lead_id, user_id, seat, price, bought_at,"
            " standing_order_id) VALUES ($1, $2, $3, $4, 1, $5, $6, $7)",
            order_id,
            MARKET,
            lead_id,
            user_id,
            price,
            at,
            standing_order_id,
        )
        await self.pool.execute(
            "UPDATE standing_orders SET bought = bought + 1, spent = spent + $2"
            " WHERE standing_order_id = $1",
            standing_order_id,
            price,
        )
        await self.journal(e.LeadSold(lead_id, user_id, 1, price, order_id, standing_order_id), at)
        return order_id

    async def contest(self, decided: e.ClaimsDecided, at: int) -> None:
        """A contest, with its rows and its place in the journal."""
        await self.journal(decided, at)
        await self.pool.execute(
            "INSERT INTO claim_rounds (lead_id, round, market, seats, seed, next_commitment,"
            " decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            decided.lead_id,
            decided.round,
            MARKET,
            decided.seats,
            decided.seed,
            decided.next_commitment,
            at,
        )
        await self.pool.executemany(
            "INSERT INTO claims (lead_id, round, rank, market, claim_id, user_id, kind, priority,"
            " wins, draw, result, standing_order_id, decided_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            [
                (
                    *(decided.lead_id, decided.round, rank, MARKET, entry.claim_id),
                    *(entry.user_id, entry.kind, entry.priority, entry.wins, entry.draw),
                    *(entry.result, entry.standing_order_id, at),
                )
                for rank, entry in enumerate(decided.entries, start=1)
            ],
        )
