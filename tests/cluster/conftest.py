"""A Ray of this session's own, in its own folder, with the markets' actors on it."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.settings import Settings

MARKETS = """
[[market]]
slug = "reno"
name = "Reno"
time_zone = "America/Los_Angeles"
state = "NV"
center = [39.53, -119.81]
bbox = [-120.1, 39.3, -119.5, 39.8]

[[market]]
slug = "boise"
name = "Boise"
time_zone = "America/Boise"
state = "ID"
center = [43.62, -116.20]
bbox = [-116.7, 43.4, -115.9, 43.9]
"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: starts a Ray of its own")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            # Actors are processes, and a busy machine starts them slowly.
            item.add_marker(pytest.mark.timeout(300))
            # What Ray warns of in its own process is Ray's.
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    # Sockets live below it, and their paths have at most 107 bytes.
    directory = tempfile.mkdtemp(prefix="aiq-ray-")
    # Set before Ray is imported, which reads them once: the first keeps Ray on loopback.
    assert "ray" not in sys.modules, "a test imported ray before the cluster's environment was set"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_AUTH_TOKEN_PATH"] = f"{directory}/token"
    Path(directory, "token").write_text(secrets.token_hex(32))
    os.environ["RAY_AUTH_MODE"] = "token"
    import ray

    root = str(Path(__file__).parents[2])
    ray.init(
        num_cpus=2,
        object_store_memory=80 * 1024 * 1024,
        include_dashboard=False,
        namespace="aiqleads",
        log_to_driver=False,
        configure_logging=False,
        runtime_env={"env_vars": {"PYTHONPATH": root}},
        _node_ip_address="127.0.0.1",
        _temp_dir=directory,
    )
    try:
        yield
    finally:
        # Ray forgets its processes without having waited for them; the complaint of each would
        # come at the end of the session, as an error.
        node = ray._private.worker._global_node
        started = [each.process for kind in node.all_processes.values() for each in kind]
        ray.shutdown()
        for process in started:
            process.wait(timeout=30)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def settings(
    ray_cluster: None, database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    folder = tmp_path_factory.mktemp("installation")
    (folder / "markets.toml").write_text(MARKETS)
    return Settings(
        _env_file=None,
        database_url=database_url,
        redis_url=redis_url,
        data_dir=folder,
        markets_file=folder / "markets.toml",
        ingest_schedule="off",
        # Tests count credits: a lead costs what it was listed for.
        pricing="off",
    )
