"""uvicorn's HTTP protocol with bounds on what a client may send before it is heard."""

from __future__ import annotations

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serve_apps.api.problems import problem_body

# Request line and headers together, and their number.
HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100


class HeadTooLarge(Exception):
    """More header than anybody needs."""


class ApiHttpProtocol(HttpToolsProtocol):
    """Refuses endless heads; says in problem form what can't be read at all."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if len(self.headers) >= HEADERS_MAX:
            raise HeadTooLarge
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            raise HeadTooLarge

    def send_400_response(self, msg: str) -> None:
        """Not HTTP, or too much of it: answered once, then the connection is closed."""
        body = msgspec.json.encode(
            problem_body("validation", "the request is not HTTP we can read", "") | {"status": 400}
        )
        self.transport.write(
            STATUS_LINE[400]
            + b"content-type: application/problem+json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()
