"""Carts over a real database and Redis: seats written by hand, shards, and what was told."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from actors.cart_shard import CartShard
from engine.adapters.redis import user_stream
from engine.market.buyer_events import BuyerEvent
from engine.market.instant import rfc3339
from tests.actors.trading_house import TradingHouse

SECOND = 1_000_000
MINUTE = 60 * SECOND


def now_us() -> int:
    return time.time_ns() // 1000


class CartStand:
    """One market's buyers, holds, shards; `said` is what came through the stream."""

    def __init__(self, house: TradingHouse) -> None:
        self.house = house
        self.shards: list[CartShard] = []
        self.said: list[BuyerEvent] = []

    async def shard(self, index: int = 0, count: int = 1, **options: Any) -> CartShard:
        shard = CartShard(
            index,
            count,
            options.pop("database_url", self.house.database_url),
            options.pop("redis_url", self.house.redis_url),
            (10, 1),
            **options,
        )
        await shard.start()
        self.shards.append(shard)
        return shard

    async def hold(
        self,
        user_id: str,
        left_us: int,
        *,
        held_us: int = 5 * MINUTE,
        is_offer: bool = False,
        lead_id: str = "",
    ) -> tuple[str, int]:
        """A seat that was taken `held_us` ago, with `left_us` to go: (lead, held_until)."""
        lead_id = lead_id or f"lead-{secrets.token_hex(6)}"
        now = now_us()
        await self.house.pool.execute(
            "INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, sources, city,"
            " property_sub_type) VALUES ($1, $2, now(), now(), 0.5, '{zillow}', 'Austin',"
            " 'Condominium') ON CONFLICT DO NOTHING",
            lead_id,
            self.house.market,
        )
        await self.house.pool.execute(
            "INSERT INTO seats (lead_id, seat, market, user_id, max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after, is_offer)"
            " VALUES ($1, 1, $2, $3, 1, 25, $4, $5, $5, $6, 0, $7)",
            lead_id,
            self.house.market,
            user_id,
            None if is_offer else "15m",
            now - held_us,
            now + left_us,
            is_offer,
        )
        return lead_id, now + left_us

    async def say(self, user_id: str, type_: str, lead_id: str, **more: Any) -> None:
        """Publish what the book would say."""
        body = {"market": self.house.market, "lead_id": lead_id, **more}
        async with self.house.redis() as client:
            await user_stream.publish(client, [BuyerEvent(user_id, type_, body)])  # type: ignore[arg-type]

    async def say_held(self, user_id: str, lead_id: str, held_until: int) -> None:
        await self.say(
            user_id,
            "hold.started",
            lead_id,
            price=25,
            hold="15m",
            held_until=rfc3339(held_until),
        )

    async def told(self, user_id: str) -> list[asyncpg.Record]:
        """The buyer's notifications, oldest first."""
        return await self.house.pool.fetch(
            "SELECT * FROM notifications WHERE user_id = $1 ORDER BY created_at, key", user_id
        )

    async def keys(self, user_id: str) -> list[str]:
        return [row["key"] for row in await self.told(user_id)]

    def heard(self, user_id: str, type_: str) -> list[dict[str, Any]]:
        return [e.body for e in self.said if e.user_id == user_id and e.type == type_]


@asynccontextmanager
async def cart_stand(house: TradingHouse) -> AsyncIterator[CartStand]:
    stand = CartStand(house)
    listening = asyncio.Event()
    hearing = asyncio.create_task(
        user_stream.follow(house.redis_url, stand.said.extend, listening.set)
    )
    try:
        await listening.wait()
        yield stand
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        for shard in stand.shards:
            await shard.stop()
