"""Is it well? One bounded question to each part of an installation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import asyncpg
import httpx
import psutil
import redis.asyncio as redis
from redis.exceptions import RedisError

from engine.adapters.local.daemon import leftovers
from engine.adapters.local.effective_settings import join_ray_environment
from engine.adapters.local.installation import Installation
from engine.adapters.local.process import is_running
from engine.settings import Settings

_SECONDS_MAX = 5.0


class Health(NamedTuple):
    """One part. `pid` is None for what runs elsewhere or not at all."""

    part: str
    healthy: bool
    detail: str
    pid: int | None = None
    port: int | None = None
    url: str = ""
    log: str = ""


async def ask_postgres(url: str) -> str:
    """The server's version. Raises OSError or asyncpg.PostgresError."""
    connection = await asyncpg.connect(url, timeout=_SECONDS_MAX)
    try:
        version: str = await connection.fetchval("SHOW server_version", timeout=_SECONDS_MAX)
    finally:
        await connection.close(timeout=_SECONDS_MAX)
    return f"PostgreSQL {version}"


async def ask_redis(url: str) -> str:
    """The server's version. Raises RedisError or OSError."""
    client = redis.from_url(url, socket_timeout=_SECONDS_MAX, socket_connect_timeout=_SECONDS_MAX)
    try:
        about = await client.info("server")
    finally:
        await client.aclose()
    return (
        f"{about.get('server_name', 'redis')} {about.get('valkey_version', about['redis_version'])}"
    )


async def ask_listener(address: str) -> str:
    """Whether somebody accepts connections at `host:port`. Raises OSError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    _, writer = await asyncio.wait_for(
        asyncio.open_connection(host or "127.0.0.1", int(port)), _SECONDS_MAX
    )
    writer.close()
    await writer.wait_closed()
    return f"listening at {address}"


async def ask_http(url: str) -> str:
    """Raises httpx.HTTPError, or its HTTPStatusError for an answer that is no success."""
    async with httpx.AsyncClient(timeout=_SECONDS_MAX, trust_env=False) as client:
        answer = await client.get(url)
        answer.raise_for_status()
    return f"{url} answers {answer.status_code}"


def http_base(settings: Settings) -> str:
    """Where this machine reaches the market over HTTP."""
    host = settings.http_host
    if host in ("0.0.0.0", ""):
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def listeners(port: int) -> dict[int, str]:
    """Processes that listen on a TCP port, by id; 0 stands for those we may not see."""
    found: dict[int, str] = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or connection.laddr.port != port:
            continue
        pid = connection.pid or 0
        try:
            found[pid] = psutil.Process(pid).name() if pid else "another user's process"
        except psutil.NoSuchProcess:
            continue
    return found


def own_listeners(settings: Settings, installation: Installation, port: int) -> set[int]:
    """Process ids of our own replicas that listen on the port.

    On a Ray cluster that is not ours to run, any Ray worker counts as one.
    """
    here = listeners(port)
    if settings.ray_address:
        return {pid for pid, name in here.items() if name.startswith("ray::")}
    ours = {
        process.pid for process in leftovers(installation, "ray", installation.records.read("ray"))
    }
    return ours & here.keys()


Question = Callable[[], Awaitable[str]]


async def _ask(part: str, question: Question, **known: object) -> Health:
    try:
        detail = await asyncio.wait_for(question(), 2 * _SECONDS_MAX)
    except (OSError, asyncpg.PostgresError, RedisError, httpx.HTTPError, TimeoutError) as error:
        words = str(error) or type(error).__name__
        return Health(part, False, words, **known)  # type: ignore[arg-type]
    return Health(part, True, detail, **known)  # type: ignore[arg-type]


async def examine(
    configured: Settings, settings: Settings, installation: Installation | None
) -> list[Health]:
    """Every part's health. `settings` are the effective ones, `configured` what was asked for."""
    questions: list[Awaitable[Health]] = []
    services: list[tuple[str, str, Callable[[str], Awaitable[str]]]] = [
        ("postgres", "database_url", ask_postgres),
        ("redis", "redis_url", ask_redis),
        ("ray", "ray_address", ask_listener),
        ("replay", "replay_url", lambda url: ask_http(f"{url}/robots.txt")),
    ]
    for part, name, ask in services:
        url: str = getattr(settings, name)
        if getattr(configured, name):
            questions.append(_ask(part, lambda ask=ask, url=url: ask(url)))  # type: ignore[misc]
            continue
        record = None if installation is None else installation.records.read(part)
        if record is None or not is_running(record.process):
            was = "ended unexpectedly" if record else "not running"
            questions.append(_known(Health(part, False, was, log=record.log if record else "")))
            continue
        known = {"pid": record.process.pid, "port": record.port, "log": record.log}
        questions.append(_ask(part, lambda ask=ask, url=url: ask(url), **known))  # type: ignore[misc]
    base = http_base(settings)
    ours = own_listeners(configured, installation, settings.http_port) if installation else set()
    questions.append(
        _ask(
            "api",
            lambda: ask_http(f"{base}/readyz"),
            pid=min(ours) if ours else None,
            port=settings.http_port,
            url=base,
        )
    )
    return list(await asyncio.gather(*questions))


async def _known(health: Health) -> Health:
    return health


def examine_actors(
    configured: Settings,
    settings: Settings,
    installation: Installation | None,
    parts: Sequence[Health],
) -> list[Health]:
    """The actors, by their own word; none if Ray, in `parts`, is not well.

    The API answers reads while a book is away, so its health says nothing of theirs.
    """
    ray = next(part for part in parts if part.part == "ray")
    if not ray.healthy:
        return []
    if installation is not None and not configured.ray_address:
        join_ray_environment(installation)
    from actors.launch import statuses

    try:
        said = statuses(settings)
    except (ConnectionError, RuntimeError) as error:
        return [Health("actors", False, str(error) or type(error).__name__, log=ray.log)]
    return [_actor(name, words, ray.log) for name, words in said.items()]


def _judged(said: dict[str, Any]) -> str:
    """How a desk has judged its leads since it started."""
    told = [f"{count} leads by fraud {version}" for version, count in said["scored"].items()]
    if said["by_rules"]:
        told.append(f"{said['by_rules']} by rules alone")
    if said["to_rescore"]:
        told.append(f"{said['to_rescore']} wait to be scored")
    return f"judged {', '.join(told)}" if told else "serving"


def _actor(name: str, said: dict[str, Any] | None, log: str) -> Health:
    if said is None:
        return Health(name, False, "does not answer", log=log)
    if said.get("problem"):
        return Health(name, False, str(said["problem"]), pid=said.get("pid"), log=log)
    if not said["serving"]:
        return Health(name, False, "is not serving yet", pid=said.get("pid"), log=log)
    detail = f"{said['leads']} leads, feed at {said['feed_seq']}" if "leads" in said else "serving"
    if "carts" in said:
        detail = f"{said['carts']} carts, {said['waiting']} buyers to be told"
    if "to_rescore" in said:
        detail = _judged(said)
    if "policy" in said:
        detail = f"{said['priced']} leads by {said['policy']}, {said['prices_changed']} new prices"
    if "runs" in said:
        detail = f"running {', '.join(said['runs'])}" if said["runs"] else "waiting for a turn"
    return Health(name, True, detail, pid=said.get("pid"), log=log)
