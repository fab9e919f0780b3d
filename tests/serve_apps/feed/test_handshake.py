"""Who may open a socket."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from engine.settings import Settings
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.principal import Principal
from serve_apps.api.feed.tickets import Tickets
from tests.serve_apps.feed.world import ask, next_message, serving


async def _refused(served, *arguments, **options) -> tuple[int, dict]:
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(*arguments, **options)
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, json.loads(response.body)


async def test_without_a_valid_token_401(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served:
        for user, path in (("", ""), ("nobody", ""), ("", "?ticket=made-up"), ("", "?ticket=")):
            status, problem = await _refused(served, user, path=path)
            assert status == 401
            assert problem["type"] == "unauthorized"
            assert problem["request_id"]


async def test_a_ticket_opens_one_socket(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served:
        principal = await served.doorman.authenticate(b"Bearer user7")
        ticket = await served.feed.tickets.issue(principal)
        async with served.connect("", path=f"?ticket={ticket}") as socket:
            await ask(socket, op="ping")
            assert await next_message(socket) == {"type": "pong"}
            status, _ = await _refused(served, "", path=f"?ticket={ticket}")
            assert status == 401
            # The ticket's session is the socket's.
            served.doorman.revoked.add("user7")
            await asyncio.wait_for(socket.wait_closed(), 3)
            assert socket.close_code == 4001


async def test_a_ticket_of_a_session_that_ended_opens_nothing(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served:
        principal = await served.doorman.authenticate(b"Bearer user7")
        ticket = await served.feed.tickets.issue(principal)
        served.doorman.revoked.add("user7")
        assert (await _refused(served, "", path=f"?ticket={ticket}"))[0] == 401


async def test_tickets_expire_and_work_without_redis(redis):
    principal = Principal("user1", "family", 12345.5)
    for client in (redis, None):
        tickets = Tickets(client, 1)
        kept, late = await tickets.issue(principal), await tickets.issue(principal)
        assert await tickets.redeem(kept) == principal
        assert await tickets.redeem(kept) is None
        await asyncio.sleep(1.1)
        assert await tickets.redeem(late) is None
        assert await tickets.redeem("x" * 5000) is None


async def test_one_ticket_asked_for_at_once_is_redeemed_once(redis):
    tickets = Tickets(redis, 30)
    ticket = await tickets.issue(Principal("user1", "family", 1.0))
    redeemed = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(20)))
    assert sum(found is not None for found in redeemed) == 1


async def test_pages_of_other_sites_are_refused(pool, redis_url, market):
    trader = await market(1)
    settings = Settings(
        _env_file=None, redis_url=redis_url, feed_origins="https://app.example.com, http://x.test:9"
    )
    async with serving(pool, redis_url, [trader.market], settings=settings) as served:
        for origin in (
            "https://evil.example.com",
            "null",
            "http://127.0.0.1:1",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "file://",
            "http://[",
        ):
            status, problem = await _refused(served, headers={"Origin": origin})
            assert (status, problem["type"]) == (403, "forbidden"), origin
        for origin in (
            f"http://127.0.0.1:{served.port}",
            "https://app.example.com",
            "HTTP://X.test:9",
        ):
            async with served.connect(headers={"Origin": origin}) as socket:
                await ask(socket, op="ping")
                assert await next_message(socket) == {"type": "pong"}


async def test_sockets_are_bounded_per_account_and_in_all(pool, redis_url, market):
    trader = await market(1)
    limits = FeedLimits(sockets_max=3, sockets_per_user_max=2)
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:
        async with served.connect("user1"), served.connect("user1"):
            status, problem = await _refused(served, "user1")
            assert (status, problem["type"]) == (429, "rate-limited")
            async with served.connect("user2"):
                status, problem = await _refused(served, "user3")
                assert (status, problem["type"]) == (503, "unavailable")
        async with served.connect("user1"):
            pass


@pytest.mark.parametrize(
    "request_text",
    [
        "POST /v1/feed HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET /v1/feed HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 12\r\n\r\n",
        "GET /v1/feed HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "".join(f"X-{i}: y\r\n" for i in range(200))
        + "\r\n",
        "GET /v1/feed HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "X: " + "z" * 20_000 + "\r\n\r\n",
        "GET /v1/feed?" + "q" * 12_000 + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n\r\n",
    ],
    ids=["post", "version", "headers", "long-header", "long-path"],
)
async def test_a_broken_handshake_is_answered_and_let_go(pool, redis_url, market, request_text):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(request_text.encode())
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), answer[:200]
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.1)
        assert not served.server.server_state.connections
