"""Where the market is."""

from __future__ import annotations

from urllib.parse import urlsplit


def checked_base(base_url: str) -> str:
    """Without a slash at its end. Raises ValueError for what is no address of a market."""
    base = base_url.rstrip("/")
    parts = urlsplit(base)
    is_http = base.startswith(("http://", "https://"))
    if not is_http or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{base_url!r} must be an address like https://market.example")
    return base


def feed_address(base: str) -> str:
    """The feed's WebSocket."""
    return f"ws{base.removeprefix('http')}/v1/feed"
