"""What httpx raises, as an answer that did not come."""

from __future__ import annotations

import httpx

from aiqleads.client.wire import BODY_BYTES_MAX, Lost

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

TOO_LARGE = Lost(f"an answer of more than {BODY_BYTES_MAX} bytes", was_sent=True)
TOO_LATE = Lost("no whole answer in time", was_sent=True)


def lost(error: httpx.RequestError) -> Lost:
    return Lost(f"{type(error).__name__}: {error}", was_sent=not isinstance(error, _NOT_SENT))
