"""A feed on loopback that does with each socket what the script says, and frames to send."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

MARKET = "market:austin"


def lead(lead_id: str, state: str = "available", price: int = 10, left: int = 2) -> dict[str, Any]:
    return {
        "lead_id": lead_id,
        "lead_state": state,
        "price": price,
        "max_buyers": 3,
        "seats_left": left,
    }


def teaser(lead_id: str, **more: Any) -> dict[str, Any]:
    return {
        **lead(lead_id),
        "market": "austin",
        "quality": 0.5,
        "fraud_flag": False,
        "sources": ["fsbo"],
        "listed_at": "2026-05-01T12:00:00Z",
        "city": "Austin",
        **more,
    }


def snapshot(
    seq: int, leads: Iterable[dict[str, Any]], part: int = 0, last: bool = True
) -> dict[str, Any]:
    return {
        "type": "snapshot",
        "channel": MARKET,
        "seq": seq,
        "part": part,
        "last": last,
        "leads": list(leads),
    }


def event(seq: int, about: dict[str, Any], kind: str = "lead.held", **more: Any) -> dict[str, Any]:
    return {"seq": seq, "type": kind, "at": "2026-05-01T12:00:00.25Z", "lead": about, **more}


def events(first: int, *about: dict[str, Any], to: int | None = None) -> dict[str, Any]:
    """Events about these leads, numbered from `first`."""
    told = [event(first + number, each) for number, each in enumerate(about)]
    last = first + len(about) - 1 if to is None else to
    return {"type": "events", "channel": MARKET, "from_seq": first, "to_seq": last, "events": told}


def prices(seq: int, **to: int) -> dict[str, Any]:
    ticks = [
        {"lead_id": lead_id, "price": price, "reason": "demand"} for lead_id, price in to.items()
    ]
    return {
        "type": "prices",
        "channel": "prices:austin",
        "seq": seq,
        "at": "2026-05-01T12:00:00Z",
        "ticks": ticks,
    }


def error(slug: str, channel: str | None = MARKET, status: int = 503) -> dict[str, Any]:
    problem = {"type": slug, "title": slug, "status": status, "detail": f"no {slug}"}
    found: dict[str, Any] = {"type": "error", "problem": problem}
    return found if channel is None else {**found, "channel": channel}


class Socket:
    """One socket of a reader, as the server has it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        assert connection.request is not None
        self.token = connection.request.headers.get("Authorization", "").removeprefix("Bearer ")

    async def asked(self) -> dict[str, Any]:
        """The next message of the reader."""
        async with asyncio.timeout(10):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def send(self, *frames: dict[str, Any] | str | bytes) -> None:
        for frame in frames:
            await self.connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def close(self, code: int) -> None:
        await self.connection.close(code, "because")

    def drop(self) -> None:
        self.connection.transport.abort()

    async def stay(self) -> None:
        await self.connection.wait_closed()


Act = Callable[[Socket], Awaitable[None]]
# What a handshake is refused with: status, headers, body.
Refusal = tuple[int, dict[str, str], bytes]


class Stage:
    """Plays an act for each socket in turn; a Refusal stands for a handshake refused."""

    def __init__(self, acts: Iterable[Act | Refusal]) -> None:
        self.acts = list(acts)
        self.tokens: list[str] = []
        self.url = ""
        self.errors: list[BaseException] = []

    def begin(self, connection: ServerConnection, request: Request) -> Response | None:
        self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if not self.acts or not isinstance(self.acts[0], tuple):
            return None
        status, headers, body = self.acts.pop(0)  # type: ignore[misc]
        response = connection.respond(HTTPStatus(status), "")
        for name, value in headers.items():
            response.headers[name] = value
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(body))
        response.body = body
        return response

    async def play(self, connection: ServerConnection) -> None:
        act = self.acts.pop(0)
        assert callable(act)
        try:
            await act(Socket(connection))
        except BaseException as error:
            self.errors.append(error)
            raise


@contextlib.asynccontextmanager
async def staged(*acts: Act | Refusal) -> AsyncIterator[Stage]:
    """A feed that plays these acts. All must have been played well at the end."""
    stage = Stage(acts)
    async with serve(
        stage.play, "127.0.0.1", 0, process_request=stage.begin, close_timeout=0.2
    ) as server:
        stage.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield stage
    assert not stage.acts, "some acts were not played"
    assert not [each for each in stage.errors if isinstance(each, AssertionError)], stage.errors
