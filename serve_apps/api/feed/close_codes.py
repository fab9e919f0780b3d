"""Why the feed closes a socket: the contract's codes, and those of RFC 6455."""

from __future__ import annotations

TOKEN_OVER = 4001
TOO_SLOW = 4008
BAD_BEHAVIOUR = 1008
FAILED = 1011
SERVER_STOPS = 1012
