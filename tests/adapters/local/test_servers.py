"""Real servers: started, found again, killed, recovered, side by side."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from engine.adapters.local.postgres_programs import PostgresMissing, find_postgres
from engine.adapters.local.postgres_server import (
    PostgresFailed,
    PostgresServer,
    service_account,
    stop_postgres,
)
from engine.adapters.local.process import ProcessRecord, observe, send, wait_gone
from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.adapters.local.run_record import ServiceRecord


@pytest.fixture
def place(services_directory: Path, request: pytest.FixtureRequest) -> Path:
    """A directory that PostgreSQL's own user may enter."""
    directory = services_directory / request.node.name[:40]
    directory.mkdir(mode=0o711)
    return directory


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def postgres_in(place: Path, name: str, servers: ExitStack) -> PostgresServer:
    home = place / name
    home.mkdir(mode=0o711)
    server = PostgresServer(home / "data", home / "start.log", "s3cret:/@")

    def end() -> None:
        running = server.running()
        if running is not None:
            stop_postgres(ServiceRecord("postgres", running[0], running[1], "", ""))

    servers.callback(end)
    server.create()
    return server


async def remember(url: str, word: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
    await connection.execute("INSERT INTO words VALUES ($1)", word)
    await connection.close()


async def remembered(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT word FROM words ORDER BY word")
    await connection.close()
    return [row["word"] for row in rows]


def kill_all(record: ServiceRecord) -> None:
    """`kill -9` of a server and all its children."""
    children = psutil.Process(record.process.pid).children(recursive=True)
    family = [record.process, *(observe(child.pid) for child in children)]
    known: list[ProcessRecord] = [member for member in family if member is not None]
    for member in known:
        send(member, signal.SIGKILL)
    assert wait_gone(known, 10) == []


async def test_postgres_keeps_what_it_was_told(place: Path, servers: ExitStack) -> None:
    server = postgres_in(place, "pg", servers)
    record = server.start()
    server.create_database(record.port, "aiqleads")
    server.create_database(record.port, "aiqleads")
    await remember(record.url, "stopped")
    assert stop_postgres(record) == []

    record = server.start(record.port)
    assert server.start().process == record.process, "one that runs is taken over"
    await remember(record.url, "killed")
    kill_all(record)
    assert server.running() is None
    assert (server.directory / "postmaster.pid").exists()

    record = server.start(record.port)
    assert await remembered(record.url) == ["killed", "stopped"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(record.url.replace("s3cret", "wrong"))


def test_a_lock_file_with_a_recycled_process_id(place: Path, servers: ExitStack) -> None:
    server = postgres_in(place, "pg", servers)
    lock = server.directory / "postmaster.pid"
    # A process of the server's own user, which the server itself would take for another server.
    account = service_account()
    stranger = subprocess.Popen(["sleep", "60"], user=None if account is None else account.pw_uid)
    try:
        lock.write_text(f"{stranger.pid}\n{server.directory}\n1\n29999\n\n127.0.0.1\n1 1\n")
        assert server.running() is None
        server.start()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_servers_side_by_side_are_left_alone(place: Path, servers: ExitStack) -> None:
    one = postgres_in(place, "one", servers)
    other = postgres_in(place, "other", servers)
    record, neighbour = one.start(), other.start()
    assert record.port != neighbour.port
    assert stop_postgres(record) == []
    assert other.running() is not None
    # Its port gone to somebody else, a server takes another.
    moved = one.start(neighbour.port)
    assert moved.port != neighbour.port


def test_what_is_not_ours_is_not_replaced(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "thesis.txt").write_text("years of work")
    server = PostgresServer(place / "data", place / "log", "x")
    with pytest.raises(PostgresFailed, match="neither empty nor"):
        server.create()
    assert (place / "data" / "thesis.txt").read_text() == "years of work"


async def test_errors_are_logged_without_the_row(place: Path, servers: ExitStack) -> None:
    server = postgres_in(place, "pg", servers)
    record = server.start()
    server.create_database(record.port, "aiqleads")
    connection = await asyncpg.connect(record.url)
    await connection.execute("CREATE TABLE people (phone text PRIMARY KEY)")
    for _ in range(2):
        try:
            await connection.execute("INSERT INTO people VALUES ('canary-7025550100')")
        except asyncpg.UniqueViolationError:
            violated = True
    await connection.close()
    stop_postgres(record)
    logs = "".join(path.read_text() for path in (server.directory / "log").iterdir())
    assert violated
    assert "duplicate key" in logs
    assert "canary" not in logs


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(PostgresMissing, match="PostgreSQL 9 "):
        find_postgres(9)


def test_redis_starts_again_after_a_kill(place: Path) -> None:
    server = RedisServer(place / "redis", place / "redis.log", "pass-word", memory_mb=32)
    record = server.start()
    try:
        with redis.Redis.from_url(record.url) as client:
            client.set("a", "b")
        kill_all(record)
        record = server.start(record.port)
        with redis.Redis.from_url(record.url) as client:
            assert client.get("a") is None
        with (
            redis.Redis(port=record.port) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        assert "pass-word" not in str(psutil.Process(record.process.pid).cmdline())
    finally:
        assert stop_redis(record) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_has_servers_too(place: Path) -> None:
    home = place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = (
        "from pathlib import Path; from engine.adapters.local.postgres_server import *;"
        f"s = PostgresServer(Path({str(home)!r}) / 'data', Path({str(home)!r}) / 'log', 'pw');"
        "s.create(); r = s.start(); s.create_database(r.port, 'aiqleads');"
        "assert stop_postgres(r) == []; print('well')"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=Path(__file__).parents[3],
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    except PermissionError:
        pytest.skip("the interpreter lies where an ordinary user can't go")
    assert done.stdout == "well\n", done.stderr
