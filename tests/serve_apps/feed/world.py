"""A small market that trades for real in the database, and a feed served on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket as sockets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import uvicorn
import websockets
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from engine.adapters.local.ports import free_port
from engine.adapters.redis import feed_stream
from engine.market.instant import rfc3339
from engine.settings import Settings
from serve_apps.api.feed.feed import Feed, feed_router
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.principal import Principal
from serve_apps.api.feed.protocol import uvicorn_options

STATES = ("available", "held", "sold", "withdrawn", "quarantined")
ON_OFFER = ("available", "held")
THIN = ("lead_id", "lead_state", "price", "max_buyers", "seats_left")
# What a listing states that filters look at, and its column in `leads`.
FACTS = (
    "list_price",
    "living_area",
    "lot_size_square_feet",
    "year_built",
    "bedrooms_total",
    "latitude",
    "longitude",
    "property_type",
    "sources",
)


class Trader:
    """Writes what a book writes: journal, projection and stream, with what is asked left out."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis | None, market: str) -> None:
        self.pool = pool
        self.redis = redis
        self.market = market
        self.seq = 0
        self.position = 0
        self.leads: dict[str, dict[str, Any]] = {}

    async def open(self, leads: int = 0) -> None:
        await self.pool.execute(
            "INSERT INTO markets (market, name, time_zone) VALUES ($1, $1, 'UTC')", self.market
        )
        if leads:
            await self.trade([self.listed(f"{self.market}-{i:06}") for i in range(leads)])

    def listed(self, lead_id: str, price: int = 10, seats: int = 3) -> dict[str, Any]:
        return self.change(lead_id, "lead.listed", "available", price, seats, seats)

    def change(
        self, lead_id: str, kind: str, state: str, price: int, seats: int, left: int, **more: Any
    ) -> dict[str, Any]:
        lead = {
            "lead_id": lead_id,
            "lead_state": state,
            "price": price,
            "max_buyers": seats,
            "seats_left": left,
            **more,
        }
        return {"type": kind, "lead": lead}

    def random_change(self, rng: random.Random) -> dict[str, Any]:
        lead_id = f"{self.market}-r{rng.randrange(40)}"
        old = self.leads.get(lead_id)
        if old is None:
            return self.listed(lead_id, rng.randrange(1, 50), rng.randrange(1, 4))
        state = rng.choice(STATES)
        left = 0 if state in ("held", "sold") else rng.randrange(1, old["max_buyers"] + 1)
        return self.change(
            lead_id, "lead.updated", state, old["price"], old["max_buyers"], left, city="Austin"
        )

    async def trade(self, changes: Sequence[dict[str, Any]], *, publish: bool = True) -> int:
        """Commit the changes as one batch, and publish it. The newest seq."""
        first, at = self.seq + 1, time.time_ns() // 1000
        events = [
            {"seq": first + i, "type": c["type"], "at": rfc3339(at), "lead": c["lead"]}
            for i, c in enumerate(changes)
        ]
        texts = [json.dumps(event, separators=(",", ":")) for event in events]
        for lead in (c["lead"] for c in changes):
            self.leads[lead["lead_id"]] = self.leads.get(lead["lead_id"], {}) | lead
        positions = [self.position + 1 + i for i in range(len(changes))]
        self.seq += len(changes)
        self.position = positions[-1]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.executemany(
                "INSERT INTO market_events (market, position, feed_seq, at, lead_id, event, public)"
                " VALUES ($1, $2, $3, $4, $5, '{}', $6)",
                [
                    (self.market, position, event["seq"], at, event["lead"]["lead_id"], text)
                    for position, event, text in zip(positions, events, texts, strict=True)
                ],
            )
            await connection.executemany(
                "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers, sold)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (lead_id) DO UPDATE"
                " SET lead_state = $3, price = $4, sold = $6",
                [
                    (
                        lead["lead_id"],
                        self.market,
                        lead["lead_state"],
                        lead["price"],
                        lead["max_buyers"],
                        lead["max_buyers"] - lead["seats_left"],
                    )
                    for lead in {c["lead"]["lead_id"]: c["lead"] for c in changes}.values()
                ],
            )
            await self._list(connection, [c["lead"] for c in changes if "sources" in c["lead"]])
            await self._advance(connection)
        if publish and self.redis is not None:
            text = feed_stream.json_array(texts)
            await feed_stream.publish(self.redis, self.market, first, self.seq, text)
        return self.seq

    async def _list(self, connection: asyncpg.Connection, leads: list[dict[str, Any]]) -> None:
        if leads:
            columns = ", ".join(FACTS)
            values = ", ".join(f"${number}" for number in range(3, len(FACTS) + 3))
            changed = ", ".join(f"{name} = excluded.{name}" for name in FACTS)
            await connection.executemany(
                f"INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, {columns})"
                f" VALUES ($1, $2, now(), now(), 0.5, {values})"
                f" ON CONFLICT (lead_id) DO UPDATE SET {changed}",
                [
                    (lead["lead_id"], self.market, *(lead.get(name) for name in FACTS))
                    for lead in leads
                ],
            )

    async def reprice(self, prices: dict[str, int], *, publish: bool = True) -> None:
        at = time.time_ns() // 1000
        self.position += 1
        for lead_id, price in prices.items():
            self.leads[lead_id]["price"] = price
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO price_ticks (market, position, at, reason, lead_ids, prices)"
                " VALUES ($1, $2, $3, 'demand', $4, $5)",
                self.market,
                self.position,
                at,
                list(prices),
                list(prices.values()),
            )
            await connection.executemany(
                "UPDATE lead_trading SET price = $2 WHERE lead_id = $1", list(prices.items())
            )
            await self._advance(connection)
        if publish and self.redis is not None:
            ticks = [{"lead_id": lead_id, "price": price} for lead_id, price in prices.items()]
            await feed_stream.publish_prices(
                self.redis, self.market, self.position, rfc3339(at), "demand", json.dumps(ticks)
            )

    async def _advance(self, connection: asyncpg.Connection) -> None:
        await connection.execute(
            "UPDATE markets SET feed_seq = $2, position = $3 WHERE market = $1",
            self.market,
            self.seq,
            self.position,
        )


