"""`aiqleads up`: from nothing, or from whatever still runs, to a market that serves.

Every step first looks whether its work is done, so repeating the command after
a failure, or while the market runs, does only what is missing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx

from engine.adapters.local.effective_settings import fill_in, join_ray_environment
from engine.adapters.local.installation import Installation
from engine.adapters.local.ports import is_free
from engine.adapters.local.postgres_server import DATABASE, PostgresServer
from engine.adapters.local.process import is_running
from engine.adapters.local.redis_server import RedisServer
from engine.adapters.local.replay_server import start_replay
from engine.adapters.local.run_record import ServiceRecord
from engine.settings import Settings
from serve_apps.cli import health
from serve_apps.cli.ingest import already_ingested, ingest, remember_ingest
from serve_apps.cli.steps import StepFailed, Steps

_READY_SECONDS = 120.0


class Started(NamedTuple):
    """What `up` ended with. `new_admin_password` only when it was made just now."""

    url: str
    world: str
    admin_email: str
    new_admin_password: str | None
    was_running: bool


def up(configured: Settings, steps: Steps, *, with_ingest: bool | None = None) -> Started:
    """Start, migrate, launch, serve and ingest. Raises StepFailed at the first step that can't.

    `with_ingest`: None ingests a world that was not ingested here before.
    """
    with steps.step("data directory", remedy="set AIQLEADS_DATA_DIR") as step:
        installation = Installation.open(configured.data_dir)
        step.detail = str(installation.data_dir)
    with installation.lock():
        _require_captures(configured)
        _claim_http_port(configured, installation)
        was_running = bool(health.own_listeners(configured, installation, configured.http_port))
        if was_running:
            steps.say(
                f"already running at {health.http_base(configured)}; doing what is missing "
                "(changed settings take effect after `aiqleads down`)"
            )
        _start_stores(configured, installation, steps)
        _prepare_database(fill_in(configured, installation), installation, steps)
        if configured.ray_address:
            with steps.step("Ray", remedy="check AIQLEADS_RAY_ADDRESS and that cluster") as step:
                step.detail = asyncio.run(health.ask_listener(configured.ray_address))
        else:
            _start_ray(configured, installation, steps)
            join_ray_environment(installation)
        if not configured.replay_url:
            _start_replay(configured, installation, steps)
        settings = fill_in(configured, installation)
        _serve(configured, settings, installation, steps)
        _serve_models(settings, installation, steps)
        if with_ingest or (with_ingest is None and not already_ingested(settings, installation)):
            ingest(settings, steps, source="all", market=None)
            remember_ingest(settings, installation)
    made_password = not configured.admin_password.get_secret_value() and _first_announcement(
        installation
    )
    return Started(
        url=health.http_base(settings),
        world=world_of(settings),
        admin_email=settings.admin_email,
        new_admin_password=settings.admin_password.get_secret_value() if made_password else None,
        was_running=was_running,
    )


def _first_announcement(installation: Installation) -> bool:
    """True once per installation: earlier starts may have failed before they said it."""
    try:
        (installation.data_dir / "admin_announced").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def world_of(settings: Settings) -> str:
    """What is traded on, in words; the sample world always says that it is one."""
    if settings.captures is not None:
        return f"captures in {settings.captures}"
    return f"SAMPLE WORLD (invented homes, seed {settings.sample_seed})"


def _require_captures(settings: Settings) -> None:
    """Before anything starts: what is wrong with the folder would else show at the end."""
    if settings.captures is not None and not settings.captures.is_dir():
        raise StepFailed(
            "captures",
            f"{settings.captures.absolute()} is not a folder",
            log=None,
            remedy="mend AIQLEADS_CAPTURES, or unset it to trade on the sample world",
        )


def _claim_http_port(settings: Settings, installation: Installation) -> None:
    """Refuse a port that others use: our listeners would silently share it with them."""
    port = settings.http_port
    others = health.listeners(port).keys() - health.own_listeners(settings, installation, port)
    remedy = "set AIQLEADS_HTTP_PORT to a free port, or stop the program that uses this one"
    if others:
        named = ", ".join(
            f"{name} (process {pid})" if pid else name
            for pid, name in health.listeners(port).items()
            if pid in others
        )
        raise StepFailed("HTTP port", f"port {port} is taken by {named}", log=None, remedy=remedy)
    if health.own_listeners(settings, installation, port):
        return
    try:
        free = is_free(settings.http_host, port)
    except OSError as error:
        raise StepFailed(
            "HTTP port",
            f"can't listen on {settings.http_host} port {port}: {error.strerror}",
            log=None,
            remedy="set AIQLEADS_HTTP_HOST to an address of this machine "
            "and AIQLEADS_HTTP_PORT to a port that you may use",
        ) from error
    if not free:
        raise StepFailed("HTTP port", f"port {port} is taken", log=None, remedy=remedy)


def _start_stores(settings: Settings, installation: Installation, steps: Steps) -> None:
    secret = installation.secrets
    if settings.database_url:
        with steps.step("PostgreSQL", remedy="check AIQLEADS_DATABASE_URL and that server") as step:
            step.detail = f"configured, {asyncio.run(health.ask_postgres(settings.database_url))}"
    else:
        log = installation.logs / "postgres.log"
        server = PostgresServer(installation.postgres_directory, log, secret.postgres_password)

        def start_postgres(port: int | None) -> ServiceRecord:
            server.create()
            record = server.start(port)
            server.create_database(record.port, DATABASE)
            return record

        _ensure("PostgreSQL", "postgres", start_postgres, installation, steps, log)
    if settings.redis_url:
        with steps.step("Redis", remedy="check AIQLEADS_REDIS_URL and that server") as step:
            step.detail = f"configured, {asyncio.run(health.ask_redis(settings.redis_url))}"
    else:
        log = installation.logs / "redis.log"
        redis = RedisServer(installation.data_dir / "redis", log, secret.redis_password)
        _ensure("Redis", "redis", redis.start, installation, steps, log)


def _ensure(
    name: str,
    service: str,
    start: Callable[[int | None], ServiceRecord],
    installation: Installation,
    steps: Steps,
    log: Path,
) -> None:
    """Have a private service running: the recorded one, else a new one on the same port."""
    with steps.step(
        name, log=log, remedy="mend what the log names, then run `aiqleads up` again"
    ) as step:
        record = installation.records.read(service)
        if record is None or not is_running(record.process):
            record = start(None if record is None else record.port)
            installation.records.write(record)
        step.detail = f"port {record.port}, process {record.process.pid}"


def _prepare_database(settings: Settings, installation: Installation, steps: Steps) -> None:
    from engine.adapters.postgres.accounts import ensure_admin
    from migrations.migrate import upgrade

    remedy = "see docs/Operations.md, section Migrations; no step after it has run"
    with steps.step("migrations", log=installation.logs / "postgres.log", remedy=remedy):
        upgrade(settings.database_url)
    with steps.step("administrator", remedy="check AIQLEADS_ADMIN_EMAIL and _PASSWORD") as step:
        password = settings.admin_password.get_secret_value()
        asyncio.run(ensure_admin(settings.database_url, settings.admin_email, password))
        step.detail = settings.admin_email


def _start_ray(settings: Settings, installation: Installation, steps: Steps) -> None:
    from actors.ray_head import start_ray

    log = installation.logs / "ray.log"
    with steps.step("Ray", log=log, remedy="free memory or disk if short, then repeat") as step:
        record = installation.records.read("ray")
        if record is None or not is_running(record.process):
            record = start_ray(settings, installation)
        step.detail = f"port {record.port}, process {record.process.pid}"


def _start_replay(settings: Settings, installation: Installation, steps: Steps) -> None:
    log = installation.logs / "replay.log"
    with steps.step("replay site", log=log, remedy="check AIQLEADS_CAPTURES") as step:
        record = installation.records.read("replay")
        if record is None or not is_running(record.process) or _other_world(settings, record):
            record = start_replay(settings, installation)
        step.detail = f"port {record.port}, {world_of(settings)}"


def _other_world(settings: Settings, record: ServiceRecord) -> bool:
    """True if the running site serves other captures than are configured now."""
    command = Path(f"/proc/{record.process.pid}/cmdline").read_bytes().split(b"\0")
    wanted = [str(settings.sample_seed), str(settings.sample_size)]
    if settings.captures is not None:
        wanted = [str(settings.captures.absolute())]
    return not all(os.fsencode(word) in command for word in wanted)


def _serve(
    configured: Settings, settings: Settings, installation: Installation, steps: Steps
) -> None:
    """The two calls that make the cluster a market, then proof that it answers."""
    log = installation.scratch / "ray" / "session_latest" / "logs"
    with steps.step("actors", log=log, remedy="`aiqleads doctor`; then repeat `up`") as step:
        from actors.launch import launch

        done: list[str] = []
        launch(settings, done.append)
        step.detail = f"{len(done)} serving"
    with steps.step("HTTP", log=log, remedy="`aiqleads doctor`; then repeat `up`") as step:
        base = health.http_base(settings)
        if _answers(base, configured, installation):
            step.detail = f"{base}, serving already"
            return
        from serve_apps.build import run

        run(settings)
        _await_ready(base, configured, installation)
        step.detail = base


def _serve_models(settings: Settings, installation: Installation, steps: Steps) -> None:
    """Never fails: the market trades without its models, and `status` tells that they are away."""
    if settings.models == "off":
        return
    log = installation.scratch / "ray" / "session_latest" / "logs"
    with steps.step("models", log=log) as step:
        from ray.exceptions import RayError

        from serve_apps.build import run_models
        from serve_apps.cli.model_seeds import seed_all

        found = asyncio.run(seed_all(settings))
        try:
            problems = run_models(settings)
        except (RuntimeError, ConnectionError, RayError) as error:
            problems = {"all": str(error)}
        said = [f"{name} {words}" for name, words in found.items()]
        said += [f"{name} does not serve: {reason}" for name, reason in problems.items()]
        step.detail = "; ".join(said)


def _answers(base: str, configured: Settings, installation: Installation) -> bool:
    """True if our replicas serve: deploying them again would cut every socket."""
    if not health.own_listeners(configured, installation, configured.http_port):
        return False
    try:
        asyncio.run(health.ask_http(f"{base}/readyz"))
    except httpx.HTTPError:
        return False
    return True


def _await_ready(base: str, configured: Settings, installation: Installation) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    last = "nothing listened"
    while time.monotonic() < deadline:
        try:
            last = asyncio.run(health.ask_http(f"{base}/readyz"))
            break
        except httpx.HTTPError as error:
            last = str(error) or type(error).__name__
            time.sleep(0.2)
    else:
        raise TimeoutError(f"{base}/readyz did not answer 200 in {_READY_SECONDS:.0f} s: {last}")
    port = configured.http_port
    strangers = health.listeners(port).keys() - health.own_listeners(configured, installation, port)
    if strangers:
        raise RuntimeError(
            f"processes {sorted(strangers)} share port {port} with us: "
            "set AIQLEADS_HTTP_PORT to a port of our own"
        )


def stay(configured: Settings, installation: Installation) -> bool:
    """Wait for SIGTERM or SIGINT (True), or until the private Ray is gone (False)."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    while not asked.wait(2.0):
        record = installation.records.read("ray")
        if configured.ray_address:
            continue
        if record is None or not is_running(record.process):
            return False
    return True
