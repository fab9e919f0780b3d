"""A throw-away installation with seeded buyers and leads, and the baseline beside it.

Both use the same PostgreSQL server (a database each, same schema, same rows) and a Redis
each; the baseline's Redis appends its log to disk every second.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx

from engine.adapters.local.effective_settings import join_ray_environment, resolve_settings
from engine.adapters.local.installation import Installation
from engine.adapters.local.ports import free_port
from engine.adapters.local.redis_server import find_redis
from engine.settings import Settings
from migrations.migrate import upgrade
from serve_apps.api.tokens import AccessTokens

MARKET = "austin"
BUYERS = 500
SEATS = 3
BALANCE = 10**9
TOKEN_SECONDS = 24 * 3600


class Side(NamedTuple):
    """One of the two servers. `tokens` are bearer tokens, in step with the buyers' numbers."""

    name: str
    port: int
    database_url: str
    tokens: list[str]


class Stand(NamedTuple):
    settings: Settings
    marketplace: Side
    baseline: Side | None


@contextmanager
def stand(
    leads: int, *, with_baseline: bool = True, environment: Mapping[str, str] | None = None
) -> Iterator[Stand]:
    """Both sides serving on loopback with `leads` leads of three seats, and nothing else.

    `environment` adds settings.
    """
    home = Path(tempfile.mkdtemp(prefix="aiqb-"))
    # PostgreSQL's account must be able to enter when this runs as root.
    home.chmod(0o755)
    settings_given = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIQLEADS_")},
        "AIQLEADS_DATA_DIR": str(home / "var"),
        "AIQLEADS_HTTP_PORT": str(free_port()),
        "AIQLEADS_ACCESS_TOKEN_SECONDS": str(TOKEN_SECONDS),
        **{
            f"AIQLEADS_RATE_LIMIT_{plan}": "0"
            for plan in ("BASIC", "PRO", "ENTERPRISE", "ANONYMOUS")
        },
        **(environment or {}),
    }
    cli = [sys.executable, "-m", "serve_apps.cli"]
    stop: list[subprocess.Popen[bytes]] = []
    try:
        _run([*cli, "up", "--no-ingest"], settings_given)
        os.environ.update(settings_given)
        settings = resolve_settings(Settings())
        installation = Installation.find(settings.data_dir)
        assert installation is not None
        join_ray_environment(installation)
        marketplace = _marketplace(settings, leads)
        # A second start, so that every process finds the leads as it would any day.
        _run([*cli, "down"], settings_given)
        _run([*cli, "up", "--no-ingest"], settings_given)
        settings = resolve_settings(Settings())
        marketplace = marketplace._replace(database_url=settings.database_url)
        baseline = _baseline(settings, leads, home, stop) if with_baseline else None
        yield Stand(settings, marketplace, baseline)
    finally:
        for process in reversed(stop):
            process.terminate()
            process.wait(20)
        _run([*cli, "down"], settings_given)
        shutil.rmtree(home, ignore_errors=True)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stdout}{done.stderr}")


def lead_id(number: int) -> str:
    return f"bench-{number:010d}"


def buyer_id(number: int) -> str:
    return f"buyer-{number:06d}"


def _marketplace(settings: Settings, leads: int) -> Side:
    tokens = AccessTokens(settings.jwt_secret.get_secret_value(), TOKEN_SECONDS)
    families = asyncio.run(seed(settings.database_url, leads))
    bearers = [tokens.issue(buyer_id(n), family) for n, family in enumerate(families)]
    return Side("marketplace", settings.http_port, settings.database_url, bearers)


def _baseline(
    settings: Settings, leads: int, home: Path, stop: list[subprocess.Popen[bytes]]
) -> Side:
    server, _, _ = settings.database_url.rpartition("/")
    url = f"{server}/baseline"
    asyncio.run(_create_database(settings.database_url, "baseline"))
    upgrade(url)
    families = asyncio.run(seed(url, leads))
    redis_port, port = free_port(), free_port()
    folder = home / "baseline-redis"
    folder.mkdir()
    stop.append(
        subprocess.Popen(
            [
                *(str(find_redis()), "--port", str(redis_port), "--bind", "127.0.0.1"),
                *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec"),
                *("--save", "", "--logfile", str(home / "baseline-redis.log")),
            ]
        )
    )
    secret = secrets.token_urlsafe(32)
    environment = {
        **os.environ,
        "AIQLEADS_DATABASE_URL": url,
        "AIQLEADS_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
        "AIQLEADS_JWT_SECRET": secret,
    }
    stop.append(
        subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "benchmarks.baseline.app:app"),
                *("--port", str(port), "--workers", "2", "--loop", "uvloop"),
                *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
            ],
            env=environment,
        )
    )
    _await_http(port)
    tokens = AccessTokens(secret, TOKEN_SECONDS)
    bearers = [tokens.issue(buyer_id(n), family) for n, family in enumerate(families)]
    return Side("baseline", port, url, bearers)


def _await_http(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/openapi.json", timeout=5)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers on port {port}")


async def _create_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


async def seed(url: str, leads: int) -> list[str]:
    """Buyers with wallets and sessions, leads with contacts. Returns the session families."""
    connection = await asyncpg.connect(url, command_timeout=300)
    families = [f"family-{number:06d}" for number in range(BUYERS)]
    try:
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO markets (market, name, time_zone)"
                " VALUES ($1, 'Austin', 'America/Chicago') ON CONFLICT DO NOTHING",
                MARKET,
            )
            await connection.execute(
                "INSERT INTO users (user_id, email, password_hash, full_name, plan)"
                " SELECT 'buyer-' || lpad(n::text, 6, '0'), 'buyer' || n || '@example.com', '-',"
                " 'Buyer', 'enterprise' FROM generate_series(0, $1::int - 1) n",
                BUYERS,
            )
            await connection.execute(
                "INSERT INTO wallets SELECT user_id, $1 FROM users WHERE password_hash = '-'",
                BALANCE,
            )
            await connection.execute(
                "INSERT INTO transfers"
                " (transfer_id, debit_account, credit_account, amount, reason)"
                " SELECT 'seed:' || user_id, 'house:grants', 'user:' || user_id, $1, 'seed'"
                " FROM wallets WHERE balance = $1",
                BALANCE,
            )
            await connection.execute(
                "INSERT INTO sessions (family_id, user_id, token_hash, expires_at)"
                " SELECT 'family-' || right(user_id, 6), user_id, '\\x00', now() + '1 day'"
                " FROM users WHERE password_hash = '-'"
            )
            await connection.execute(
                "INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, sources,"
                " list_price, property_type, city, latitude, longitude, public_remarks)"
                " SELECT 'bench-' || lpad(n::text, 10, '0'), $2, now(), now(), 0.5, '{bench}',"
                " 300000 + n, 'Residential', 'Austin', 30.2 + (n % 1000) / 5000.0,"
                " -97.8 + (n / 1000 % 1000) / 5000.0, 'Three bedrooms, quiet street'"
                " FROM generate_series(0, $1::int - 1) n",
                leads,
                MARKET,
            )
            await connection.execute(
                "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
                " SELECT lead_id, market, 'available', 10, $1 FROM leads",
                SEATS,
            )
            await connection.execute(
                "INSERT INTO contacts (lead_id, name, phone, email, unparsed_address)"
                " SELECT lead_id, 'A. Seller', '+15125550100', 'seller@example.com', '1 Main St'"
                " FROM leads"
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return families
