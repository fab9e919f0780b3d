"""`aiqleads doctor`: what is wrong with this machine or installation, and what to do."""

from __future__ import annotations

import asyncio
import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import asyncpg

from engine.adapters.letters import Letters
from engine.adapters.local.effective_settings import fill_in
from engine.adapters.local.installation import Installation, InstallationUnusable
from engine.adapters.local.ports import is_free
from engine.adapters.local.postgres_programs import PostgresMissing, find_postgres
from engine.adapters.local.redis_server import RedisMissing, find_redis
from engine.adapters.local.run_record import BrokenRecord
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.source_state import states as source_states
from engine.adapters.smtp import SmtpServer
from engine.market.pricing.experiment import plan_of
from engine.market.pricing.parts import price_of, unpack
from engine.market_directory import load_markets
from engine.settings import Settings
from serve_apps.cli import health
from serve_apps.cli.model_health import examine_models

_DISK_GB_MIN = 2.0
_PORT_RANGE_FROM = 32_768
_FAILURES_TOLD = 3
_EXPLAINED_MAX = 20_000
_DRIFT_REMEDY = "compare its pages with its parser; see docs/Operations.md, section Sources"


class Finding(NamedTuple):
    """One thing looked at. `remedy` is empty when all is well."""

    name: str
    well: bool
    detail: str
    remedy: str = ""


def examine(configured: Settings) -> list[Finding]:
    """Everything worth knowing before asking anyone else. Changes nothing."""
    found = [
        _python(),
        _packages(),
        *_programs(configured),
        _disk(configured),
        *_settings(configured),
    ]
    try:
        installation = Installation.find(configured.data_dir)
    except (InstallationUnusable, BrokenRecord) as error:
        return [*found, Finding("data directory", False, str(error), "see docs/Operations.md")]
    found.append(_port(configured, installation))
    if installation is None:
        found.append(Finding("installation", True, "none yet; `aiqleads up` makes it"))
        return found
    settings = fill_in(configured, installation)
    parts = asyncio.run(health.examine(configured, settings, installation))
    parts += health.examine_actors(configured, settings, installation, parts)
    parts += asyncio.run(examine_models(settings, parts))
    for part in parts:
        remedy = "" if part.healthy else f"`aiqleads up` starts it; log: {part.log or 'none'}"
        found.append(Finding(f"running: {part.part}", part.healthy, part.detail, remedy))
    if settings.database_url:
        found += asyncio.run(_database(settings.database_url))
    return found


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    well = sys.version_info >= (3, 11)
    return Finding("python", well, version, "" if well else "make .venv with Python 3.11 or newer")


def _packages() -> Finding:
    """The installed packages against what this project asks for."""
    from packaging.requirements import Requirement

    try:
        requirements = importlib.metadata.requires("aiqleads") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", False, "aiqleads itself is not installed", "run `make install`")
    wrong = []
    for line in requirements:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} is not {wanted.specifier}")
    if wrong:
        return Finding("packages", False, "; ".join(wrong), "run `make install`")
    return Finding("packages", True, "as pyproject.toml asks")


def _programs(settings: Settings) -> Iterator[Finding]:
    if not settings.database_url:
        yield _program(
            "PostGIS", lambda: "PostgreSQL {0.major} in {0.directory}".format(find_postgres())
        )
    if not settings.redis_url:
        yield _program("Redis", lambda: str(find_redis()))


