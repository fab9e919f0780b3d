"""Fixtures shared by all tests. Servers start when the first test asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from tests.services import TestPostgres, session_directory, session_postgres, session_redis

# Timings are measured by benchmarks, not asserted here: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def services_directory() -> Iterator[Path]:
    with session_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres_server(services_directory: Path) -> Iterator[TestPostgres]:
    """The session's PostgreSQL with PostGIS, its template migrated."""
    with session_postgres(services_directory) as server:
        yield server


@pytest.fixture(scope="module")
def database_url(postgres_server: TestPostgres) -> Iterator[str]:
    """URL of a database of this test module's own, empty and migrated."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def fresh_database_url(postgres_server: TestPostgres) -> Iterator[str]:
    """URL of a database of this one test's own, empty and migrated."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server_url(services_directory: Path) -> Iterator[str]:
    with session_redis(services_directory) as record:
        yield record.url


@pytest.fixture(scope="module")
def redis_url(redis_server_url: str) -> str:
    """URL of the session's Redis, emptied for this test module."""
    with redis.Redis.from_url(redis_server_url) as client:
        client.flushall()
    return redis_server_url


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of captured sources, or skip."""
    named = os.environ.get("AIQLEADS_CAPTURES")
    if not named:
        pytest.skip("AIQLEADS_CAPTURES names no folder of captured sources")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"AIQLEADS_CAPTURES={named} is not a folder")
    return folder
