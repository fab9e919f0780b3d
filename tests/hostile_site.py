"""A site that does what no site should: for tests of what it costs whoever reads it.

Every source's address is here (`/sources/{source}/{market}/`): `craigslist` is an index that
never ends and links to a trap or two from each page, all others are manifests of every trap.
It speaks HTTP by hand, so that it can also break it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

HUGE_BYTES = 2 * 1024**3
_MEGABYTE = 1024 * 1024
_SCRIPT = "<script>alert(document.cookie)</script>"


class Visit(NamedTuple):
    at: float
    path: str
    headers: dict[str, str]


@dataclass
class HostileSite:
    """`private_url` is where traps redirect to, `page` a good page for traps that bend one.

    `visits` and `bytes_sent` tell what was asked and how much of it was taken.
    """

    url: str = ""
    private_url: str = "http://127.0.0.1:22080/secret"
    page: bytes = b"<html><head><title>Home</title></head><body>A home.</body></html>"
    visits: list[Visit] = field(default_factory=list)
    bytes_sent: int = 0

    def trap(self, name: str, number: int = 0) -> str:
        return f"{self.url}/traps/{name}/{number}.html"

    def paths(self) -> list[str]:
        return [visit.path for visit in self.visits]


Writer = asyncio.StreamWriter
Trap = Callable[[HostileSite, Writer], Awaitable[None]]


@contextmanager
def hostile_site(site: HostileSite | None = None) -> Iterator[HostileSite]:
    """The site on a free loopback port, in a thread of its own."""
    site = site or HostileSite()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[_serve(site, ready, stop)])
    thread.start()
    try:
        ready.wait(10)
        yield site
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _serve(site: HostileSite, ready: threading.Event, stop: asyncio.Event) -> None:
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            await _answer(site, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # Whoever reads it may leave at any time.
        finally:
            answering.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=256 * 1024)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ready.set()
    await stop.wait()
    server.close()
    for task in list(answering):
        task.cancel()
    await asyncio.gather(*answering, return_exceptions=True)


async def _answer(site: HostileSite, reader: asyncio.StreamReader, writer: Writer) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *lines = head.split("\r\n")
    path = request.split(" ")[1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    site.visits.append(Visit(time.monotonic(), path, headers))
    parts = path.split("/")
    if path == "/robots.txt":
        await _send(site, writer, b"User-agent: *\nAllow: /\n", "text/plain")
    elif parts[1] == "sources" and parts[2] == "craigslist":
        await _send(site, writer, _index_page(path).encode())
    elif parts[1] == "sources":
        listed = json.dumps({"documents": [{"url": site.trap(name)} for name in TRAPS]})
        await _send(site, writer, listed.encode(), "application/json")
    elif parts[1] == "traps" and parts[2] in TRAPS:
        await TRAPS[parts[2]](site, writer)
    else:
        await _head(site, writer, "404 Not Found", {"Content-Length": "0"})


def _index_page(path: str) -> str:
    here, _, query = path.partition("?")
    page = int(query.removeprefix("s=") or 0)
    names = list(TRAPS)
    trap = names[page % len(names)]
    return (
        f'<a class="result-title" href="/traps/{trap}/{page}.html">x</a>'
        f'<a class="result-title" href="/traps/good/{page}.html">x</a>'
        '<a class="result-title" href="http://[">x</a>'
        '<a class="result-title" href="http://169.254.169.254/">x</a>'
        f'<a class="next" href="{here}?s={page + 1}">next</a>'
    )


async def _head(site: HostileSite, writer: Writer, status: str, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    await _pour(site, writer, f"HTTP/1.1 {status}\r\nConnection: close\r\n{lines}\r\n".encode())


async def _pour(site: HostileSite, writer: Writer, content: bytes) -> None:
    writer.write(content)
    await writer.drain()
    site.bytes_sent += len(content)


async def _send(
    site: HostileSite, writer: Writer, content: bytes, media_type: str = "text/html"
) -> None:
    length = str(len(content))
    await _head(site, writer, "200 OK", {"Content-Type": media_type, "Content-Length": length})
    await _pour(site, writer, content)
    writer.write_eof()


async def _good(site: HostileSite, writer: Writer) -> None:
    await _send(site, writer, site.page, "text/html; charset=utf-8")


async def _fails(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "500 Internal Server Error", {"Content-Length": "0"})


async def _slow(site: HostileSite, writer: Writer) -> None:
    """A byte now and then, so that no read times out."""
    await _head(site, writer, "200 OK", {"Content-Type": "text/html"})
    while True:
        await _pour(site, writer, b" ")
        await asyncio.sleep(0.05)


async def _silent(site: HostileSite, writer: Writer) -> None:
    await asyncio.sleep(3_600)


async def _huge(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "200 OK", {"Content-Length": str(HUGE_BYTES)})
    for _ in range(HUGE_BYTES // _MEGABYTE):
        await _pour(site, writer, bytes(_MEGABYTE))


async def _endless(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "200 OK", {"Transfer-Encoding": "chunked"})
    while True:
        await _pour(site, writer, b"10000\r\n" + bytes(0x10000) + b"\r\n")


async def _bomb(site: HostileSite, writer: Writer) -> None:
    """Two megabytes that unpack to two thousand."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    start = pack.compress(bytes(_MEGABYTE)) + pack.flush(zlib.Z_FULL_FLUSH)
    more = pack.compress(bytes(_MEGABYTE)) + pack.flush(zlib.Z_FULL_FLUSH)
    await _head(site, writer, "200 OK", {"Content-Encoding": "gzip"})
    await _pour(site, writer, start + more * (HUGE_BYTES // _MEGABYTE - 1))


async def _broken_gzip(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "200 OK", {"Content-Encoding": "gzip"})
    await _pour(site, writer, b"this was never packed")


async def _brotli(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "200 OK", {"Content-Encoding": "br"})
    await _pour(site, writer, b"\x1b\x03\x00")


async def _charset(site: HostileSite, writer: Writer) -> None:
    """Bytes of one character set under the name of another."""
    content = site.page.replace(b"</title>", "\u00a1Casa! \u20ac".encode("cp1252") + b"</title>")
    await _send(site, writer, content, "text/html; charset=utf-16")


async def _unknown_charset(site: HostileSite, writer: Writer) -> None:
    await _send(
        site, writer, site.page, "text/html; charset=no-such-set\u00e9".encode().decode("latin-1")
    )


async def _script(site: HostileSite, writer: Writer) -> None:
    head, title, rest = site.page.partition(b"<title>")
    await _send(site, writer, head + title + _SCRIPT.encode() + rest)


async def _headers(site: HostileSite, writer: Writer) -> None:
    await _pour(site, writer, b"HTTP/1.1 200 OK\r\n")
    while True:
        await _pour(site, writer, b"X-More: " + b"x" * 8_000 + b"\r\n")


async def _cut_short(site: HostileSite, writer: Writer) -> None:
    await _head(site, writer, "200 OK", {"Content-Length": "1000"})
    await _pour(site, writer, b"only this")


async def _no_http(site: HostileSite, writer: Writer) -> None:
    await _pour(site, writer, b"220 mail.example ESMTP\r\n\r\n")


def _to(location: str) -> Trap:
    async def redirect(site: HostileSite, writer: Writer) -> None:
        target = location.format(private=site.private_url, port=site.private_url.rsplit(":")[-1])
        await _head(site, writer, "302 Found", {"Location": target, "Content-Length": "0"})

    return redirect


# By name; `good` is none, for comparison.
TRAPS: dict[str, Trap] = {
    "good": _good,
    "fails": _fails,
    "slow": _slow,
    "silent": _silent,
    "huge": _huge,
    "endless": _endless,
    "bomb": _bomb,
    "broken-gzip": _broken_gzip,
    "brotli": _brotli,
    "charset": _charset,
    "unknown-charset": _unknown_charset,
    "script": _script,
    "headers": _headers,
    "cut-short": _cut_short,
    "no-http": _no_http,
    "loopback": _to("{private}"),
    "link-local": _to("http://169.254.169.254/latest/meta-data/"),
    "loopback-ipv6": _to("http://[::1]:{port}"),
    "loopback-decimal": _to("http://2130706433:{port}"),
    "loopback-hexadecimal": _to("http://0x7f000001:{port}"),
    "loopback-mapped": _to("http://[::ffff:127.0.0.1]:{port}"),
    "loopback-name": _to("http://localhost:{port}"),
    "file": _to("file:///etc/passwd"),
    "credentials": _to("http://user:password@example.com/"),
    "circle": _to("circle.html"),
    "nowhere": _to(""),
}
