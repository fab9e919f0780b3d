"""Services that are our own Python programs: started with a marker, stopped with their session."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from engine.adapters.local.installation import MARKER, Installation
from engine.adapters.local.process import (
    ProcessRecord,
    is_running,
    marked,
    session_of,
    spawn,
    stop,
)
from engine.adapters.local.run_record import ServiceRecord


class ServiceFailed(RuntimeError):
    """A service did not come up; the message ends with the last lines of its log."""


def log_end(log: Path, lines: int = 12) -> str:
    """The last lines of a log, at most 16 KiB of it."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16_384))
            words = file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        words = []
    return "\n".join(words) or "(nothing)"


def start_marked(
    installation: Installation,
    name: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
) -> tuple[ProcessRecord, Path]:
    """Start a daemon that `stop_marked` will know with all its descendants; record and log."""
    log = installation.logs / f"{name}.log"
    log.unlink(missing_ok=True)
    process = spawn(
        command, log, environment={**(environment or {}), MARKER: f"{name}:{installation.marker}"}
    )
    return process, log


def await_listening(
    name: str, process: ProcessRecord, port: int, log: Path, seconds: float
) -> None:
    """Wait until the service or a child of it accepts connections on the port.

    A stranger who took the port in the meantime does not count. Raises ServiceFailed.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and is_running(process):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if _listens(process, port):
                return
        except OSError:
            pass
        time.sleep(0.05)
    how = "did not answer in time" if is_running(process) else "ended while starting"
    raise ServiceFailed(f"{name} {how}; {log} says:\n{log_end(log)}")


def _listens(leader: ProcessRecord, port: int) -> bool:
    """Whether a process of the leader's session listens on the port."""
    for process in session_of(leader):
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in psutil.Process(process.pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def leftovers(
    installation: Installation, name: str, record: ServiceRecord | None
) -> list[ProcessRecord]:
    """Every live process of a marked service: its session, and who left that session."""
    session = [] if record is None else session_of(record.process)
    if record is not None and not is_running(record.process):
        # Its leader gone, a session's number alone is weak evidence.
        session = [process for process in session if _wrote_over_marker(process)]
    found = {process.pid: process for process in session}
    for process in marked(MARKER, f"{name}:{installation.marker}"):
        found.setdefault(process.pid, process)
    return sorted(found.values(), key=lambda process: process.start_ticks)


def _wrote_over_marker(process: ProcessRecord) -> bool:
    """True for Ray's workers and agents, whose title takes the place of their environment."""
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"ray::")
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop_marked(
    installation: Installation, name: str, *, patience_seconds: float = 10.0
) -> list[ProcessRecord]:
    """Stop a marked service and all its descendants, also when its record is lost. Survivors.

    The leader is asked first and left to end its own children: asked all at
    once, Ray's processes wait for one another.
    """
    record = installation.records.read(name)
    if record is not None:
        stop([record.process], patience_seconds=patience_seconds)
    stop(leftovers(installation, name, record), patience_seconds=2.0)
    # What was born in the meantime is killed without being asked.
    survivors = stop(
        leftovers(installation, name, record), ask=signal.SIGKILL, patience_seconds=5.0
    )
    installation.records.forget(name)
    return survivors
