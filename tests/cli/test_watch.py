"""The watcher against a small server that speaks the feed's frames."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from aiqleads.client import AsyncClient
from serve_apps.cli.watch import WatchRefused, events, line_of, lines

LEAD = {
    "lead_id": "abc",
    "lead_state": "held",
    "price": 31,
    "max_buyers": 3,
    "seats_left": 2,
}
Handler = Callable[[ServerConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def feed(handler: Handler) -> AsyncIterator[str]:
    """A loopback feed; the address to watch it at."""
    server: Server
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


def log_in(request: httpx.Request) -> httpx.Response:
    assert request.url.path == "/v1/auth/login"
    if json.loads(request.content)["password"] != "pw":
        return httpx.Response(401, json={"type": "invalid-credentials"})
    tokens = {"access_token": "a", "refresh_token": "r", "expires_in": 900}
    return httpx.Response(200, json=tokens)


def told(first: int, last: int) -> str:
    return json.dumps(
        {
            "type": "events",
            "channel": "market:austin",
            "from_seq": first,
            "to_seq": last,
            "events": [
                {"seq": n, "type": "lead.held", "at": "2026-01-01T10:20:30Z", "lead": LEAD}
                for n in range(first, last + 1)
            ],
        }
    )


def snapshot(seq: int, last: bool) -> str:
    frame = {"type": "snapshot", "channel": "market:austin", "seq": seq, "part": 0, "last": last}
    return json.dumps({**frame, "leads": [LEAD, {**LEAD, "lead_id": "def"}]})


async def take(
    url: str, count: int, since: int | None = None, password: str = "pw"
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient(transport=httpx.MockTransport(log_in)) as http,
        AsyncClient(
            url, email="a@example.com", password=password, http=http, trust_env=False
        ) as client,
        contextlib.aclosing(events(client, "austin", since)) as stream,
    ):
        async for item in stream:
            items.append(item)
            if len(items) == count:
                break
    return items


async def test_a_cut_feed_goes_on_where_it_ended() -> None:
    asked: list[dict[str, Any]] = []

    async def handler(socket: ServerConnection) -> None:
        request = json.loads(await socket.recv())
        asked.append(request)
        if len(asked) == 1:
            await socket.send(snapshot(7, last=True))
            await socket.send(told(8, 9))
            await socket.close(1012)
        else:
            await socket.send(told(request["since"] + 1, request["since"] + 2))
            await socket.wait_closed()

    async with feed(handler) as url:
        items = await take(url, 6)
    assert [item["seq"] for item in items] == [7, 7, 8, 9, 10, 11]
    assert items[2] == {"kind": "event", **json.loads(told(8, 8))["events"][0]}
    assert "since" not in asked[0]
    assert asked[1]["since"] == 9


async def test_an_unfinished_snapshot_is_asked_for_again() -> None:
    asked: list[dict[str, Any]] = []

    async def handler(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        await socket.send(snapshot(7, last=len(asked) > 1))
        await socket.close()

    async with feed(handler) as url:
        items = await take(url, 2)
    assert all("since" not in request for request in asked)

    async def again() -> AsyncIterator[dict[str, Any]]:
        for item in items:
            yield item

    said = [line async for line in lines(again())]
    assert len(said) == 1, "a snapshot is one line"
    assert " 2 leads" in said[0]


async def test_a_watch_begins_after_a_number() -> None:
    async def handler(socket: ServerConnection) -> None:
        request = json.loads(await socket.recv())
        await socket.send(told(request["since"] + 1, request["since"] + 1))
        await socket.wait_closed()

    async with feed(handler) as url:
        [item] = await take(url, 1, since=40)
    assert item["seq"] == 41


async def test_an_unknown_market_ends_the_watch() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "error", "problem": {"detail": "no such channel"}}))
        await socket.wait_closed()

    async with feed(handler) as url:
        with pytest.raises(WatchRefused, match=r"market:austin.*no such channel"):
            await take(url, 1)


async def test_a_wrong_password_ends_the_watch() -> None:
    async def never(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with feed(never) as url:
        with pytest.raises(WatchRefused, match="can't log in"):
            await take(url, 1, password="wrong")


async def test_a_forbidden_feed_ends_the_watch() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus.FORBIDDEN, json.dumps({"type": "forbidden"}))
        response.headers["Content-Type"] = "application/problem+json"
        return response

    async def never(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(WatchRefused, match="403"):
            await take(url, 1)


def test_a_line_tells_what_happened() -> None:
    line = line_of({"kind": "event", **json.loads(told(8, 8))["events"][0]})
    assert line.startswith("10:20:30 #8")
    for part in ("lead.held", "31 credits", "2/3 seats", "abc"):
        assert part in line
