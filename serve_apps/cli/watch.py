"""`aiqleads watch MARKET`: the public feed of a market, line by line, for as long as wanted.

A broken connection is taken up again where it ended: the server is asked for
everything since the last number seen.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

_TOKEN_EXPIRED = 4001
_BACK_OFF_SECONDS_MAX = 30.0
_FRAME_BYTES_MAX = 8 * 1024 * 1024


class WatchRefused(RuntimeError):
    """The server will not let us watch, and asking again would not help."""


class FeedWatcher:
    """Events of one market as dicts, with `kind` `snapshot` or `event`.

    `since` is the last number seen. `rng` spreads reconnects, so that all
    watchers of a restarted server don't come at once.
    """

    def __init__(
        self,
        base_url: str,
        email: str,
        password: str,
        market: str,
        since: int | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = {"email": email, "password": password}
        self._channel = f"market:{market}"
        self.since = since
        self._chance = rng or random.Random()
        self._token: str | None = None

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Never ends by itself. Raises WatchRefused on bad credentials or an unknown market."""
        failures = 0
        while True:
            try:
                token = self._token or await self._log_in()
                async with connect(
                    f"ws{self._base_url.removeprefix('http')}/v1/feed",
                    additional_headers={"Authorization": f"Bearer {token}"},
                    compression=None,
                    max_size=_FRAME_BYTES_MAX,
                    proxy=None,
                ) as socket:
                    await self._subscribe(socket)
                    async for frame in socket:
                        failures = 0
                        for item in self._read(json.loads(frame)):
                            yield item
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code == _TOKEN_EXPIRED:
                    self._token = None
            except InvalidStatus as refused:
                self._token = None
                if refused.response.status_code not in (401, 429, 502, 503):
                    raise WatchRefused(
                        f"the server refused the feed: {refused.response.status_code}"
                    ) from refused
            except (OSError, WebSocketException, httpx.TransportError, TimeoutError):
                # Away or restarting: come again below.
                self._token = None
            failures += 1
            limit = min(_BACK_OFF_SECONDS_MAX, 0.25 * 2 ** min(failures, 10))
            await asyncio.sleep(self._chance.uniform(0, limit))

    async def _log_in(self) -> str:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            answer = await client.post(f"{self._base_url}/v1/auth/login", json=self._credentials)
        if answer.status_code in (429, 502, 503):
            raise TimeoutError("the server is busy")
        if answer.status_code != 200:
            raise WatchRefused(
                f"can't log in as {self._credentials['email']}: "
                f"{answer.status_code} {answer.text[:200]}"
            )
        token: str = answer.json()["access_token"]
        self._token = token
        return token

    async def _subscribe(self, socket: ClientConnection) -> None:
        request: dict[str, Any] = {"op": "subscribe", "channel": self._channel}
        if self.since is not None:
            request["since"] = self.since
        await socket.send(json.dumps(request))

    def _read(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What a frame says, one dict per lead or event; remembers how far we are."""
        kind = message.get("type")
        if kind == "error":
            problem = message["problem"]
            raise WatchRefused(f"{self._channel}: {problem.get('detail') or problem.get('title')}")
        if kind == "snapshot":
            if message["last"]:
                self.since = message["seq"]
            leads = message["leads"]
            return [
                {
                    "kind": "snapshot",
                    "seq": message["seq"],
                    "last": message["last"] and number == len(leads),
                    "lead": lead,
                }
                for number, lead in enumerate(leads, start=1)
            ]
        if kind == "events":
            self.since = message["to_seq"]
            return [{"kind": "event", **event} for event in message["events"]]
        return []


async def lines(items: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[str, None]:
    """The feed for the eye: a snapshot in one line, then a line an event."""
    # A set: a snapshot that broke off comes again from its start.
    leads: set[str] = set()
    async for item in items:
        if item["kind"] == "event":
            yield line_of(item)
            continue
        leads.add(item["lead"]["lead_id"])
        if item["last"]:
            yield f"{'':8} #{item['seq']:<8} {len(leads):,} leads available or held; from here on:"
            leads.clear()


def line_of(item: dict[str, Any]) -> str:
    """One event for the eye."""
    lead = item["lead"]
    seats = f"{lead['seats_left']}/{lead['max_buyers']} seats"
    place = " ".join(str(lead[name]) for name in ("city", "postal_code") if lead.get(name))
    return (
        f"{item['at'][11:19]:8} #{item['seq']:<8} {item['type']:16} "
        f"{lead['price']:>6} credits  {lead['lead_state']:11} {seats:10} {lead['lead_id']}  {place}"
    ).rstrip()
