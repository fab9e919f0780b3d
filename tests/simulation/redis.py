"""A Redis that holds streams, and is now and then away or empty."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from tests.simulation.loop import SimulatedLoop
from tests.simulation.weather import Weather

_TOO_OLD = "The ID specified in XADD is equal or smaller than the target stream top item"

Entry = tuple[bytes, dict[bytes, bytes]]


class RedisServer:
    """Streams by key. `was_emptied` once something was lost."""

    def __init__(self, loop: SimulatedLoop, weather: Weather) -> None:
        self.loop = loop
        self.weather = weather
        self.streams: dict[str, list[Entry]] = {}
        self.was_emptied = False

    def empty(self) -> None:
        self.streams.clear()
        self.was_emptied = True

    def client(self) -> RedisClient:
        return RedisClient(self)


class RedisClient:
    """As much of `redis.asyncio.Redis` as publishing takes."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def xadd(
        self,
        key: str,
        fields: dict[str, Any],
        id: str = "*",
        maxlen: int | None = None,
        approximate: bool = True,
    ) -> bytes:
        await self._travel()
        entries = self._server.streams.setdefault(key, [])
        newest = _number(entries[-1][0]) if entries else (0, 0)
        number = (newest[0] + 1, 0) if id == "*" else _number(id.encode())
        if number <= newest:
            raise ResponseError(_TOO_OLD)
        entry_id = b"%d-%d" % number
        entries.append((entry_id, {name.encode(): _text(v) for name, v in fields.items()}))
        await self._travel()
        return entry_id

    async def xrevrange(self, key: str, count: int) -> list[Entry]:
        await self._travel()
        found = self._server.streams.get(key, [])[-count:]
        await self._travel()
        return found[::-1]

    async def delete(self, *keys: str) -> None:
        await self._travel()
        for key in keys:
            self._server.streams.pop(key, None)
        await self._travel()

    async def aclose(self) -> None:
        pass

    async def _travel(self) -> None:
        """There or back: what was done may be answered to nobody."""
        server = self._server
        answer = server.loop.create_future()
        server.loop.call_later(server.weather.to_database(), _arrive, answer)
        await answer
        if server.weather.spoils("break redis"):
            raise RedisAway("the connection to Redis broke")


def _arrive(answer: Any) -> None:
    if not answer.done():
        answer.set_result(None)


def _number(entry_id: bytes) -> tuple[int, int]:
    number, _, part = entry_id.partition(b"-")
    return int(number), int(part)


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
