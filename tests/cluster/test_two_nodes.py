"""Two Ray nodes on one machine: the work spreads, and both keep one budget of a host."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest

from engine.settings import Settings
from engine.source_directory import Source
from tests.adapters.sources.loopback import served
from tests.adapters.sources.watchful_site import WatchfulSite

TASKS = 4
FETCHES = 10


def fetch_pages(redis_url: str, site_url: str, fetches: int) -> str:
    """Fetch pages, 20 a second and three at a time (a Ray task): the id of its node."""
    import ray

    from engine.adapters.sources.pace import Pace
    from tests.adapters.sources.visitor import visit

    asyncio.run(visit(redis_url, site_url, Pace(20.0, 3), fetches))
    return str(ray.get_runtime_context().get_node_id())


@pytest.fixture(scope="module")
def second_node(ray_cluster: None) -> Iterator[None]:
    """A further node of the session's Ray for as long as this module, made as Ray's own
    cluster_utils makes one: the command line would leave loopback for it."""
    import ray
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    node = Node(
        RayParams(
            gcs_address=ray.get_runtime_context().gcs_address,
            node_ip_address="127.0.0.1",
            num_cpus=2,
            object_store_memory=80 * 1024 * 1024,
            min_worker_port=0,
            max_worker_port=0,
            node_manager_port=0,
            dashboard_agent_listen_port=None,
            include_log_monitor=False,
        ),
        head=False,
        shutdown_at_exit=False,
        spawn_reaper=False,
    )
    started = [each.process for kind in node.all_processes.values() for each in kind]
    try:
        wait_for_nodes(2)
        yield
    finally:
        node.kill_all_processes(check_alive=False, allow_graceful=True)
        for process in started:
            process.wait(30)
        wait_for_nodes(1)


def wait_for_nodes(count: int) -> None:
    import ray

    deadline = time.monotonic() + 60
    while sum(node["Alive"] for node in ray.nodes()) != count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
async def site() -> AsyncIterator[tuple[WatchfulSite, str]]:
    watchful = WatchfulSite(seconds=0.1)
    async with served(watchful.application()) as url:
        yield watchful, url


async def test_tasks_of_two_nodes_keep_one_budget(
    second_node: None, redis_url: str, site: tuple[WatchfulSite, str]
) -> None:
    import ray

    watchful, url = site
    task = ray.remote(num_cpus=0.1, scheduling_strategy="SPREAD")(fetch_pages)
    began = time.monotonic()
    nodes = await asyncio.gather(*(task.remote(redis_url, url, FETCHES) for _ in range(TASKS)))
    took = watchful.arrivals[-1] - watchful.arrivals[0]
    print(f"\n{TASKS * FETCHES} fetches in {took:.2f} s of {time.monotonic() - began:.2f} s")
    assert len(set(nodes)) == 2
    assert len(watchful.arrivals) == TASKS * FETCHES
    assert watchful.here_most <= 3
    assert watchful.fits(20, burst=3)


async def test_a_runs_tasks_spread_and_keep_the_sites_delay(
    second_node: None, settings: Settings, site: tuple[WatchfulSite, str]
) -> None:
    from actors.ingest import RayPorts
    from actors.page_tasks import Batch, Reading
    from engine.adapters.sources.addresses import Address

    watchful, url = site
    watchful.robots = "User-agent: *\nCrawl-delay: 0.1\n"
    raylets: list[int] = []
    watchful.on_arrival = lambda port: raylets.append(raylet_of(port))
    source = Source(name="craigslist", parser="craigslist", fetch="index")
    # Reading needs no database: only discovering uploads would.
    replayed = settings.model_copy(update={"replay_url": url})
    ports = RayPorts(replayed, None, source, "reno")

    async def read(number: int) -> list[Reading]:
        addresses = tuple(Address(f"{url}/page/{number}-{n}") for n in range(FETCHES))
        return [reading async for _payload, reading in ports.read(Batch(addresses))]

    readings = await asyncio.gather(*(read(number) for number in range(TASKS)))
    assert sum(len(each.pages) for found in readings for each in found) == TASKS * FETCHES
    assert not [each.failed for found in readings for each in found if each.failed]
    assert len(set(raylets)) == 2
    share = raylets.count(raylets[0]) / len(raylets)
    print(f"\nof {len(raylets)} fetches {share:.0%} came from one node")
    assert 0.2 <= share <= 0.8
    assert watchful.fits(10, burst=1, slack_seconds=0.3)


def raylet_of(port: int) -> int:
    """The process id of the raylet whose worker has this port on its side of a connection."""
    for each in psutil.net_connections("tcp"):
        if each.laddr.port == port and each.pid is not None and each.pid != os.getpid():
            return psutil.Process(each.pid).ppid()
    raise LookupError(f"nobody has port {port}")
