"""One reader of the feed: keeps every frame as it came, and refuses a gap or a repeat.

The socket is a test's own, for its handshake, its close code and its raw text are what tests
look at. What the text means is the client's business: a `Follower` says whether frames join,
a `MarketView` what they add up to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from aiqleads.client.answers.leads import LeadNow
from aiqleads.client.errors import Problem
from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.follower import Follower, Gap
from aiqleads.client.feed.frames import BrokenFrame
from aiqleads.client.feed.market_view import MarketView
from aiqleads.client.feed.messages import Snapshot

WAIT_SECONDS = 15.0


class FeedReader:
    """A socket with at most one market's channel. `leads` is what the frames add up to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.broken: str | None = None
        self._follower = Follower()
        self._follower.opened()
        self._view = MarketView("")
        self._before: dict[str, dict[str, Any]] = {}
        self._moved = asyncio.Condition()
        self._ended = False

    @property
    def seq(self) -> int | None:
        return self._view.seq

    @property
    def leads(self) -> dict[str, dict[str, Any]]:
        """The five fields of each lead on offer, by id."""
        if self._view.seq is None:
            return self._before
        return {
            lead_id: {name: getattr(lead, name) for name in THIN}
            for lead_id, lead in self._view.leads.items()
        }

    @leads.setter
    def leads(self, known: dict[str, dict[str, Any]]) -> None:
        """What another reader knew, to go on from with a `since`."""
        self._before = known

    async def send(self, message: Mapping[str, Any] | str) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, channel: str, *, since: int | None = None) -> None:
        """Ask for a channel; with a `since` events must follow it at once, or a snapshot."""
        request = self._follower.add(Channel(channel, since=since))
        assert request is not None
        market = channel.partition(":")[2]
        self._view = MarketView(market)
        if since is not None:
            known = tuple(msgspec.convert(lead, LeadNow) for lead in self._before.values())
            self._view.apply(Snapshot(market=market, seq=since, leads=known))
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
                await self._take(str(text))
        async with self._moved:
            self._ended = True
            self._moved.notify_all()

    async def _take(self, text: str) -> None:
        frame = json.loads(text)
        self.frames.append(frame)
        if frame["type"] == "events":
            self.events += frame["events"]
            if [e["seq"] for e in frame["events"]] != [*_numbers(frame)]:
                self.broken = f"events {_numbers(frame)} are {[e['seq'] for e in frame['events']]}"
        elif frame["type"] == "snapshot" and len(frame["leads"]) > 1000:
            self.broken = f"{len(frame['leads'])} leads in one snapshot frame"
        self._understand(text)
        async with self._moved:
            self._moved.notify_all()

    def _understand(self, text: str) -> None:
        try:
            # A problem is what some tests ask for.
            with contextlib.suppress(Problem):
                for message in self._follower.take(text).messages:
                    self._view.apply(message)
        except (Gap, BrokenFrame) as error:
            self.broken = str(error)


def _numbers(frame: Mapping[str, Any]) -> range:
    return range(frame["from_seq"], frame["to_seq"] + 1)


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
