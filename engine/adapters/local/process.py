"""Processes that this installation started, told apart from all others.

A process id alone is worthless after a crash: the kernel gives it out again. A
record also keeps when the process started and in which boot, so a stale record
never names a stranger, and signals go through a pidfd, which can't be reused.
Linux only, as are the services.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

_DETACH = Path(__file__).with_name("detach.py")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SPAWN_SECONDS_MAX = 30.0


class ProcessRecord(msgspec.Struct, frozen=True):
    """One process, for ever: its id, its start in clock ticks since boot, and which boot."""

    pid: int
    start_ticks: int
    boot_id: str


class SpawnFailed(RuntimeError):
    """A program could not be started at all; the message names it and says why."""


def observe(pid: int) -> ProcessRecord | None:
    """The record of a live process, or None if there is none (a zombie is none)."""
    try:
        # The command name, in parentheses, may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return ProcessRecord(pid, int(fields[19]), _BOOT_ID.read_text().strip())


def is_running(record: ProcessRecord) -> bool:
    return observe(record.pid) == record


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    account: pwd.struct_passwd | None = None,
) -> ProcessRecord:
    """Start a daemon in a session of its own, its output appended to `log`.

    With `account` (root only) it runs as that user. It outlives this process.
    Raises SpawnFailed naming the program, or if it ended at once.
    """
    user = "-" if account is None else f"{account.pw_uid}:{account.pw_gid}"
    environ = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_DETACH), str(log), user, *map(str, command)],
            capture_output=True,
            text=True,
            timeout=_SPAWN_SECONDS_MAX,
            cwd="/",
            env=environ,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpawnFailed(f"can't start {command[0]}: {error}") from error
    if done.returncode != 0:
        raise SpawnFailed(f"can't start {command[0]}: {done.stderr.strip()}")
    record = observe(int(done.stdout))
    if record is None:
        raise SpawnFailed(f"{command[0]} ended as soon as it started; see {log}")
    return record


def send(record: ProcessRecord, number: signal.Signals) -> bool:
    """Signal exactly the recorded process. False if it is gone."""
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return False
    try:
        # Only once the descriptor is held can the process not be replaced.
        if not is_running(record):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_gone(records: Iterable[ProcessRecord], seconds: float) -> list[ProcessRecord]:
    """Wait at most `seconds` for all to end; those still running."""
    deadline = time.monotonic() + seconds
    left = [record for record in records if is_running(record)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [record for record in left if is_running(record)]
    return left


def stop(
    records: Sequence[ProcessRecord],
    *,
    ask: signal.Signals = signal.SIGTERM,
    patience_seconds: float = 10.0,
) -> list[ProcessRecord]:
    """Ask the processes to end, then kill. Those that survived even that (empty when done)."""
    for record in records:
        send(record, ask)
    stubborn = wait_gone(records, patience_seconds)
    for record in stubborn:
        send(record, signal.SIGKILL)
    return wait_gone(stubborn, 5.0)


def session_of(leader: ProcessRecord) -> list[ProcessRecord]:
    """Live processes of the session that `leader` began, whether or not it still lives.

    The kernel keeps a session's number from reuse for as long as it has
    members, so a stranger as the leader means that none of ours is left.
    """
    now = observe(leader.pid)
    if now is not None and now != leader:
        return []
    members: list[ProcessRecord] = []
    for pid in _process_ids():
        try:
            if os.getsid(pid) != leader.pid:
                continue
        except (ProcessLookupError, PermissionError):
            continue
        record = observe(pid)
        if record is not None and record.boot_id == leader.boot_id:
            members.append(record)
    return [record for record in members if record.start_ticks >= leader.start_ticks]


def marked(variable: str, value: str) -> list[ProcessRecord]:
    """Live processes whose environment at start held `variable=value`, oldest first.

    This finds descendants that outlived their parent and changed session. One
    whose environment may not be read is someone else's and is passed over; one
    that wrote a long title over its environment is missed.
    """
    wanted = f"{variable}={value}".encode()
    found: list[ProcessRecord] = []
    for pid in _process_ids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted in environment.split(b"\0"):
            record = observe(pid)
            if record is not None:
                found.append(record)
    return sorted(found, key=lambda record: record.start_ticks)


def _process_ids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
