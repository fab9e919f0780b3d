"""TCP ports for private services.

The kernel hands ports from 32768 up to outgoing connections, so a service that
listens there can lose its port to any client; ours stay below.
"""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable

LOWEST = 20_000
HIGHEST = 32_700


class NoFreePort(RuntimeError):
    """No port in the range could be bound."""


def is_free(host: str, port: int) -> bool:
    """True if nobody listens there: a bind without SO_REUSEPORT, so sharing does not hide.

    SO_REUSEADDR lets connections that are only waiting out their close not count.
    Raises OSError for an address that isn't this machine's, or a port we may not bind.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_ports(
    count: int,
    *,
    host: str = "127.0.0.1",
    preferred: Iterable[int] = (),
    rng: random.Random | None = None,
) -> list[int]:
    """`count` different free ports, `preferred` ones first, then random ones of the range.

    Random, because two installations that start together would both take the
    first free one. Raises NoFreePort after as many tries as the range is wide.
    """
    chance = rng or random.Random()
    found: list[int] = []
    for port in preferred:
        if len(found) < count and port not in found and is_free(host, port):
            found.append(port)
    for _ in range(HIGHEST - LOWEST):
        if len(found) >= count:
            return found
        port = chance.randrange(LOWEST, HIGHEST)
        if port not in found and is_free(host, port):
            found.append(port)
    if len(found) < count:
        raise NoFreePort(f"no {count} free ports on {host} between {LOWEST} and {HIGHEST}")
    return found


def free_port(*, host: str = "127.0.0.1", preferred: int | None = None) -> int:
    """One free port; `preferred` if it is free. Raises NoFreePort."""
    return free_ports(1, host=host, preferred=() if preferred is None else (preferred,))[0]
