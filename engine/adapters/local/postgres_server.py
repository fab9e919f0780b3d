"""A private PostgreSQL server with PostGIS: one data directory, one port on loopback.

It runs as the user `postgres` when we are root, which the server refuses to be,
and as ourselves otherwise. Nobody gets in without the password.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from engine.adapters.local.ports import free_port
from engine.adapters.local.postgres_programs import (
    INSTALL_HINT,
    PostgresMissing,
    PostgresPrograms,
    find_postgres,
)
from engine.adapters.local.process import (
    ProcessRecord,
    is_running,
    observe,
    spawn,
    stop,
)
from engine.adapters.local.run_record import ServiceRecord, write_private

ROLE = "aiqleads"
DATABASE = "aiqleads"
_START_SECONDS_MAX = 60.0
_START_ATTEMPTS = 4

# Errors are logged without the statement and without its details: a constraint
# violation would otherwise write the row, and with it contact data, to the log.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    "fsync": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "64",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
}
# For throw-away test clusters only: nothing of theirs has to survive a crash.
_VOLATILE: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "1h",
}


class PostgresFailed(RuntimeError):
    """The private PostgreSQL could not be made, started or asked; says where the log is."""


def service_account() -> pwd.struct_passwd | None:
    """The user PostgreSQL must run as: `postgres` when we are root, else ourselves (None)."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise PostgresMissing(
            f"we are root and there is no user `postgres` to run the server as: {INSTALL_HINT}"
        ) from None


