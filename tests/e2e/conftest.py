"""One live market for all end-to-end tests, reached only as its users reach it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from engine.adapters.local.installation import Installation
from tests.e2e.buyer import People
from tests.e2e.own_installation import OwnInstallation, is_alive

SAMPLE_SIZE = 400
# Less than the dearest leads cost, so that a buyer without a grant can be short of credits.
WELCOME_CREDITS = 20
_TEST_SECONDS = 300


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: through HTTP, websocket and command line only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # The first test of an installation also waits for it to start.
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS))


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """Sockets live below it, and their paths have at most 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="aiq-e2e-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def market(short_directory: Path) -> Iterator[OwnInstallation]:
    """A market of the sample world. At the end it is stopped, and nothing may be left of it."""
    place = short_directory / "m"
    place.mkdir()
    limits = {
        f"AIQLEADS_RATE_LIMIT_{plan}": "0" for plan in ("BASIC", "PRO", "ENTERPRISE", "ANONYMOUS")
    }
    installation = OwnInstallation(
        place,
        {
            **limits,
            "AIQLEADS_SAMPLE_SIZE": str(SAMPLE_SIZE),
            "AIQLEADS_WELCOME_CREDITS": str(WELCOME_CREDITS),
        },
    )
    try:
        installation.succeed("up")
        yield installation
    finally:
        stop_and_check(installation)


def stop_and_check(installation: OwnInstallation) -> None:
    """`down`, after which no process of the installation may live. Then its logs in /tmp go."""
    before = installation.processes()
    done = installation.command("down")
    psutil.wait_procs(before, timeout=5)
    left = {p.pid: p for p in (*before, *installation.processes()) if is_alive(p)}
    names = [(process.pid, " ".join(process.cmdline())[:80]) for process in left.values()]
    installation.kill_everything()
    found = Installation.find(installation.data_dir)
    if found is not None:
        shutil.rmtree(found.scratch, ignore_errors=True)
    assert done.returncode == 0, f"down ended with {done.returncode}: {done.stderr}"
    assert not names, f"down left running: {names}"


@pytest.fixture
async def people(market: OwnInstallation) -> AsyncIterator[People]:
    async with http_client(market) as http:
        yield People(market, http)


def http_client(installation: OwnInstallation) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=installation.base_url,
        timeout=60,
        trust_env=False,
        limits=httpx.Limits(max_connections=200, max_keepalive_connections=200),
    )