def _program(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except (PostgresMissing, RedisMissing) as error:
        return Finding(name, False, str(error), "run scripts/install-system-packages")


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    well = free_gb >= _DISK_GB_MIN
    remedy = "" if well else f"free {_DISK_GB_MIN:.0f} GB there or move AIQLEADS_DATA_DIR"
    return Finding("disk", well, f"{free_gb:.1f} GB free at {place}", remedy)


def _settings(settings: Settings) -> Iterator[Finding]:
    if settings.captures is not None:
        well = settings.captures.is_dir()
        yield Finding(
            "captures",
            well,
            str(settings.captures) if well else f"{settings.captures} is not a folder",
            "" if well else "mend AIQLEADS_CAPTURES, or unset it for the sample world",
        )
    try:
        markets = load_markets(settings.markets_file)
        yield Finding("markets", True, ", ".join(markets))
    except (ValueError, OSError) as error:
        yield Finding("markets", False, str(error), "mend the file AIQLEADS_MARKETS_FILE names")
    secret = settings.jwt_secret.get_secret_value()
    if secret and len(secret) < 32:
        yield Finding(
            "jwt secret", False, "shorter than 32 characters", "set a longer AIQLEADS_JWT_SECRET"
        )
    yield _prices(settings)
    if url := settings.smtp_url.get_secret_value():
        yield _mail(url, settings)
    if settings.http_port >= _PORT_RANGE_FROM:
        yield Finding(
            "HTTP port range",
            False,
            f"{settings.http_port} lies where the kernel takes ports for outgoing connections",
            f"set AIQLEADS_HTTP_PORT below {_PORT_RANGE_FROM}",
        )


def _prices(settings: Settings) -> Finding:
    """Whether there are such policies; the agents themselves are looked at as what runs."""
    if settings.pricing == "off":
        return Finding("prices", True, "stay as they are: AIQLEADS_PRICING is off")
    try:
        plan = plan_of(settings.pricing_policy, settings.pricing_experiment)
    except ValueError as error:
        return Finding(
            "prices", False, str(error), "mend AIQLEADS_PRICING_POLICY or _PRICING_EXPERIMENT"
        )
    return Finding("prices", True, f"by {' and '.join(plan.arms)}")


def _mail(url: str, settings: Settings) -> Finding:
    """Whether e-mails could be written and handed over; the server is not asked."""
    try:
        server = SmtpServer.parse(url)
        Letters(settings.mail_from, settings.public_url)
    except ValueError as error:
        return Finding("e-mail", False, str(error), "mend AIQLEADS_SMTP_URL or _MAIL_FROM")
    return Finding("e-mail", True, f"by {server.host} port {server.port}")


def _port(settings: Settings, installation: Installation | None) -> Finding:
    port = settings.http_port
    if installation is not None and health.own_listeners(settings, installation, port):
        return Finding("HTTP port", True, f"{port} is ours")
    taken = health.listeners(port)
    if taken:
        names = ", ".join(f"{name} ({pid})" for pid, name in taken.items())
        return Finding("HTTP port", False, f"{port} is taken by {names}", "set AIQLEADS_HTTP_PORT")
    try:
        free = is_free(settings.http_host, port)
    except OSError as error:
        return Finding("HTTP port", False, str(error), "set AIQLEADS_HTTP_HOST or _PORT")
    return Finding("HTTP port", free, f"{port} is {'free' if free else 'taken'}")


async def _database(database_url: str) -> list[Finding]:
    """The schema's revision, PostGIS, and the rules that the books must obey."""
    try:
        connection = await asyncpg.connect(database_url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        words = str(error) or type(error).__name__
        return [Finding("database", False, words, "start it, or check AIQLEADS_DATABASE_URL")]
    try:
        revision = await _revision(connection)
        postgis = await connection.fetchval(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'"
        )
    finally:
        await connection.close()
    newest = _newest_revision()
    migrated = revision == newest
    found = [
        Finding(
            "PostGIS in the database",
            postgis is not None,
            postgis or "not available on that server",
            "" if postgis else "install PostGIS on the database server",
        ),
        Finding(
            "migrations",
            migrated,
            f"at {revision or 'nothing'}, newest is {newest}",
            "" if migrated else "run `aiqleads migrate`",
        ),
    ]
    if migrated:
        from engine.adapters.postgres.audit import audit

        problems = await audit(database_url)
        remedy = "stop trading with `aiqleads down` and see docs/Operations.md, section Books"
        found += [Finding("books", False, problem, remedy) for problem in problems]
        if not problems:
            found.append(Finding("books", True, "ledger, seats and journal agree"))
        found.append(await _explained(database_url))
        found += await _sources(database_url)
        found += await _mails(database_url)
        found.append(await _scams(database_url))
    return found


async def _explained(database_url: str) -> Finding:
    """Whether prices are made by the parts they are stored with, of some leads."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        rows = await connection.fetch(
            "SELECT lead_id, price, price_parts FROM lead_trading"
            " WHERE price_parts IS NOT NULL LIMIT $1",
            _EXPLAINED_MAX,
        )
    finally:
        await connection.close()
    wrong = [row[0] for row in rows if price_of(unpack(row[2])) != row[1]]
    if not wrong:
        return Finding("explained prices", True, f"{len(rows)} are what their parts make")
    detail = f"{len(wrong)} of {len(rows)} are not what their parts make, as {wrong[0]}"
    return Finding("explained prices", False, detail, "see docs/Operations.md, section Prices")


async def _scams(database_url: str) -> Finding:
    """Leads that no model has scored yet, and those that wait for a reviewer."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        waiting, late, hidden = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM fraud_scores WHERE needs_rescoring),"
            " (SELECT count(*) FROM fraud_scores WHERE needs_rescoring AND model IS NULL"
            " AND scored_at < now() - interval '10 minutes'),"
            " (SELECT count(*) FROM lead_trading WHERE lead_state = 'quarantined')"
        )
    finally:
        await connection.close()
    detail = f"{hidden} leads in quarantine, {waiting} to be scored"
    if not late:
        return Finding("scams", True, detail)
    remedy = "see docs/Operations.md, section Fraud review"
    return Finding("scams", False, f"{detail}, {late} judged by rules alone for 10 minutes", remedy)


async def _mails(database_url: str) -> list[Finding]:
    """E-mails that were given up, or that nobody sends."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        failed, late = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE mail_state = 'failed'),"
            " count(*) FILTER (WHERE mail_state = 'waiting'"
            " AND mail_due_at < now() - interval '10 minutes')"
            " FROM notifications WHERE created_at > now() - interval '1 day'"
        )
    finally:
        await connection.close()
    if not failed and not late:
        return [Finding("e-mails", True, "none was given up today, none is late")]
    detail = f"{failed} given up and {late} late, of the last day"
    return [Finding("e-mails", False, detail, "see docs/Operations.md, section Carts and e-mail")]


async def _sources(database_url: str) -> list[Finding]:
    """Sources that give less than they gave, or that fail whenever they are run."""
    pool = await open_pool(database_url, application="doctor", size_max=1)
    try:
        states = await source_states(pool)
    finally:
        await pool.close()
    found = []
    for (source, market), state in states.items():
        name = f"source {source} in {market}"
        if falls := state.drift.get("falls"):
            told = ", ".join(
                f"{each['field']} was {each['was']:g}, is {each['now']:g}" for each in falls
            )
            since = f"drifted since {state.drift['since']}: {told}"
            found.append(Finding(name, False, since, _DRIFT_REMEDY))
        if state.failures >= _FAILURES_TOLD:
            told = f"failed {state.failures} times in a row"
            found.append(Finding(name, False, told, f"`aiqleads ingest {source}` says why"))
    return found or [Finding("sources", True, "none has drifted or keeps failing")]


async def _revision(connection: asyncpg.Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def _newest_revision() -> str | None:
    from alembic.script import ScriptDirectory

    from migrations.migrate import alembic_config

    return ScriptDirectory.from_config(alembic_config("")).get_current_head()
