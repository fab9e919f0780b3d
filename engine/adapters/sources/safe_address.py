"""Which addresses may be asked at all: the guard against being sent into private networks.

A name is resolved once, every address it has is judged, and the connection is made to an
address that was judged: a resolver that answers differently the next time changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore
import httpx

from engine.adapters.sources.fetch_failed import FetchFailed

URL_CHARACTERS_MAX = 2_000
_ADDRESSES_TRIED_MAX = 3
_PORTS = {"http": 80, "https": 443}
# Ports above 1023 that speak something a request could be mistaken for (the Fetch standard).
_PORTS_REFUSED = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
     6669, 6679, 6697, 10080}
)  # fmt: skip
# Clouds give machines their credentials at these, and this one is a public address.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What IPv6 routes publicly; all else is local, a way to write IPv4, or nobody's yet.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Special purposes that `is_global` of some Python versions does not know of.
_NEVER = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments, a cloud's metadata among them
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4
    ipaddress.ip_network("2001::/23"),  # protocol assignments, Teredo among them
    ipaddress.ip_network("3fff::/20"),  # documentation
)
_HOST = re.compile(r"[a-z0-9._:-]+")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]


class PrivateAddress(Exception):
    """A host that is not on the public internet; says which address it has."""


def parsed_address(url: str) -> httpx.URL:
    """The address, if it is one that may be fetched. Raises FetchFailed `bad-address`."""
    if len(url) > URL_CHARACTERS_MAX:
        raise FetchFailed(url[:200], "bad-address", f"longer than {URL_CHARACTERS_MAX} characters")
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchFailed(url, "bad-address", str(error)) from error
    if fault := _fault(address):
        raise FetchFailed(url, "bad-address", fault)
    return address.copy_with(fragment=None)


def _fault(address: httpx.URL) -> str | None:
    if address.scheme not in _PORTS or not address.host:
        return "not an http or https address with a host"
    if not _HOST.fullmatch(address.raw_host.decode("ascii", "replace")):
        return "a host with characters that no host has"
    if address.userinfo:
        return "an address with a user name or password in it"
    port = port_of(address)
    if not (port in _PORTS.values() or 1_024 <= port <= 65_535) or port in _PORTS_REFUSED:
        return f"port {port} is none that web sites use"
    return None


def port_of(address: httpx.URL) -> int:
    return address.port if address.port is not None else _PORTS[address.scheme]


def host_of(address: httpx.URL) -> str:
    """`host:port`, by which budgets are kept and hosts are compared."""
    host = address.raw_host.decode("ascii").rstrip(".")
    return f"[{host}]:{port_of(address)}" if ":" in host else f"{host}:{port_of(address)}"


def origin_of(address: httpx.URL) -> str:
    return f"{address.scheme}://{host_of(address)}"


def is_public(address: IPAddress) -> bool:
    """True if it is routed on the public internet, looking through IPv4 in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        if (inner := _inner(address)) is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and address not in _METADATA


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only, and to the `allowed` `host:port`s as they are.

    The name stays the one that TLS asks for and Host carries: only the socket is pinned.
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        resolver: Resolver = resolve,
        sockets: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._resolver = resolver
        self._sockets = sockets or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises PrivateAddress, httpcore.ConnectError, httpcore.ConnectTimeout."""
        failure: Exception | None = None
        for address in await self._judged(host, port, timeout):
            try:
                return await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def _judged(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                found = await self._resolver(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        name = f"[{host}]:{port}" if ":" in host else f"{host.rstrip('.')}:{port}"
        if name not in self._allowed:
            # One private address among public ones is an attack, or a site not meant for us.
            for address in found:
                if not is_public(ipaddress.ip_address(address)):
                    raise PrivateAddress(f"{host} is at {address}, not on the public internet")
        return found[:_ADDRESSES_TRIED_MAX]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise PrivateAddress("a socket of this machine is not on the public internet")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)
