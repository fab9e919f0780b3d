"""`aiqleads down`: end exactly what `up` started for this installation, in order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine.adapters.local.daemon import leftovers, stop_marked
from engine.adapters.local.effective_settings import ray_environment
from engine.adapters.local.installation import Installation
from engine.adapters.local.postgres_server import PostgresServer, stop_postgres
from engine.adapters.local.process import ProcessRecord, is_running
from engine.adapters.local.redis_server import stop_redis
from engine.adapters.local.run_record import ServiceRecord
from engine.settings import Settings
from serve_apps.cli.steps import StepFailed, Steps

_DRAIN_SECONDS_MAX = 45.0


def down(configured: Settings, steps: Steps) -> bool:
    """Stop the installation; False if nothing of it ran. Raises StepFailed naming survivors."""
    installation = Installation.find(configured.data_dir)
    if installation is None:
        return False
    with installation.lock():
        record = installation.records.read("ray")
        if configured.ray_address or (record is not None and is_running(record.process)):
            _drain(configured, installation, steps)
        stopped = [
            _stop_marked("Ray", "ray", installation, steps),
            _stop_marked("replay site", "replay", installation, steps),
            _stop_recorded("Redis", "redis", stop_redis, installation, steps),
            _stop_recorded("PostgreSQL", "postgres", stop_postgres, installation, steps),
        ]
    return any(stopped)


def _drain(configured: Settings, installation: Installation, steps: Steps) -> None:
    """Let the API finish what is in flight and the actors let go of their markets.

    In a process of its own with a deadline: a cluster that is half dead may
    never answer. Nothing is lost if it doesn't; the journal has all that was said.
    """
    environment = {} if configured.ray_address else ray_environment(installation)
    log = installation.logs / "drain.log"
    with steps.step("sockets and actors") as step, log.open("wb") as output:
        # A session of its own, so that Ctrl-C does not cut the draining short.
        draining = subprocess.Popen(
            [sys.executable, "-m", "serve_apps.cli.drain"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            status = draining.wait(_DRAIN_SECONDS_MAX)
            step.detail = "drained" if status == 0 else f"not drained, see {log}; stopping anyway"
        except subprocess.TimeoutExpired:
            draining.kill()
            draining.wait()
            step.detail = f"not drained within {_DRAIN_SECONDS_MAX:.0f} s; stopping anyway"


def _stop_marked(name: str, service: str, installation: Installation, steps: Steps) -> bool:
    if not leftovers(installation, service, installation.records.read(service)):
        installation.records.forget(service)
        return False
    with steps.step(f"{name} stopped"):
        survivors = stop_marked(installation, service)
    _insist(name, survivors)
    return True


def _stop_recorded(
    name: str,
    service: str,
    stop: Callable[[ServiceRecord], list[ProcessRecord]],
    installation: Installation,
    steps: Steps,
) -> bool:
    record = installation.records.read(service)
    if service == "postgres":
        record = _postgres_as_it_runs(installation, record)
    if record is None or not is_running(record.process):
        installation.records.forget(service)
        return False
    with steps.step(f"{name} stopped"):
        survivors = stop(record)
    _insist(name, survivors)
    installation.records.forget(service)
    return True


def _postgres_as_it_runs(
    installation: Installation, record: ServiceRecord | None
) -> ServiceRecord | None:
    """The server on our data directory, also when its record was lost."""
    directory = installation.postgres_directory
    log = installation.logs / "postgres.log"
    server = PostgresServer(directory, log, installation.secrets.postgres_password)
    running = server.running()
    if running is None:
        return record
    process, port = running
    return ServiceRecord("postgres", process, port, server.url(port), str(Path(log)))


def _insist(name: str, survivors: list[ProcessRecord]) -> None:
    if survivors:
        numbers = ", ".join(str(process.pid) for process in survivors)
        raise StepFailed(
            f"{name} stopped",
            f"processes {numbers} survived even SIGKILL",
            log=None,
            remedy="they wait for the kernel (a stuck disk?); see `dmesg`, then repeat `down`",
        )