class Doorman:
    """An authenticator whose tokens are user ids."""

    def __init__(self) -> None:
        self.expires_at = time.time() + 3600
        self.revoked: set[str] = set()

    async def authenticate(self, authorization: bytes) -> Principal | None:
        scheme, _, user_id = authorization.decode().partition(" ")
        if scheme != "Bearer" or not user_id.startswith("user") or user_id in self.revoked:
            return None
        return Principal(user_id, f"family-{user_id}", self.expires_at)

    async def stands(self, principal: Principal) -> bool:
        return self.is_live(principal)

    def is_live(self, principal: Principal) -> bool:
        return principal.user_id not in self.revoked

    def swept(self) -> None:
        pass


class Served:
    """A feed on a port."""

    def __init__(
        self,
        feed: Feed,
        doorman: Doorman,
        server: uvicorn.Server,
        port: int,
        registry: CollectorRegistry,
    ) -> None:
        self.registry = registry
        self.feed = feed
        self.doorman = doorman
        self.server = server
        self.port = port

    def connect(self, user: str = "user", *, path: str = "", **options: Any) -> connect:
        headers = {**options.pop("headers", {})}
        if user:
            headers["Authorization"] = f"Bearer {user}"
        return connect(
            f"ws://127.0.0.1:{self.port}/v1/feed{path}",
            additional_headers=headers,
            max_size=options.pop("max_size", None),
            **options,
        )


@contextlib.asynccontextmanager
async def serving(
    pool: asyncpg.Pool,
    redis_url: str,
    markets: Sequence[str],
    *,
    limits: FeedLimits | None = None,
    plain: bool = False,
    settings: Settings | None = None,
) -> AsyncIterator[Served]:
    """A served feed; `plain` is a server without our protocol, as behind a foreign ingress."""
    settings = settings or Settings(_env_file=None, redis_url=redis_url)
    redis = Redis.from_url(redis_url) if redis_url else None
    doorman = Doorman()
    registry = CollectorRegistry()
    feed = Feed(
        settings=settings,
        pool=pool,
        redis=redis,
        authenticator=doorman,
        markets=markets,
        registry=registry,
        limits=limits,
    )
    await feed.start()
    app = FastAPI()
    app.include_router(feed_router(feed))
    port = free_port()
    options: dict[str, Any] = {"ws": "websockets-sansio"} if plain else uvicorn_options()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", lifespan="off", **options
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield Served(feed, doorman, server, port, registry)
    finally:
        await feed.stop()
        server.should_exit = True
        await asyncio.wait_for(running, 20)
        if redis is not None:
            await redis.aclose()


