"""The design that most teams would build, on the same schema, as the yardstick.

FastAPI under two uvicorn workers with uvloop; a pool of connections; a purchase is one
transaction that locks the lead's row and the wallet's (`SELECT ... FOR UPDATE`). A hold
is a Redis key with a time to live, taken by a script, in a Redis that appends its log
to disk every second: weaker than a committed row, and stated as such.

It does the same per request as the marketplace: token, Idempotency-Key with a stored
answer, validated body. It keeps no journal and publishes no feed, which is in its favour.

    AIQLEADS_DATABASE_URL=... AIQLEADS_REDIS_URL=... AIQLEADS_JWT_SECRET=... \\
        uvicorn benchmarks.baseline.app:app --workers 2 --loop uvloop
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any

import asyncpg
import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

POOL_SIZE = 16
HOLD_SECONDS = 900

# KEYS: the lead's hold hash. ARGV: buyer, price, now, seconds, seats. Expired holds go first.
TAKE_SEAT = """
local held = redis.call('HGETALL', KEYS[1])
local now = tonumber(ARGV[3])
local live = 0
for i = 1, #held, 2 do
  if tonumber(held[i + 1]) <= now then redis.call('HDEL', KEYS[1], held[i])
  elseif held[i] == ARGV[1] then return -1
  else live = live + 1 end
