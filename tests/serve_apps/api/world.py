"""The API on a real port over real books, and buyers who speak HTTP to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx

from actors.client import MarketClient
from actors.desks import DeskUnavailable
from actors.intake_desk import IntakeDesk
from actors.intake_turn import Split
from actors.lead_book import LeadBook
from actors.models import Recommends
from engine.adapters.postgres.accounts import ensure_admin
from engine.adapters.postgres.fraud_scores import Word
from engine.market.commands import Command, ListLead
from engine.market.listing import Listing
from engine.market.plan import load_plans
from engine.market.rules import SECOND_US
from engine.market_directory import load_markets
from engine.settings import Settings
from serve_apps.api.server import ApiReplica

PASSWORD = "correct horse battery"
CANARY = "canary-7f3a"
ADMIN_EMAIL = "admin@example.com"

_numbers = itertools.count(1)


class Caller:
    """An HTTP client with an account's token."""

    def __init__(self, http: httpx.AsyncClient, user_id: str, tokens: dict[str, Any]) -> None:
        self.http = http
        self.user_id = user_id
        self.tokens = tokens

    async def request(
        self, method: str, path: str, key: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens['access_token']}"}
        if key is not None:
            headers["idempotency-key"] = key
        headers |= options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Any = None, key: str | None = "new") -> httpx.Response:
        """With a fresh Idempotency-Key unless one is named."""
        chosen = secrets.token_hex(8) if key == "new" else key
        if body is None:
            return await self.request("POST", path, chosen)
        return await self.request("POST", path, chosen, json=body)

    async def hold(self, lead_id: str, term: str = "15m") -> httpx.Response:
        return await self.post("/v1/cart/items", {"lead_id": lead_id, "hold": term})

    async def buy(self, lead_id: str, key: str | None = "new", **body: Any) -> httpx.Response:
        return await self.post(f"/v1/leads/{lead_id}/buy", body or None, key)

    async def balance(self) -> int:
        return int((await self.get("/v1/wallet")).json()["balance"])


class World:
    """One replica over one book per market."""

    def __init__(self, settings: Settings, recommends: Recommends | None = None) -> None:
        self.settings = settings
        self.books: dict[str, LeadBook] = {}
        # Empty: a test that needs a desk starts one.
        self.desks: dict[str, IntakeDesk] = {}
        self.client = MarketClient(self.transport)
        self.replica = ApiReplica(
            settings,
            transport=self.transport,
            undo_merge=self.undo_merge,
            decide_lead=self.decide_lead,
            recommends=recommends,
            port=0,
            farewell_seconds=0.2,
        )
        self.http = httpx.AsyncClient(timeout=15)
        self._admin: Caller | None = None

    async def transport(self, market: str, payload: bytes) -> bytes:
        return await self.books[market].submit(payload)

    async def submit(self, market: str, command: Command) -> None:
        await self.client.submit(market, command)

    async def undo_merge(self, market: str, merge_id: str, by: str) -> Split | None:
        if market not in self.desks:
            raise DeskUnavailable(f"the {market} desk does not answer")
        return await self.desks[market].undo_merge(merge_id, by)

    async def decide_lead(self, market: str, lead_id: str, word: Word) -> bool:
        if market not in self.desks:
            raise DeskUnavailable(f"the {market} desk does not answer")
        return await self.desks[market].decide(lead_id, word)

    async def start(self) -> None:
        plans = load_plans(self.settings.plans_file)
        connection = await asyncpg.connect(self.settings.database_url)
        for market in load_markets(self.settings.markets_file).values():
            await connection.execute(
                "INSERT INTO markets (market, name, time_zone) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING",
                market.slug,
                market.name,
                market.time_zone,
            )
        await connection.close()
        for market in ("austin", "dallas"):
            book = LeadBook(
                market,
                self.settings.database_url,
                self.settings.redis_url,
                plans,
                claim_window_us=self.settings.claim_window_ms * 1000,
                offer_us=self.settings.offer_seconds * SECOND_US,
            )
            await book.start()
            self.books[market] = book
        await self.replica.start()
        self.http.base_url = httpx.URL(f"http://127.0.0.1:{self.replica.port}")

    async def stop(self) -> None:
        await self.http.aclose()
        await self.replica.stop()
        for book in self.books.values():
            await book.stop()

    async def lead(
        self,
        *,
        market: str = "austin",
        price: int = 10,
        seats: int = 1,
        listing: Listing | None = None,
    ) -> str:
        """A lead on offer whose contact is full of canaries."""
        lead_id = f"lead-{next(_numbers)}-{secrets.token_hex(4)}"
        assert self.replica.deps is not None
        await self.replica.deps.pool.execute(
            "INSERT INTO contacts (lead_id, name, phone, email, unparsed_address, latitude,"
            " longitude, source_url) VALUES ($1, $2, $2, $2, $2, 30.123456, -97.654321, $2)",
            lead_id,
            CANARY,
        )
        await self.submit(market, ListLead(lead_id, price, seats, listing or Listing()))
        return lead_id

    async def register(self, **more: Any) -> httpx.Response:
        form = {
            "email": f"buyer{next(_numbers)}-{secrets.token_hex(4)}@example.com",
            "password": PASSWORD,
            "full_name": "Bo Yer",
        } | more
        return await self.http.post("/v1/auth/register", json=form)

    async def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        answered = await self.http.post(
            "/v1/auth/login", json={"email": email, "password": password}
        )
        assert answered.status_code == 200, answered.text
        tokens: dict[str, Any] = answered.json()
        return tokens

    async def buyer(self, credits: int = 0, plan: str = "basic") -> Caller:
        account = (await self.register()).json()
        caller = Caller(self.http, account["user_id"], await self.sign_in(account["email"]))
        if credits:
            await self.grant(caller.user_id, credits)
        if plan != "basic":
            admin = await self.admin()
            answered = await admin.request(
                "PATCH", f"/v1/admin/users/{caller.user_id}", json={"plan": plan}
            )
            assert answered.status_code == 200, answered.text
        return caller

    async def grant(self, user_id: str, credits: int) -> httpx.Response:
        admin = await self.admin()
        answered = await admin.post(
            f"/v1/admin/wallets/{user_id}/grants", {"credits": credits, "reason": "test"}
        )
        assert answered.status_code == 201, answered.text
        return answered

    async def admin(self) -> Caller:
        if self._admin is None:
            user_id = await ensure_admin(self.settings.database_url, ADMIN_EMAIL, PASSWORD)
            self._admin = Caller(self.http, user_id, await self.sign_in(ADMIN_EMAIL))
        return self._admin


def world_settings(database_url: str, redis_url: str, **more: Any) -> Settings:
    """Settings that no environment changes; unlimited, without welcome credits, and with
    claims decided as they come."""
    given: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "jwt_secret": "test-" + "s" * 40,
        "rate_limit_basic": 0,
        "rate_limit_pro": 0,
        "rate_limit_enterprise": 0,
        "rate_limit_anonymous": 0,
        "welcome_credits": 0,
        "claim_window_ms": 0,
    }
    return Settings(_env_file=None, **(given | more))


@contextlib.asynccontextmanager
async def running(settings: Settings, recommends: Recommends | None = None) -> AsyncIterator[World]:
    world = World(settings, recommends)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


async def eventually(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Wait until `holds()`; raises TimeoutError if it does not in time."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def assert_problem(answered: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The answer is a problem of the contract's shape."""
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answered.json()
    assert problem["type"] == slug, problem
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answered.headers["x-request-id"]
    return problem
