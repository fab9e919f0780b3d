"""Which addresses are asked: only public ones, and the very one that was judged."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpcore
import pytest

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.pace import Pace
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.retries import Retries
from engine.adapters.sources.safe_address import (
    GuardedNetwork,
    PrivateAddress,
    host_of,
    is_public,
    parsed_address,
)
from tests.adapters.sources.budgets import roomy_budget
from tests.adapters.sources.loopback import served
from tests.adapters.sources.watchful_site import WatchfulSite

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "2a00:1450:4001:801::200e",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
]
PRIVATE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192",
    "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1",
    "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::",
    "2002:a00:1::1", "2001:0:7f00:1::1", "192.88.99.1", "3fff::1", "4000::1", "100::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_on_the_public_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/hosts", "ftp://a.example/", "http:///a", "x", "", "//a.example/", "http://",
     "http://a.example:22/", "http://a.example:6379000/", "http://a.example:0/",
     "http://a.example:25/", "http://a.example:6667/", "https://u@a.example/",
     "https://u:p@a.example/", "http://[::1", "http://a b.example/", "http://a.example/\x00",
     "http://a.example/" + "a" * 2_000, "gopher://127.0.0.1:6379/_FLUSHALL", "http://\ud800/"],
)  # fmt: skip
def test_what_is_no_address_of_a_page(url: str) -> None:
    with pytest.raises(FetchFailed) as failure:
        parsed_address(url)
    assert failure.value.reason == "bad-address"
    assert len(failure.value.url) <= 2_000


def test_one_host_has_one_name() -> None:
    for url in ("http://A.Example/x", "http://a.example:80/", "http://a.example./#part"):
        assert host_of(parsed_address(url)) == "a.example:80"
    assert host_of(parsed_address("https://a.example/")) == "a.example:443"
    assert host_of(parsed_address("http://[::1]:8000/")) == "[::1]:8000"


class Sockets(httpcore.AsyncMockBackend):
    """Connects to nothing and remembers what it was asked to connect to."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append((host, port))
        if host == "8.8.4.4":
            raise httpcore.ConnectError("nobody there")
        return await super().connect_tcp(host, port)


class Resolver:
    """Answers with the next of its answers."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self._answers.pop(0)


async def test_it_connects_to_the_address_that_was_judged() -> None:
    # A rebinding server: public when it is judged, private when it is asked again.
    sockets, resolver = Sockets(), Resolver(["8.8.8.8"], ["127.0.0.1"])
    network = GuardedNetwork(resolver=resolver, sockets=sockets)
    await network.connect_tcp("a.example", 443)
    assert sockets.asked == [("8.8.8.8", 443)]
    assert resolver.asked == 1
    with pytest.raises(PrivateAddress, match=r"a\.example is at 127\.0\.0\.1"):
        await network.connect_tcp("a.example", 443)
    assert len(sockets.asked) == 1


async def test_one_private_address_among_public_ones_is_enough() -> None:
    sockets = Sockets()
    network = GuardedNetwork(resolver=Resolver(["8.8.8.8", "10.0.0.1"]), sockets=sockets)
    with pytest.raises(PrivateAddress):
        await network.connect_tcp("a.example", 80)
    assert sockets.asked == []


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    sockets = Sockets()
    network = GuardedNetwork(resolver=Resolver(["8.8.4.4", "8.8.8.8"]), sockets=sockets)
    await network.connect_tcp("a.example", 80)
    assert sockets.asked == [("8.8.4.4", 80), ("8.8.8.8", 80)]


async def test_a_name_without_addresses() -> None:
    with pytest.raises(httpcore.ConnectError):
        await GuardedNetwork(resolver=Resolver([])).connect_tcp("a.example", 80)
    with pytest.raises(PrivateAddress):
        await GuardedNetwork().connect_unix_socket("/run/redis.sock")


async def test_only_the_allowed_host_and_port_may_be_private() -> None:
    sockets = Sockets()
    network = GuardedNetwork({"127.0.0.1:8000"}, sockets=sockets)
    await network.connect_tcp("127.0.0.1", 8000)
    for host, port in (("127.0.0.1", 8001), ("localhost", 8000), ("127.0.0.2", 8000)):
        with pytest.raises(PrivateAddress):
            await network.connect_tcp(host, port)
    assert sockets.asked == [("127.0.0.1", 8000)]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/", "http://127.1:8000/", "http://2130706433:8000/",
     "http://0x7f000001:8000/", "http://0177.0.0.1:8000/", "http://[::ffff:7f00:1]:8000/",
     "http://169.254.169.254/latest/meta-data/", "http://[::1]:8000/",
     "http://[0:0:0:0:0:ffff:a9fe:a9fe]/"],
)  # fmt: skip
async def test_a_client_asks_no_private_address_however_written(url: str) -> None:
    async with PoliteClient(None, Pace(100, 2), budget=roomy_budget()) as client:
        with pytest.raises(FetchFailed) as failure:
            await client.get(url)
        # Numbers with leading zeros are refused before they are anything.
        assert failure.value.reason == ("bad-address" if "0177" in url else "private-address")


async def test_in_replay_mode_nothing_leaves_the_machine() -> None:
    site = WatchfulSite()
    async with served(site.application()) as url:
        allowed = frozenset({url.removeprefix("http://")})
        async with PoliteClient(
            None, Pace(100, 2), allowed=allowed, only_allowed=True, budget=roomy_budget()
        ) as client:
            assert await client.get(f"{url}/page/1") is not None
            with pytest.raises(FetchFailed) as failure:
                await client.get("https://example.com/")
            assert failure.value.reason == "outside-replay"


# --- names in TLS ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and cert.pem of site.example."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=site.example",
         "-addext", "subjectAltName=DNS:site.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
async def secure_port(certificate: Path) -> AsyncIterator[int]:
    tls = {
        "ssl_keyfile": str(certificate / "key.pem"),
        "ssl_certfile": str(certificate / "cert.pem"),
    }
    async with served(WatchfulSite().application(), **tls) as url:
        yield int(url.rpartition(":")[2])


async def test_a_pinned_address_keeps_its_name_in_tls(certificate: Path, secure_port: int) -> None:
    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    names = [f"site.example:{secure_port}", f"other.example:{secure_port}"]
    async with PoliteClient(
        None,
        Pace(100, 2),
        allowed=frozenset(names),
        budget=roomy_budget(),
        retries=Retries(1),
        resolver=here,
        ssl_context=ssl.create_default_context(cafile=str(certificate / "cert.pem")),
    ) as client:
        answer = await client.get(f"https://{names[0]}/page/1")
        assert answer is not None
        assert answer.content == b"a page"
        with pytest.raises(FetchFailed) as failure:
            await client.get(f"https://{names[1]}/page/1")
        assert "certificate" in failure.value.detail