end
if live >= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], now + tonumber(ARGV[4]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(
        os.environ["AIQLEADS_DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE
    )
    app.state.redis = Redis.from_url(os.environ["AIQLEADS_REDIS_URL"])
    app.state.take_seat = app.state.redis.register_script(TAKE_SEAT)
    yield
    await app.state.pool.close()
    await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)


class BuyBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    max_price: int | None = Field(None, ge=0)


class HoldBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lead_id: str = Field(max_length=64)
    hold: str = Field(pattern="^(15m|24h|3d|7d)$")


@lru_cache(maxsize=65_536)
def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(
        token, os.environ["AIQLEADS_JWT_SECRET"], algorithms=["HS256"]
    )
    return decoded


def buyer(authorization: Annotated[str, Header()]) -> str:
    try:
        found = claims(authorization.removeprefix("Bearer "))
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    if found["exp"] <= time.time():
        raise HTTPException(401)
    return str(found["sub"])


Buyer = Annotated[str, Depends(buyer)]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


def key_hash(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()


def body_hash(body: BaseModel) -> bytes:
    canonical = json.dumps(body.model_dump(), sort_keys=True)
    return hashlib.blake2b(canonical.encode(), digest_size=16).digest()


@app.post("/v1/leads/{lead_id}/buy", status_code=201)
async def buy(
    lead_id: Annotated[str, Path(max_length=64)], body: BuyBody, user_id: Buyer, key: Key
) -> Response:
    command_id = key_hash(user_id, "POST", f"/v1/leads/{lead_id}/buy", key)
    async with app.state.pool.acquire() as c, c.transaction():
        fresh = await c.fetchval(
            "INSERT INTO commands (command_id, market, request_hash, answer, decided_at)"
            " VALUES ($1, '', $2, '', 0) ON CONFLICT DO NOTHING RETURNING 1",
            command_id,
            body_hash(body),
        )
        if not fresh:
            return await _repeat(c, command_id, body)
        status, answer = await _decide(c, lead_id, user_id, body)
        await c.execute(
            "UPDATE commands SET answer = $2 WHERE command_id = $1",
            command_id,
            json.dumps([status, answer]).encode(),
        )
        if status == 201:
            contact = await c.fetchrow("SELECT * FROM contacts WHERE lead_id = $1", lead_id)
            answer["orders"][0]["contact"] = dict(contact)
    return Response(json.dumps(answer), status, media_type="application/json")


async def _repeat(c: asyncpg.Connection, command_id: bytes, body: BaseModel) -> Response:
    stored = await c.fetchrow(
        "SELECT request_hash, answer FROM commands WHERE command_id = $1", command_id
    )
    if stored["request_hash"] != body_hash(body):
        raise HTTPException(422, "idempotency-mismatch")
    status, answer = json.loads(stored["answer"])
    return Response(json.dumps(answer), status, media_type="application/json")


async def _decide(
    c: asyncpg.Connection, lead_id: str, user_id: str, body: BuyBody
) -> tuple[int, dict[str, Any]]:
    lead = await c.fetchrow(
        "SELECT market, lead_state, price, max_buyers, sold, held FROM lead_trading"
        " WHERE lead_id = $1 FOR UPDATE",
        lead_id,
    )
    if lead is None:
        return 404, {"type": "not-found"}
    wallet = await c.fetchrow(
        "SELECT w.balance, u.plan FROM wallets w JOIN users u USING (user_id)"
        " WHERE user_id = $1 FOR UPDATE OF w",
        user_id,
    )
    taken = await c.fetch("SELECT seat, user_id FROM seats WHERE lead_id = $1", lead_id)
    if any(seat["user_id"] == user_id for seat in taken):
        return 409, {"type": "already-bought"}
    if lead["lead_state"] != "available":
        return 409, {"type": "lead-unavailable"}
    price = lead["price"]
    if body.max_price is not None and price > body.max_price:
        return 409, {"type": "price-changed"}
    if wallet["balance"] < price:
        return 402, {"type": "insufficient-credits"}
    numbers = {seat["seat"] for seat in taken}
    seat = next(n for n in range(1, lead["max_buyers"] + 1) if n not in numbers)
    order_id, now = secrets.token_urlsafe(12), time.time_ns() // 1000
    await c.execute(
        "INSERT INTO seats (lead_id, seat, market, user_id, max_buyers, price, order_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        lead_id,
        seat,
        lead["market"],
        user_id,
        lead["max_buyers"],
        price,
        order_id,
    )
    await c.execute(
        "INSERT INTO orders (order_id, market, lead_id, user_id, seat, price, bought_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        order_id,
        lead["market"],
        lead_id,
        user_id,
        seat,
        price,
        now,
    )
    await c.execute(
        "INSERT INTO transfers"
        " (transfer_id, debit_account, credit_account, amount, reason, reference)"
        " VALUES ($1, $2, 'house:sales', $3, 'purchase', $4)",
        f"order:{order_id}",
        f"user:{user_id}",
        price,
        order_id,
    )
    await c.execute("UPDATE wallets SET balance = balance - $2 WHERE user_id = $1", user_id, price)
    sold_out = lead["sold"] + 1 == lead["max_buyers"]
    await c.execute(
        "UPDATE lead_trading SET sold = sold + 1, lead_state = $2 WHERE lead_id = $1",
        lead_id,
        "sold" if sold_out else "available",
    )
    order = {"order_id": order_id, "lead_id": lead_id, "price": price, "bought_at": now}
    return 201, {
        "orders": [order],
        "refused": [],
        "total_credits": price,
        "wallet": {"balance": wallet["balance"] - price},
    }


@app.post("/v1/cart/items", status_code=201)
async def hold(body: HoldBody, user_id: Buyer, key: Key) -> Response:
    redis: Redis = app.state.redis
    answer_key = b"idempotency:" + key_hash(user_id, "POST", "/v1/cart/items", key)
    stored = await redis.get(answer_key)
    if stored is not None:
        digest, status, answer = json.loads(stored)
        if digest != body_hash(body).hex():
            raise HTTPException(422, "idempotency-mismatch")
        return Response(answer, status, media_type="application/json")
    lead = await app.state.pool.fetchrow(
        "SELECT t.price, t.max_buyers, t.sold, t.lead_state, u.plan FROM lead_trading t,"
        " users u WHERE t.lead_id = $1 AND u.user_id = $2",
        body.lead_id,
        user_id,
    )
    if lead is None:
        raise HTTPException(404)
    now = int(time.time())
    taken = await app.state.take_seat(
        keys=[f"holds:{body.lead_id}"],
        args=[user_id, lead["price"], now, HOLD_SECONDS, lead["max_buyers"] - lead["sold"]],
    )
    if taken == 1:
        status, found = (
            201,
            {
                "lead_id": body.lead_id,
                "price": lead["price"],
                "hold": body.hold,
                "held_until": now + HOLD_SECONDS,
            },
        )
    else:
        status, found = 409, {"type": "already-held" if taken < 0 else "lead-unavailable"}
    text = json.dumps(found)
    await redis.set(answer_key, json.dumps([body_hash(body).hex(), status, text]), ex=86_400)
    return Response(text, status, media_type="application/json")
