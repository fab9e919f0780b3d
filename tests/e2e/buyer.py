"""People who use the market over HTTP: each signed in, each with requests of their own.

What they do along the way they do by the client, as any program would. What a test is about,
a status, a header, a body as it is on the wire, they ask for in the raw.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import Any

import httpx
import msgspec

from aiqleads.client import AsyncClient
from aiqleads.client.answers.accounts import Tokens
from tests.e2e.own_installation import OwnInstallation

# The overview of markets may be a second old.
OVERVIEW_LAG_SECONDS = 1.2
PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


class Buyer:
    """Somebody signed in. `client` is theirs; the other methods return answers as they are."""

    def __init__(
        self, http: httpx.AsyncClient, user_id: str, email: str, tokens: dict[str, Any]
    ) -> None:
        self._http = http
        self.user_id = user_id
        self.email = email
        self.access_token: str = tokens["access_token"]
        self.refresh_token: str = tokens["refresh_token"]
        # A test's tokens are not to change under its hands: they are taken to live long.
        kept = Tokens(
            access_token=self.access_token, refresh_token=self.refresh_token, expires_in=3600
        )
        self.client = client_of(http, tokens=kept)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    async def ask(
        self, method: str, path: str, *, key: str | None = None, **request: Any
    ) -> httpx.Response:
        headers = self.headers if key is None else {**self.headers, "Idempotency-Key": key}
        return await self._http.request(method, path, headers=headers, **request)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.ask("GET", path, params=params)

    async def read(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def hold(self, lead_id: str, term: str = "15m") -> httpx.Response:
        return await self.ask("POST", "/v1/cart/items", json={"lead_id": lead_id, "hold": term})

    async def buy(self, lead_id: str, *, key: str | None = None) -> httpx.Response:
        return await self.ask("POST", f"/v1/leads/{lead_id}/buy", key=key or new_key(), json={})

    async def checkout(self, *, key: str | None = None, **body: Any) -> httpx.Response:
        return await self.ask("POST", "/v1/checkout", key=key or new_key(), json=body)

    async def balance(self) -> int:
        return (await self.client.wallet()).balance

    async def seq(self, market: str) -> int:
        """The newest feed number, nothing younger than this call missing."""
        await asyncio.sleep(OVERVIEW_LAG_SECONDS)
        return (await self.client.market(market)).seq

    async def everything(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.read(path, limit=200, **params, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}


class People:
    """Makes buyers of one installation, and gives them credits and plans."""

    def __init__(self, installation: OwnInstallation, http: httpx.AsyncClient) -> None:
        self.installation = installation
        self.http = http
        self._admin: Buyer | None = None

    async def register(self, name: str = "Ada Buyer", **more: Any) -> tuple[str, str]:
        """(user id, e-mail) of a new account."""
        email = f"buyer{next(_numbers)}.{secrets.token_hex(4)}@e2e.example"
        account = await client_of(self.http).register(email, PASSWORD, name, **more)
        return account.user_id, email

    async def sign_in(self, user_id: str, email: str, password: str = PASSWORD) -> Buyer:
        kept: list[Tokens | None] = []
        await client_of(self.http, on_tokens=kept.append).login(email, password)
        return Buyer(self.http, user_id, email, msgspec.to_builtins(kept[-1]))

    async def buyer(self, *, credits: int = 0, plan: str | None = None) -> Buyer:
        """A new buyer, signed in, with so many credits more than everyone gets."""
        buyer = await self.sign_in(*await self.register())
        if credits:
            await self.grant(buyer, credits)
        if plan is not None:
            await self.change(buyer, plan=plan)
        return buyer

    async def admin(self) -> Buyer:
        if self._admin is None:
            place = self.installation
            self._admin = await self.sign_in("", place.admin_email, place.admin_password)
        return self._admin

    async def grant(self, buyer: Buyer, credits: int) -> None:
        admin = await self.admin()
        path = f"/v1/admin/wallets/{buyer.user_id}/grants"
        answer = await admin.ask(
            "POST", path, key=new_key(), json={"credits": credits, "reason": "e2e"}
        )
        assert answer.status_code == 201, answer.text

    async def change(self, buyer: Buyer, **patch: Any) -> None:
        admin = await self.admin()
        answer = await admin.ask("PATCH", f"/v1/admin/users/{buyer.user_id}", json=patch)
        assert answer.status_code == 200, answer.text


def client_of(http: httpx.AsyncClient, **options: Any) -> AsyncClient:
    """A client over shared connections: there is nothing of it to close."""
    return AsyncClient(str(http.base_url), http=http, trust_env=False, **options)


def new_key() -> str:
    return secrets.token_urlsafe(12)


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document, which must be of this status and type and whole."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == slug, problem
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    return problem