async def ask(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def next_message(socket: ClientConnection, seconds: float = 10) -> dict[str, Any]:
    text = await asyncio.wait_for(socket.recv(), seconds)
    message: dict[str, Any] = json.loads(text)
    return message


async def subscribe(
    socket: ClientConnection,
    channel: str,
    since: int | None = None,
    filter: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The acknowledgement."""
    message: dict[str, Any] = {"op": "subscribe", "channel": channel, "ack": True}
    if since is not None:
        message["since"] = since
    if filter is not None:
        message["filter"] = filter
    await ask(socket, **message)
    found = await next_message(socket)
    assert found["type"] == "subscribed", found
    return found


class Replica:
    """What a client knows of a market: the snapshot, and the events after it.

    A filtered one misses numbers, and drops what an event says it no longer matches.
    """

    def __init__(self, *, filtered: bool = False) -> None:
        self.filtered = filtered
        self.seq = -1
        self.leads: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.snapshots = 0
        self._part = 0

    @property
    def states(self) -> dict[str, tuple[Any, ...]]:
        """What is promised to agree: all but the price."""
        return {
            lead["lead_id"]: (lead["lead_state"], lead["max_buyers"], lead["seats_left"])
            for lead in self.leads.values()
        }

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            self._take_part(message)
        elif message["type"] == "events":
            self._take_events(message)

    def _take_part(self, message: dict[str, Any]) -> None:
        if message["part"] == 0:
            self.leads, self.seq, self._part = {}, message["seq"], 0
        assert message["part"] == self._part
        assert message["seq"] == self.seq
        assert len(message["leads"]) <= 1000
        self._part += 1
        self.snapshots += message["last"]
        for lead in message["leads"]:
            assert set(lead) == set(THIN)
            assert lead["lead_state"] in ON_OFFER
            assert lead["lead_id"] not in self.leads
            self.leads[lead["lead_id"]] = lead

    def _take_events(self, message: dict[str, Any]) -> None:
        assert message["from_seq"] == self.seq + 1, "frames must join without gap or repeat"
        self._check_seqs(message)
        self.seq = message["to_seq"]
        self.events += message["events"]
        for event in message["events"]:
            lead = {name: event["lead"][name] for name in THIN}
            if lead["lead_state"] in ON_OFFER and event.get("matches", True):
                self.leads[lead["lead_id"]] = lead
            else:
                self.leads.pop(lead["lead_id"], None)

    def _check_seqs(self, message: dict[str, Any]) -> None:
        first, last = message["from_seq"], message["to_seq"]
        assert last >= first - 1
        seqs = [event["seq"] for event in message["events"]]
        if not self.filtered:
            assert seqs == list(range(first, last + 1))
            assert all("matches" not in event for event in message["events"])
            return
        numbered = [e["seq"] for e in message["events"] if e["type"] != "lead.repriced"]
        assert numbered == sorted(set(numbered))
        assert all(first <= seq <= last for seq in numbered)
        assert seqs == sorted(seqs)

    async def follow(self, socket: ClientConnection, until: int) -> None:
        """Read until the event `until` has come, and a snapshot is whole."""
        while self.seq < until or self.seq < 0 or not (self.snapshots or self.events):
            self.take(await next_message(socket))


def _narrow() -> sockets.socket:
    """A TCP socket whose kernel takes little from a sender it does not read from."""
    connection = sockets.socket()
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8 * 1024)
    return connection


@contextlib.asynccontextmanager
async def slow_reader(served: Served) -> AsyncIterator[ClientConnection]:
    """A client that reads nothing unless asked."""
    raw = _narrow()
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", served.port))
    async with served.connect(sock=raw, max_queue=1, compression=None) as socket:
        yield socket


async def closed_with(socket: ClientConnection, seconds: float = 10) -> int:
    """Read on until the server closes; its code."""
    async with asyncio.timeout(seconds):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something that announces itself to nobody."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