class PostgresServer:
    """One private cluster in `directory`. `password` is its owner's; `log` takes its first words.

    Raises PostgresMissing where programs are needed that are not installed.
    """

    def __init__(self, directory: Path, log: Path, password: str, *, durable: bool = True) -> None:
        self.directory = directory
        self.log = log
        self._password = password
        self._durable = durable

    @property
    def exists(self) -> bool:
        return (self.directory / "PG_VERSION").exists()

    def programs(self) -> PostgresPrograms:
        """The programs this cluster needs."""
        if not self.exists:
            return find_postgres()
        return find_postgres(int((self.directory / "PG_VERSION").read_text().split(".")[0]))

    def url(self, port: int, database: str = DATABASE) -> str:
        return f"postgresql://{ROLE}:{quote(self._password, safe='')}@127.0.0.1:{port}/{database}"

    def create(self) -> None:
        """Make the cluster if there is none. A half-made one is removed first.

        Raises PostgresFailed with initdb's own words.
        """
        if self.exists:
            return
        account = service_account()
        if self.directory.exists():
            self._remove_unfinished()
        building = self.directory.with_name(self.directory.name + ".new")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        password_file = building.with_suffix(".password")
        write_private(password_file, (self._password + "\n").encode())
        if account is not None:
            os.chown(building, account.pw_uid, account.pw_gid)
            os.chown(password_file, account.pw_uid, account.pw_gid)
        command = [
            str(self.programs().path("initdb")), "--pgdata", str(building),
            "--username", ROLE, "--encoding", "UTF8", "--locale", "C.UTF-8",
            "--auth", "scram-sha-256", "--pwfile", str(password_file),
        ]  # fmt: skip
        if not self._durable:
            command.append("--no-sync")
        try:
            done = self._run(command, seconds=180)
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        # The rename makes the cluster exist whole or not at all.
        building.rename(self.directory)

    def _remove_unfinished(self) -> None:
        """Only an empty directory is ours to replace."""
        try:
            self.directory.rmdir()
        except OSError as error:
            raise PostgresFailed(
                f"{self.directory} is neither empty nor a PostgreSQL data directory; "
                f"move it away or set AIQLEADS_DATA_DIR elsewhere ({error.strerror})"
            ) from error

    def start(self, preferred_port: int | None = None) -> ServiceRecord:
        """Start the server and wait until it answers, after a crash until it has recovered.

        One that already runs on this directory is taken over. Raises
        PostgresFailed with the end of the log.
        """
        running = self.running()
        if running is not None:
            record, port = running
            self._await_answer(record, port)
            return self._record(record, port)
        programs = self.programs()
        port = free_port(preferred=preferred_port)
        account = service_account()
        for attempt in range(_START_ATTEMPTS):
            self._clear_stale_lock()
            self.log.unlink(missing_ok=True)
            options = {**_SETTINGS, **({} if self._durable else _VOLATILE), "port": str(port)}
            command: list[str | Path] = [programs.path("postgres"), "-D", self.directory]
            for name, value in options.items():
                command += ["-c", f"{name}={value}"]
            process = spawn(command, self.log, account=account, environment={"LC_ALL": "C.UTF-8"})
            try:
                self._await_answer(process, port)
            except PostgresFailed:
                stop([process], ask=signal.SIGINT)
                if attempt + 1 == _START_ATTEMPTS:
                    raise
                # Children of a killed server may hold its shared memory for a
                # moment longer, and somebody may have taken the port.
                time.sleep(1 + attempt)
                port = free_port()
                continue
            return self._record(process, port)
        raise AssertionError("unreachable")

    def _record(self, process: ProcessRecord, port: int) -> ServiceRecord:
        return ServiceRecord("postgres", process, port, self.url(port), str(self.directory / "log"))

    def running(self) -> tuple[ProcessRecord, int] | None:
        """The live server of exactly this directory and its port, recorded or not."""
        lock = self._lock_lines()
        if lock is None or len(lock) < 4 or not lock[3].isdigit():
            return None
        record = observe(int(lock[0]))
        if record is None or not self._serves_here(record.pid):
            return None
        return record, int(lock[3])

    def _lock_lines(self) -> list[str] | None:
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines if lines and lines[0].lstrip("-").isdigit() else []

    def _serves_here(self, pid: int) -> bool:
        """True if the process is a PostgreSQL server that stands in our directory."""
        try:
            there = Path(f"/proc/{pid}/cwd").readlink()
            program = Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False
        return program == "postgres" and there == self.directory.resolve()

    def _clear_stale_lock(self) -> None:
        """Remove a lock file whose process is gone or, its number reused, is another program.

        The server does the first itself, but refuses to start on the second.
        """
        lock = self._lock_lines()
        if lock is None:
            return
        if not lock or not self._serves_here(abs(int(lock[0]))):
            (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _await_answer(self, process: ProcessRecord, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS_MAX
        ready = [str(self.programs().path("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
        while time.monotonic() < deadline:
            if not is_running(process):
                raise PostgresFailed(
                    f"PostgreSQL ended while starting; {self.log} says:\n{self._log_end()}"
                )
            if self._run(ready, seconds=10).returncode == 0:
                return
            time.sleep(0.05)
        raise PostgresFailed(
            f"PostgreSQL did not answer on port {port} within {_START_SECONDS_MAX:.0f} s; "
            f"{self.log} says:\n{self._log_end()}"
        )

    def _log_end(self) -> str:
        words = []
        collected = sorted(
            (self.directory / "log").glob("*.log"), key=lambda path: path.stat().st_mtime
        )
        for path in (self.log, *collected[-1:]):
            with contextlib.suppress(FileNotFoundError):
                words += path.read_text(errors="replace").splitlines()[-8:]
        return "\n".join(words) or "(nothing)"

    def create_database(self, port: int, name: str, template: str | None = None) -> None:
        """Create a database if it is not there. Raises PostgresFailed."""
        command = ["createdb", name]
        if template is not None:
            command = ["createdb", "--template", template, name]
        done = self._client(port, command)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise PostgresFailed(f"database {name} could not be created: {done.stderr.strip()}")

    def drop_database(self, port: int, name: str) -> None:
        """Drop a database and whoever is connected to it. Raises PostgresFailed."""
        done = self._client(port, ["dropdb", "--force", "--if-exists", name])
        if done.returncode != 0:
            raise PostgresFailed(f"database {name} could not be dropped: {done.stderr.strip()}")

    def _client(self, port: int, command: list[str]) -> subprocess.CompletedProcess[str]:
        program = str(self.programs().path(command[0]))
        return self._run(
            [program, "-h", "127.0.0.1", "-p", str(port), "-U", ROLE, *command[1:]],
            environment={"PGPASSWORD": self._password, "LC_ALL": "C.UTF-8"},
            seconds=60,
        )

    def _run(
        self,
        command: list[str],
        *,
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        account = service_account()
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                cwd="/",
                env={**os.environ, **(environment or {})},
                check=False,
                user=None if account is None else account.pw_uid,
                group=None if account is None else account.pw_gid,
                extra_groups=None if account is None else [],
            )
        except subprocess.TimeoutExpired as error:
            raise PostgresFailed(f"{command[0]} did not finish within {seconds:.0f} s") from error


def stop_postgres(record: ServiceRecord) -> list[ProcessRecord]:
    """Stop a server as recorded: connections end, what is committed is on disk. Survivors."""
    return stop([record.process], ask=signal.SIGINT, patience_seconds=30)
