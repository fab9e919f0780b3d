"""One reader of the feed: keeps every frame, and refuses a gap or a repeat."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

WAIT_SECONDS = 15.0


class FeedReader:
    """A socket with at most one market's channel. `leads` is what the frames add up to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.leads: dict[str, dict[str, Any]] = {}
        self.seq: int | None = None
        self.broken: str | None = None
        self._moved = asyncio.Condition()
        self._ended = False

    async def send(self, message: Mapping[str, Any] | str) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, channel: str, *, since: int | None = None) -> None:
        """Ask for a channel; with a `since` events must follow it at once."""
        request: dict[str, Any] = {"op": "subscribe", "channel": channel}
        if since is not None:
            request["since"] = self.seq = since
        await self.send(request)

    async def snapshot(self, market: str) -> dict[str, dict[str, Any]]:
        """Subscribe without a past; the whole snapshot by lead id."""
        await self.subscribe(f"market:{market}")
        await self.until(lambda: self.seq is not None)
        return dict(self.leads)

    async def until(self, condition: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
        """Wait until the condition holds after some frame; its value."""
        async with self._moved:
            async with asyncio.timeout(seconds):
                while not (value := condition()):
                    assert self.broken is None, self.broken
                    assert not self._ended, f"closed with {self.socket.close_code}"
                    await self._moved.wait()
        assert self.broken is None, self.broken
        return value

    async def event(self, kind: str, lead_id: str) -> dict[str, Any]:
        """The first event of this kind about a lead, once it is there."""
        found: dict[str, Any] = await self.until(lambda: self.find(kind, lead_id))
        return found

    def find(self, kind: str, lead_id: str) -> dict[str, Any] | None:
        return next(
            (e for e in self.events if e["type"] == kind and e["lead"]["lead_id"] == lead_id), None
        )

    async def message(self, kind: str) -> dict[str, Any]:
        """The first frame of a type."""
        found: dict[str, Any] = await self.until(
            lambda: next((frame for frame in self.frames if frame["type"] == kind), None)
        )
        return found

    async def close_code(self, seconds: float = WAIT_SECONDS) -> int | None:
        """The code with which the server closes."""
        async with asyncio.timeout(seconds):
            await self.socket.wait_closed()
        return self.socket.close_code

    async def read(self) -> None:
        """Take frames until the socket closes."""
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                await self._take(json.loads(text))
        async with self._moved:
            self._ended = True
            self._moved.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        if frame["type"] == "snapshot":
            self._take_snapshot(frame)
        elif frame["type"] == "events":
            self._take_events(frame)
        async with self._moved:
            self._moved.notify_all()

    def _take_snapshot(self, frame: dict[str, Any]) -> None:
        if len(frame["leads"]) > 1000:
            self.broken = f"{len(frame['leads'])} leads in one snapshot frame"
        if frame["part"] == min(f["part"] for f in self.frames if f["type"] == "snapshot"):
            self.leads.clear()
        self.leads.update({lead["lead_id"]: lead for lead in frame["leads"]})
        if frame["last"]:
            self.seq = frame["seq"]

    def _take_events(self, frame: dict[str, Any]) -> None:
        first, last = frame["from_seq"], frame["to_seq"]
        if self.seq is not None and first != self.seq + 1:
            self.broken = f"events {first}..{last} after {self.seq}"
        if [event["seq"] for event in frame["events"]] != list(range(first, last + 1)):
            self.broken = f"events {first}..{last} are {[e['seq'] for e in frame['events']]}"
        self.seq = last
        self.events += frame["events"]
        for event in frame["events"]:
            lead = event["lead"]
            if lead["lead_state"] in ("available", "held"):
                self.leads[lead["lead_id"]] = thin(lead)
            else:
                self.leads.pop(lead["lead_id"], None)


THIN = ("lead_id", "lead_state", "price", "max_buyers", "seats_left")


def thin(lead: Mapping[str, Any]) -> dict[str, Any]:
    """The five fields of a snapshot."""
    return {name: lead[name] for name in THIN}


def without_price(leads: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a snapshot promises to equal: prices move without numbers."""
    return {
        lead_id: {name: value for name, value in lead.items() if name != "price"}
        for lead_id, lead in leads.items()
    }


@contextlib.asynccontextmanager
async def feed(
    base_url: str, token: str | None = None, *, ticket: str | None = None, origin: str | None = None
) -> AsyncIterator[FeedReader]:
    """A connected reader. Raises websockets' InvalidStatus when the handshake is refused."""
    address = f"ws{base_url.removeprefix('http')}/v1/feed"
    if ticket is not None:
        address += f"?ticket={ticket}"
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with connect(
        address,
        additional_headers=headers,
        origin=origin,  # type: ignore[arg-type]
        compression=None,
        max_size=8 * 1024 * 1024,
        proxy=None,
    ) as socket:
        reader = FeedReader(socket)
        reading = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
