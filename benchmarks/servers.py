"""A PostgreSQL and a Redis of a benchmark's own, migrated, and deleted afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.adapters.local.postgres_server import PostgresServer, service_account, stop_postgres
from engine.adapters.local.redis_server import RedisServer, stop_redis
from migrations.migrate import upgrade


class Servers(NamedTuple):
    database_url: str
    redis_url: str


@contextmanager
def own_servers(*, durable: bool = True) -> Iterator[Servers]:
    """`durable` keeps fsync on, as an installation does."""
    home = Path(tempfile.mkdtemp(prefix="aiqb-"))
    # PostgreSQL's own account must be able to enter when this runs as root.
    home.chmod(0o711)
    place = home / "postgres"
    place.mkdir(mode=0o755)
    account = service_account()
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    postgres = PostgresServer(
        place / "data", home / "postgres.log", secrets.token_urlsafe(12), durable=durable
    )
    redis = RedisServer(home / "redis", home / "redis.log", secrets.token_urlsafe(12))
    try:
        postgres.create()
        database = postgres.start()
        try:
            stream = redis.start()
            try:
                postgres.create_database(database.port, "bench")
                url = postgres.url(database.port, "bench")
                upgrade(url)
                yield Servers(url, stream.url)
            finally:
                stop_redis(stream)
        finally:
            stop_postgres(database)
    finally:
        shutil.rmtree(home, ignore_errors=True)
