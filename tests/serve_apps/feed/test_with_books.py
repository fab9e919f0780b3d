"""The feed in a whole replica: real books, real tokens."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from engine.market.commands import Quarantine, Reprice, Withdraw
from tests.serve_apps.api.world import Caller, World, running, world_settings
from tests.serve_apps.feed.world import Replica, ask, closed_with, next_message, subscribe


@pytest.fixture
async def world(database_url: str, redis_url: str):
    async with running(world_settings(database_url, redis_url)) as started:
        yield started


def _connect(world: World, caller: Caller | None = None, ticket: str = "") -> connect:
    headers = {}
    if caller is not None:
        headers["Authorization"] = f"Bearer {caller.tokens['access_token']}"
    query = f"?ticket={ticket}" if ticket else ""
    return connect(
        f"ws://127.0.0.1:{world.replica.port}/v1/feed{query}", additional_headers=headers
    )


async def _next_event(socket: ClientConnection, replica: Replica) -> dict:
    seen = len(replica.events)
    while len(replica.events) == seen:
        replica.take(await next_message(socket))
    return replica.events[seen]


async def test_a_market_is_followed_through_its_trades(world):
    buyer = await world.buyer(credits=1000)
    lead_id = await world.lead(price=20, seats=2)
    async with _connect(world, buyer) as socket:
        await subscribe(socket, "market:austin")
        replica = Replica()
        while not replica.snapshots:
            replica.take(await next_message(socket))
        await world.submit("austin", Reprice((lead_id,), (30,), "demand"))
        assert (await buyer.hold(lead_id)).status_code == 201
        held = await _next_event(socket, replica)
        assert held["type"] == "lead.held"
        assert held["lead"]["seats_left"] == 1
        assert held["lead"]["price"] == 30
        assert buyer.user_id not in str(held)
        assert (await buyer.post("/v1/checkout")).status_code == 201
        assert (await _next_event(socket, replica))["type"] == "lead.sold"
        await world.submit("austin", Quarantine(lead_id, "looks odd"))
        gone = await _next_event(socket, replica)
        assert (gone["type"], gone["lead"]["lead_state"]) == ("lead.quarantined", "quarantined")
        assert lead_id not in replica.leads
    model = world.replica.deps.feed.hub.model("austin")
    assert model.get(lead_id) is None
    assert model.seq == replica.seq


async def test_another_reader_of_prices_and_two_markets(world):
    buyer = await world.buyer()
    austin, dallas = await world.lead(), await world.lead(market="dallas")
    async with _connect(world, buyer) as socket:
        await subscribe(socket, "prices:austin")
        seq = (await subscribe(socket, "prices:dallas"))["seq"]
        await world.submit("dallas", Reprice((dallas,), (44,), "demand"))
        message = await next_message(socket)
        assert message["channel"] == "prices:dallas"
        assert message["seq"] == seq
        assert message["ticks"] == [{"lead_id": dallas, "price": 44, "reason": "demand"}]
        await world.submit("austin", Withdraw(austin, "gone"))


async def test_an_admin_sees_who_reads(world):
    buyer, admin = await world.buyer(), await world.admin()
    async with _connect(world, buyer) as socket:
        await subscribe(socket, "user")
        await subscribe(socket, "market:austin")
        answered = await admin.get("/v1/admin/feed")
        assert answered.status_code == 200, answered.text
        assert answered.json() == {
            "sockets": 1,
            "users": 1,
            "channels": {"market:austin": 1, "user": 1},
            "replicas": 1,
        }
        assert (await buyer.get("/v1/admin/feed")).status_code == 403


async def test_a_ticket_from_the_api_opens_one_socket(world):
    buyer = await world.buyer()
    answered = await buyer.post("/v1/feed/tickets", key=None)
    assert answered.status_code == 201, answered.text
    ticket = answered.json()
    assert 0 < ticket["expires_in"] <= 60
    async with _connect(world, ticket=ticket["ticket"]) as socket:
        await ask(socket, op="ping")
        assert await next_message(socket) == {"type": "pong"}
    with pytest.raises(InvalidStatus) as refused:
        await _connect(world, ticket=ticket["ticket"])
    assert refused.value.response.status_code == 401
    assert (await world.http.post("/v1/feed/tickets")).status_code == 401


async def test_signing_out_closes_the_sockets_of_that_session_only(world):
    buyer = await world.buyer()
    email = (await buyer.get("/v1/me")).json()["email"]
    other = Caller(world.http, buyer.user_id, await world.sign_in(email))
    async with _connect(world, buyer) as ending, _connect(world, other) as staying:
        ticket = (await buyer.post("/v1/feed/tickets", key=None)).json()["ticket"]
        answered: httpx.Response = await world.http.post(
            "/v1/auth/logout", json={"refresh_token": buyer.tokens["refresh_token"]}
        )
        assert answered.status_code == 204, answered.text
        began = time.monotonic()
        assert await closed_with(ending) == 4001
        assert time.monotonic() - began < 2
        with pytest.raises(InvalidStatus):
            await _connect(world, buyer)
        with pytest.raises(InvalidStatus):
            await _connect(world, ticket=ticket)
        await asyncio.sleep(1)
        await ask(staying, op="ping")
        assert await next_message(staying) == {"type": "pong"}


async def test_a_suspended_account_is_closed(world):
    buyer = await world.buyer()
    async with _connect(world, buyer) as socket:
        admin = await world.admin()
        await admin.request(
            "PATCH", f"/v1/admin/users/{buyer.user_id}", json={"status": "suspended"}
        )
        assert await closed_with(socket, 3) == 4001


async def test_a_stopping_replica_closes_with_1012(database_url, redis_url):
    async with running(world_settings(database_url, redis_url)) as world:
        buyer = await world.buyer()
        async with _connect(world, buyer) as socket:
            await subscribe(socket, "market:austin")
            stopping = asyncio.create_task(world.replica.stop())
            assert await closed_with(socket) == 1012
            async with asyncio.timeout(10):
                await stopping
