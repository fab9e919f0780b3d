"""The watcher against a small server that speaks the feed's frames."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from serve_apps.cli.watch import FeedWatcher, WatchRefused, line_of, lines

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


def watcher(url: str, since: int | None = None) -> FeedWatcher:
    found = FeedWatcher(url, "a@example.com", "pw", "austin", since, random.Random(1))

    async def log_in() -> str:
        return "token"

    found._log_in = log_in  # type: ignore[method-assign]
    return found


def events(first: int, last: int) -> str:
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


async def take(found: FeedWatcher, count: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    async with contextlib.aclosing(found.events()) as stream:
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
            leads = {"type": "snapshot", "seq": 7, "part": 0, "last": True, "leads": [LEAD]}
            await socket.send(json.dumps(leads))
            await socket.send(events(8, 9))
            await socket.close(1012)
        else:
            await socket.send(events(request["since"] + 1, request["since"] + 2))
            await socket.wait_closed()

    async with feed(handler) as url, asyncio.timeout(20):
        items = await take(watcher(url), 5)
    assert [item["seq"] for item in items] == [7, 8, 9, 10, 11]
    assert "since" not in asked[0]
    assert asked[1]["since"] == 9


async def test_an_unfinished_snapshot_is_asked_for_again() -> None:
    asked: list[dict[str, Any]] = []

    async def handler(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        last = len(asked) > 1
        frame = {"type": "snapshot", "seq": 7, "part": 0, "last": last, "leads": [LEAD]}
        await socket.send(json.dumps(frame))
        await socket.close()

    async with feed(handler) as url, asyncio.timeout(20):
        items = await take(watcher(url), 2)
    assert all("since" not in request for request in asked)

    async def again() -> AsyncIterator[dict[str, Any]]:
        for item in items:
            yield item

    said = [line async for line in lines(again())]
    assert len(said) == 1, "a snapshot is one line"
    assert " 1 leads" in said[0]


async def test_an_unknown_market_ends_the_watch() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "error", "problem": {"detail": "no such channel"}}))
        await socket.wait_closed()

    async with feed(handler) as url, asyncio.timeout(20):
        with pytest.raises(WatchRefused, match="no such channel"):
            await take(watcher(url), 1)


async def test_a_forbidden_feed_ends_the_watch() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    async def never(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(20):
            with pytest.raises(WatchRefused, match="403"):
                await take(watcher(url), 1)


def test_a_line_tells_what_happened() -> None:
    line = line_of({"kind": "event", **json.loads(events(8, 8))["events"][0]})
    assert line.startswith("10:20:30 #8")
    for part in ("lead.held", "31 credits", "2/3 seats", "abc"):
        assert part in line
