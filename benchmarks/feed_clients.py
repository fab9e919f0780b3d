"""The readers of the feed's benchmarks: many sockets in one process, each as cheap as can be.

    python -m benchmarks.feed_clients PORT TOKEN SOCKETS ASKED SLOW_BYTES DEFLATE FOLDER

They are raw protocols and not `aiqleads.client`, whose feed parses every frame: here the
servers are measured, and what thousands of clients would spend on the same cores would be
measured with them. Frames are found by their headers and never parsed as JSON. It says
`ready` when every socket is subscribed to what is ASKED, takes numbers from its standard
input, says `all` when every socket has that seq or price, and after `end` what came: arrays
in files of FOLDER, the rest as a JSON object. With SLOW_BYTES, one socket more reads only so
many a second. With DEFLATE `yes` the sockets offer compression, as browsers do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import socket
import sys
import time
import zlib
from array import array
from pathlib import Path

import uvloop

# Where a frame of events names its last seq, and what a frame of prices begins with.
EVENTS = b'"to_seq":'
PRICES = b'"prices"'

OPENING_AT_ONCE = 50
PATIENCE_SECONDS = 120.0


class Arrivals:
    """Of every frame: its number, and when it came (ns, monotonic).

    A frame of events has its last seq as number; one of prices its place among the texts,
    equal ones counted as one.
    """

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.numbers = array("q")
        self.at_ns = array("q")
        self.texts: dict[bytes, int] = {}
        self.lost = 0
        # How many sockets have what is waited for.
        self.awaited: bytes | int | None = None
        self.having = 0

    def take(self, data: bytes, start: int, end: int, now: int) -> None:
        mark = data.find(self.mark, start, end)
        if mark < 0:
            return
        if self.mark == EVENTS:
            number = int(data[mark + len(EVENTS) : data.index(b",", mark)])
            self.having += number == self.awaited
        else:
            text = data[start:end]
            number = self.texts.setdefault(text, len(self.texts))
            if isinstance(self.awaited, bytes) and self.awaited in text:
                self.having += 1
        self.numbers.append(number)
        self.at_ns.append(now)

    def wait_for(self, number: int) -> None:
        if self.mark == EVENTS:
            self.awaited = number
            self.having = self.numbers.count(number)
        else:
            self.awaited = b'"price":%d,' % number
            places = [place for text, place in self.texts.items() if self.awaited in text]
            self.having = sum(self.numbers.count(place) for place in places)


class Reader(asyncio.Protocol):
    """One socket."""

    def __init__(self, arrivals: Arrivals, token: str, asked: bytes, deflate: bool) -> None:
        self.arrivals = arrivals
        self.opening = handshake(token, deflate)
        self.asked = asked
        self.inflate = zlib.decompressobj(-15) if deflate else None
        self.buffer = b""
        self.open = False
        self.subscribed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self.opening)

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
            self.transport.write(masked(0x1, self.asked))
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
            if data[at] & 0x40:
                self._inflated(data[at + head : end], now)
            else:
                self._frame(data[at] & 0xF, data, at + head, end, now)
            at = end
        return data[at:]

    def _inflated(self, data: bytes, now: int) -> None:
        assert self.inflate is not None
        text = self.inflate.decompress(data + b"\x00\x00\xff\xff")
        self._frame(0x1, text, 0, len(text), now)

    def _frame(self, opcode: int, data: bytes, start: int, end: int, now: int) -> None:
        if opcode == 0x9:
            self.transport.write(masked(0xA, data[start:end]))
        elif self.subscribed.done():
            self.arrivals.take(data, start, end, now)
        elif data.find(b'"subscribed"', start, end) >= 0:
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


def handshake(token: str, deflate: bool = False) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    return (
        "GET /v1/feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"{offer}Authorization: Bearer {token}\r\n\r\n"
    ).encode()


async def read_slowly(port: int, token: str, asked: bytes, bytes_per_second: int) -> None:
    """One socket that takes a tenth of that every tenth of a second, and has little room."""
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    await loop.sock_sendall(connection, handshake(token))
    await loop.sock_recv(connection, 4096)
    await loop.sock_sendall(connection, masked(0x1, asked))
    while True:
        if not await loop.sock_recv(connection, max(1, bytes_per_second // 10)):
            return
        await asyncio.sleep(0.1)


async def open_all(
    port: int, token: str, sockets: int, asked: bytes, arrivals: Arrivals, deflate: bool
) -> None:
    def reader() -> Reader:
        return Reader(arrivals, token, asked, deflate)

    loop = asyncio.get_running_loop()
    for start in range(0, sockets, OPENING_AT_ONCE):
        opening = [
            loop.create_connection(reader, "127.0.0.1", port)
            for _ in range(min(OPENING_AT_ONCE, sockets - start))
        ]
        opened = [reader for _, reader in await asyncio.gather(*opening)]
        await asyncio.wait_for(asyncio.gather(*(reader.subscribed for reader in opened)), 30)


async def read(
    port: int,
    token: str,
    sockets: int,
    asked: bytes,
    slow_bytes: int,
    deflate: bool,
    folder: Path,
) -> None:
    arrivals = Arrivals(EVENTS if b'"market:' in asked else PRICES)
    await open_all(port, token, sockets, asked, arrivals, deflate)
    slow = None
    if slow_bytes:
        slow = asyncio.ensure_future(read_slowly(port, token, asked, slow_bytes))
    print("ready", flush=True)
    before = time.process_time()
    while (line := await asyncio.to_thread(sys.stdin.readline)) not in ("end\n", ""):
        arrivals.wait_for(int(line))
        for _ in range(round(PATIENCE_SECONDS / 0.005)):
            if arrivals.having == sockets:
                break
            await asyncio.sleep(0.005)
        print("all" if arrivals.having == sockets else "not all", flush=True)
    spent = time.process_time() - before
    if slow is not None and slow.done():
        arrivals.lost += 1
    (folder / "numbers").write_bytes(arrivals.numbers.tobytes())
    (folder / "at_ns").write_bytes(arrivals.at_ns.tobytes())
    texts = [text.decode() for text in arrivals.texts]
    print(json.dumps({"texts": texts, "lost": arrivals.lost, "cpu": spent}), flush=True)
    os._exit(0)


def main() -> None:
    port, token, sockets, asked, slow_bytes, deflate, folder = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    message = json.dumps({"op": "subscribe", "ack": True, **json.loads(asked)}).encode()
    uvloop.run(
        read(
            *(int(port), token, int(sockets), message, int(slow_bytes)),
            *(deflate == "yes", Path(folder)),
        )
    )


if __name__ == "__main__":
    main()
