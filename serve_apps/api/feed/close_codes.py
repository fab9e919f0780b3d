"""Why the feed closes a socket: the contract's codes, and those of RFC 6455."""

from __future__ import annotations

TOKEN_OVER = 4001
TOO_SLOW = 4008
BAD_BEHAVIOUR = 1008
TOO_BIG = 1009
FAILED = 1011
SERVER_STOPS = 1012

_OF_CLIENTS = frozenset({1000, 1001, 1005, 1006, 1007, 1009, 1011, 1012})


def known_code(code: int) -> str:
    """A close code as a metric's label; a client can't make labels up."""
    return str(code) if code in _OF_CLIENTS else "other"
