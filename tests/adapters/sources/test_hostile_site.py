"""A hostile site costs each fetch its own failure, within bounds, and nothing else."""

from __future__ import annotations

import asyncio
import pickle
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from engine.adapters.sources import index_fetcher
from engine.adapters.sources.addresses import Address
from engine.adapters.sources.documents_fetcher import discover, fetch
from engine.adapters.sources.fetch_failed import REASONS, FetchFailed
from engine.adapters.sources.http_exchange import Limits
from engine.adapters.sources.pace import Pace
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.retries import Retries
from engine.source_directory import Source
from tests.adapters.sources.budgets import roomy_budget
from tests.hostile_site import TRAPS, HostileSite, hostile_site

SOURCE = Source(name="fsbo", parser="fsbo", fetch="documents")
LIMITS = Limits(request_seconds=2.0, bytes_max=4 * 1024 * 1024)
RETRIES = Retries(attempts_max=2, back_off_seconds=0.01)
PACE = Pace(1_000.0, 32)

# What comes of each trap; None: a document.
OUTCOMES = {
    "good": None,
    "fails": "status-500",
    "slow": "timeout",
    "silent": "timeout",
    "huge": "too-large",
    "endless": "too-large",
    "bomb": "too-large",
    "broken-gzip": "undecodable",
    "brotli": "undecodable",
    "charset": None,
    "unknown-charset": None,
    "script": None,
    "headers": "bad-answer",
    "cut-short": "bad-answer",
    "no-http": "bad-answer",
    "loopback": "private-address",
    "link-local": "private-address",
    "loopback-ipv6": "private-address",
    "loopback-decimal": "private-address",
    "loopback-hexadecimal": "private-address",
    "loopback-mapped": "private-address",
    "loopback-name": "private-address",
    "file": "bad-address",
    "credentials": "bad-address",
    "circle": "too-many-redirects",
    "nowhere": "bad-redirect",
}


@pytest.fixture(scope="module")
def private() -> Iterator[HostileSite]:
    """What stands on this machine and must not be asked."""
    with hostile_site() as site:
        yield site


@pytest.fixture(scope="module")
def hostile(private: HostileSite) -> Iterator[HostileSite]:
    with hostile_site(HostileSite(private_url=f"{private.url}/secret")) as site:
        yield site


@pytest.fixture
async def client(hostile: HostileSite) -> AsyncIterator[PoliteClient]:
    allowed = frozenset({urlsplit(hostile.url).netloc})
    async with PoliteClient(
        None, PACE, allowed=allowed, limits=LIMITS, retries=RETRIES, budget=roomy_budget()
    ) as client:
        yield client


def test_a_failure_crosses_processes_whole() -> None:
    failed = FetchFailed("http://a.example/", "host-paused", "for 9 s", 9.0)
    arrived = pickle.loads(pickle.dumps(failed))
    assert (str(arrived), arrived.reason, arrived.retry_seconds) == (
        str(failed),
        "host-paused",
        9.0,
    )


def test_every_trap_is_tried() -> None:
    assert set(OUTCOMES) == set(TRAPS)
    assert all(
        reason in REASONS or reason == "status-500" for reason in OUTCOMES.values() if reason
    )


@pytest.mark.parametrize("trap", list(TRAPS))
async def test_a_trap_costs_its_own_fetch(
    trap: str, hostile: HostileSite, private: HostileSite, client: PoliteClient
) -> None:
    began = time.monotonic()
    try:
        document = await fetch(SOURCE, "austin", Address(hostile.trap(trap)), client)
        reason = None
        assert document is not None
        assert document.content
    except FetchFailed as failed:
        reason = failed.reason
    assert reason == OUTCOMES[trap]
    # Two tries of at most two seconds, and the robots.txt before.
    assert time.monotonic() - began < 8
    assert private.visits == []


async def test_a_healthy_page_comes_beside_all_of_them(
    hostile: HostileSite, client: PoliteClient
) -> None:
    with hostile_site() as healthy:
        async with PoliteClient(
            None, PACE, allowed=frozenset({urlsplit(healthy.url).netloc}), budget=roomy_budget()
        ) as other:
            trapped = [
                fetch(SOURCE, "austin", Address(hostile.trap(trap)), client) for trap in TRAPS
            ]
            wanted = [
                fetch(SOURCE, "austin", Address(healthy.trap("good", number)), other)
                for number in range(20)
            ]
            found = await asyncio.gather(*trapped, *wanted, return_exceptions=True)
    failed = {
        trap: each.reason if isinstance(each, FetchFailed) else None
        for trap, each in zip(TRAPS, found, strict=False)
    }
    assert failed == OUTCOMES
    assert all(each.content == healthy.page for each in found[len(TRAPS) :])


@pytest.mark.parametrize("trap", ["huge", "endless", "bomb"])
async def test_two_gigabytes_take_no_more_memory_than_the_bound(
    trap: str, hostile: HostileSite, client: PoliteClient
) -> None:
    before = hostile.bytes_sent
    tracemalloc.start()
    try:
        with pytest.raises(FetchFailed) as failure:
            await client.get(hostile.trap(trap))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.value.reason == "too-large"
    # The bytes so far twice over (a growing buffer is copied), and the site's own pieces.
    assert peak < 6 * LIMITS.bytes_max
    assert hostile.bytes_sent - before < 4 * LIMITS.bytes_max


async def test_endless_pages_end_with_a_reason(
    hostile: HostileSite, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_fetcher, "PAGES_MAX", 7)
    base = f"{hostile.url}/sources/craigslist/austin/"
    checkpoint: dict[str, object] = {}
    batches, states = [], []

    async def walk() -> None:
        async for batch in index_fetcher.discover(
            SOURCE, "austin", client, base=base, checkpoint=checkpoint
        ):
            batches.append(batch)
            states.append(dict(checkpoint))

    with pytest.raises(FetchFailed) as failure:
        await walk()
    assert failure.value.reason == "endless-pages"
    assert len(batches) == 7
    assert all(address.url.startswith(hostile.url) for batch in batches for address in batch)
    assert states[2] == {"next": f"{base}?s=3", "pages": 3}
    assert checkpoint == {}


async def test_its_manifest_lists_every_trap(hostile: HostileSite, client: PoliteClient) -> None:
    base = f"{hostile.url}/sources/fsbo/austin/"
    found = [batch async for batch in discover(SOURCE, "austin", client, base=base, checkpoint={})]
    assert [address.url for batch in found for address in batch] == [
        hostile.trap(name) for name in TRAPS
    ]
