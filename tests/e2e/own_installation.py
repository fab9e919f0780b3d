"""An installation of the tests' own: started, asked and stopped by the command line alone."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

ADMIN_EMAIL = "admin@e2e.example"
COMMAND_SECONDS = 240.0
# Below the range from which the kernel takes ports for outgoing connections.
_PORTS = range(20_000, 32_000)


class OwnInstallation:
    """`aiqleads` with a data directory, a port and settings of its own.

    The commands run in an empty working directory, so that no `.env` takes part.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = directory / "d"
        self.work_dir = directory / "w"
        self.work_dir.mkdir()
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.admin_email = ADMIN_EMAIL
        self.admin_password = secrets.token_urlsafe(12)
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        self.environment = {
            **kept,
            "AIQLEADS_DATA_DIR": str(self.data_dir),
            "AIQLEADS_HTTP_PORT": str(self.port),
            "AIQLEADS_ADMIN_EMAIL": self.admin_email,
            "AIQLEADS_ADMIN_PASSWORD": self.admin_password,
            # What a test reads, it reads when it says so.
            "AIQLEADS_INGEST_SCHEDULE": "off",
            **(settings or {}),
        }

    def command(
        self, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one `aiqleads` command to its end, whatever its exit code."""
        return subprocess.run(
            [sys.executable, "-m", "serve_apps.cli", *arguments],
            cwd=self.work_dir,
            env={**self.environment, **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def succeed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command that must end with 0."""
        done = self.command(*arguments)
        assert done.returncode == 0, (
            f"aiqleads {' '.join(arguments)} ended with {done.returncode}:\n"
            f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
        return done

    def parts(self) -> dict[str, dict[str, Any]]:
        """What `status` says of each part, well or not."""
        told = json.loads(self.command("status", "--json").stdout)
        return {part["part"]: part for part in told["parts"]}

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this installation, found without its records.

        By the data directory in the environment; Ray's workers and PostgreSQL's
        backends write over theirs and are found as members of the same session or
        as descendants.
        """
        wanted = str(self.data_dir)
        found: dict[int, psutil.Process] = {}
        sessions: set[int] = set()
        everyone = list(psutil.process_iter())
        for process in everyone:
            try:
                if process.environ().get("AIQLEADS_DATA_DIR") != wanted:
                    continue
                found[process.pid] = process
                sessions.add(os.getsid(process.pid))
                for child in process.children(recursive=True):
                    found[child.pid] = child
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue
        sessions.discard(os.getsid(0))
        for process in everyone:
            try:
                if os.getsid(process.pid) in sessions:
                    found[process.pid] = process
            except (ProcessLookupError, PermissionError):
                continue
        return [process for process in found.values() if is_alive(process)]

    def actors(self, name: str) -> list[psutil.Process]:
        """Worker processes of one kind of actor, such as `BookActor`."""
        found = []
        for process in self.processes():
            try:
                if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{name}"):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill_everything(self) -> None:
        """`kill -9` of every process, until none is left."""
        for _ in range(20):
            alive = self.processes()
            if not alive:
                return
            for process in alive:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(alive, timeout=5)
        raise AssertionError(f"still alive after kill -9: {self.processes()}")


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A port of loopback's that nobody listens on now."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _is_ours(name: str) -> bool:
    return name.startswith(("AIQLEADS_", "RAY_"))
