"""What both kinds of sockets are opened with, and what websockets raises as what came of it."""

from __future__ import annotations

from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from aiqleads.client.feed.frames import FRAME_BYTES_MAX
from aiqleads.client.feed.journey import Closed
from aiqleads.client.wire import USER_AGENT, Lost, Received

OPEN_SECONDS = 15.0
CLOSE_SECONDS = 5.0
# A server that answers no ping within so many seconds is gone.
PING_SECONDS = 20.0
PONG_SECONDS = 20.0

# What opening a socket raises when there is none to be had.
NOT_OPENED = (OSError, EOFError, TimeoutError, WebSocketException)


def options(token: str, trust_env: bool) -> dict[str, Any]:
    return {
        "additional_headers": {"Authorization": f"Bearer {token}"},
        "user_agent_header": USER_AGENT,
        "compression": None,
        "max_size": FRAME_BYTES_MAX,
        "proxy": True if trust_env else None,
        "open_timeout": OPEN_SECONDS,
        "close_timeout": CLOSE_SECONDS,
        "ping_interval": PING_SECONDS,
        "ping_timeout": PONG_SECONDS,
    }


def not_opened(error: Exception) -> Received | Lost:
    if isinstance(error, InvalidStatus):
        response = error.response
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        return Received(response.status_code, headers, bytes(response.body or b""))
    return Lost(f"{type(error).__name__}: {error}", was_sent=True)


def closed(error: ConnectionClosed) -> Closed:
    if error.rcvd is None:
        return Closed(1006, "nobody said why")
    return Closed(error.rcvd.code, error.rcvd.reason)
