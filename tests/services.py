"""Throw-away servers for the tests: one PostgreSQL and one Redis per test session.

They are started by the same code as an installation's own, on free ports, with
durability off. A session that was killed leaves them behind; the next one
sweeps up every leftover whose session is gone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.adapters.local.postgres_server import PostgresServer, service_account, stop_postgres
from engine.adapters.local.process import ProcessRecord, is_running, observe
from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.adapters.local.run_record import RunRecords, ServiceRecord

_PREFIX = "aiqleads-tests-"
TEMPLATE = "migrated"


def sweep_leftovers() -> None:
    """Stop and delete the servers of this user's earlier sessions that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, PermissionError, msgspec.DecodeError):
            owner = msgspec.json.decode(
                (directory / "session.json").read_bytes(), type=ProcessRecord
            )
            if is_running(owner) or directory.stat().st_uid != os.geteuid():
                continue
            records = RunRecords(directory / "run")
            for name, stop in (("postgres", stop_postgres), ("redis", stop_redis)):
                record = records.read(name)
                if record is not None:
                    stop(record)
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def session_directory() -> Iterator[Path]:
    """A short directory that the servers' own accounts may enter, deleted at the end."""
    sweep_leftovers()
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        directory.chmod(0o711)
        (directory / "session.json").write_bytes(msgspec.json.encode(observe(os.getpid())))
        yield directory
    finally:
        shutil.rmtree(directory)


class TestPostgres:
    """The session's server. `database()` hands out databases copied from a migrated template."""

    __test__ = False

    def __init__(self, server: PostgresServer, record: ServiceRecord) -> None:
        self._server = server
        self.record = record
        self._count = 0

    def url(self, database: str) -> str:
        return self._server.url(self.record.port, database)

    @contextlib.contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a fresh, migrated database, dropped at the end."""
        self._count += 1
        name = f"test_{self._count}"
        self._server.create_database(self.record.port, name, template)
        try:
            yield self.url(name)
        finally:
            self._server.drop_database(self.record.port, name)


@contextlib.contextmanager
def session_postgres(directory: Path) -> Iterator[TestPostgres]:
    """A server with a migrated template database."""
    from migrations.migrate import upgrade

    account = service_account()
    place = directory / "postgres"
    place.mkdir(mode=0o755)
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    server = PostgresServer(
        place / "data", directory / "postgres.log", secrets.token_urlsafe(12), durable=False
    )
    server.create()
    record = server.start()
    RunRecords(directory / "run").write(record)
    try:
        server.create_database(record.port, TEMPLATE)
        upgrade(server.url(record.port, TEMPLATE))
        yield TestPostgres(server, record)
    finally:
        stop_postgres(record)


@contextlib.contextmanager
def session_redis(directory: Path) -> Iterator[ServiceRecord]:
    server = RedisServer(
        directory / "redis", directory / "redis.log", secrets.token_urlsafe(12), memory_mb=64
    )
    record = server.start()
    RunRecords(directory / "run").write(record)
    try:
        yield record
    finally:
        stop_redis(record)
