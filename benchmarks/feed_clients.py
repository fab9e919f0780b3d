"""The readers of `benchmarks/feed`: many sockets in one process, each as cheap as can be.

    python -m benchmarks.feed_clients PORT TOKEN SOCKETS SINCE

They are raw protocols and not `aiqleads.client`, whose feed parses every frame: here the
servers are measured, and what thousands of clients would spend on the same cores would be
measured with them. Frames are found by their headers and never parsed as JSON; of each, the
last seq and the moment of arrival are noted. It says `ready` when every socket is
subscribed, takes a seq from its standard input, says `all` when every socket has that one,
and then what came, as a JSON object.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import sys
import time
from array import array

import uvloop

from benchmarks.feed_servers import MARKET

OPENING_AT_ONCE = 50
PATIENCE_SECONDS = 120.0


class Arrivals:
    """Of every frame of events: its last seq, and when it came (ns, monotonic)."""

    def __init__(self) -> None:
        self.seqs = array("q")
        self.at_ns = array("q")
        self.bytes = 0
        self.subscribed = 0
        self.lost = 0


class Reader(asyncio.Protocol):
    """One socket."""

    def __init__(self, arrivals: Arrivals, token: str, since: int) -> None:
        self.arrivals = arrivals
        self.token = token
        self.since = since
        self.buffer = b""
        self.open = False
        self.subscribed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            (
                "GET /v1/feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                f"Authorization: Bearer {self.token}\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self.buffer:
            data = self.buffer + data
        if not self.open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.buffer = data
                return
            if b" 101 " not in data[:20]:
                raise SystemExit(f"the handshake was refused: {data[:300]!r}")
            self.open = True
            asked = {
                "op": "subscribe",
                "channel": f"market:{MARKET}",
                "since": self.since,
                "ack": True,
            }
            self.transport.write(masked(0x1, json.dumps(asked).encode()))
            data = data[end + 4 :]
        self.buffer = self._take(data, now)

    def _take(self, data: bytes, now: int) -> bytes:
        at = 0
        size = len(data)
        while size - at >= 2:
            length, head = data[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4]), 4
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10]), 10
            end = at + head + length
            if end > size:
                break
            self._frame(data[at] & 0xF, data, at + head, end, now)
            at = end
        return data[at:]

    def _frame(self, opcode: int, data: bytes, start: int, end: int, now: int) -> None:
        if opcode == 0x9:
            self.transport.write(masked(0xA, data[start:end]))
            return
        mark = data.find(b'"to_seq":', start, end)
        if mark >= 0:
            self.arrivals.seqs.append(int(data[mark + 9 : data.index(b",", mark)]))
            self.arrivals.at_ns.append(now)
            self.arrivals.bytes += end - start
        elif data.find(b'"subscribed"', start, end) >= 0:
            self.arrivals.subscribed += 1
            self.subscribed.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.arrivals.lost += 1
        if not self.subscribed.done():
            raise SystemExit("a socket was lost before it was subscribed")


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame; the mask is zero, which leaves the payload as it is."""
    assert len(payload) < 65_536
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else None
    head = head or bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2)
    return head + bytes(4) + payload


async def read(port: int, token: str, sockets: int, since: int) -> None:
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    readers: list[Reader] = []
    for start in range(0, sockets, OPENING_AT_ONCE):
        count = min(OPENING_AT_ONCE, sockets - start)
        opening = [
            loop.create_connection(lambda: Reader(arrivals, token, since), "127.0.0.1", port)
            for _ in range(count)
        ]
        opened = [reader for _, reader in await asyncio.gather(*opening)]
        readers += opened
        await asyncio.wait_for(asyncio.gather(*(reader.subscribed for reader in opened)), 30)
    print("ready", flush=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    last = int(await asyncio.to_thread(sys.stdin.readline))
    for _ in range(round(PATIENCE_SECONDS / 0.05)):
        if arrivals.seqs.count(last) == sockets:
            break
        await asyncio.sleep(0.05)
    print("all", flush=True)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result = {
        "seqs": arrivals.seqs.tolist(),
        "at_ns": arrivals.at_ns.tolist(),
        "bytes": arrivals.bytes,
        "lost": arrivals.lost,
        "cpu": cpu,
    }
    print(json.dumps(result), flush=True)
    os._exit(0)


def main() -> None:
    port, token, sockets, since = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(read(int(port), token, int(sockets), int(since)))


if __name__ == "__main__":
    main()
