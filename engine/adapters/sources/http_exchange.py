"""One request and its whole answer: over guarded sockets, bounded in time and bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import httpcore
import httpx

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.response_body import ACCEPT_ENCODING, read_body
from engine.adapters.sources.safe_address import GuardedNetwork, PrivateAddress

# What callers have under way at a time is fewer; hosts' budgets are what bounds it.
_CONNECTIONS_MAX = 100
_KEPT_SECONDS = 15.0


class Limits(NamedTuple):
    """Of one request: its seconds from the connection to the last byte, and the bytes of
    its answer, counted as sent and as unpacked."""

    request_seconds: float = 30.0
    connect_seconds: float = 5.0
    bytes_max: int = 64 * 1024 * 1024


class Outgoing(NamedTuple):
    """A request. With `cut` a longer answer ends at `bytes_max` instead of failing."""

    method: str
    address: httpx.URL
    headers: Mapping[str, str]
    bytes_max: int | None = None
    body: bytes = b""
    cut: bool = False


class Answer(NamedTuple):
    """`content` is read for a 200 only. `media_type` is in lower case without parameters."""

    url: str
    status: int
    headers: httpx.Headers
    content: bytes
    media_type: str | None
    charset: str | None


class PassingFault(Exception):
    """What may go well the next time; `reason` as in FetchFailed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Exchange:
    """Sends requests and reads answers. No redirects, no cookies, no proxies."""

    def __init__(
        self,
        network: GuardedNetwork,
        user_agent: str,
        limits: Limits,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or _ssl_context(),
            max_connections=_CONNECTIONS_MAX,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=network,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def send(self, request: Outgoing) -> Answer:
        """Raises PassingFault, FetchFailed."""
        url, seconds = str(request.address), self._limits.request_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._read(request)
        except PrivateAddress as error:
            raise FetchFailed(url, "private-address", str(error)) from error
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise PassingFault("timeout", f"no whole answer within {seconds:.0f} s") from error
        except httpcore.ProtocolError as error:
            raise PassingFault("bad-answer", _said(error)) from error
        except (httpcore.NetworkError, OSError) as error:
            raise PassingFault("unreachable", _said(error)) from error

    async def _read(self, request: Outgoing) -> Answer:
        address = request.address
        target = httpcore.URL(
            scheme=address.raw_scheme,
            host=address.raw_host,
            port=address.port,
            target=address.raw_path,
        )
        async with self._pool.stream(
            request.method,
            target,
            headers=self._headers(request),
            content=request.body or None,
            extensions={"timeout": self._timeouts()},
        ) as response:
            headers = httpx.Headers(response.headers)
            content = b""
            if response.status == 200:
                content = await read_body(
                    response.aiter_stream(),
                    str(address),
                    headers.get("content-encoding", ""),
                    request.bytes_max or self._limits.bytes_max,
                    cut=request.cut,
                )
            media_type, charset = _media_type(headers.get("content-type"))
            return Answer(str(address), response.status, headers, content, media_type, charset)

    def _headers(self, request: Outgoing) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": request.address.netloc.decode("ascii"),
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Accept-Encoding": ACCEPT_ENCODING,
            **request.headers,
        }
        if request.body:
            headers["Content-Length"] = str(len(request.body))
        return list(httpx.Headers(headers).raw)

    def _timeouts(self) -> dict[str, float]:
        seconds = self._limits.request_seconds
        connect = min(self._limits.connect_seconds, seconds)
        return {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}


@cache
def _ssl_context() -> ssl.SSLContext:
    """One for the process: reading the certificates of all authorities takes its time."""
    return httpx.create_ssl_context(trust_env=False)


def _media_type(content_type: str | None) -> tuple[str | None, str | None]:
    """(type, charset) of a Content-Type, both in lower case."""
    if content_type is None:
        return None, None
    first, *parameters = content_type[:500].lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return first.strip() or None, value.strip(" \t\"'") or None
    return first.strip() or None, None


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:300]
