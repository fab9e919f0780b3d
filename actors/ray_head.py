"""A private one-machine Ray cluster, started and stopped without touching any other.

`ray stop` would end every installation on the machine, so the processes are
found by who started them. All addresses are loopback's and a token is asked of
everyone: whoever reaches a Ray port may run code as us.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

from engine.adapters.local.daemon import ServiceFailed, await_listening, start_marked, stop_marked
from engine.adapters.local.effective_settings import ray_environment
from engine.adapters.local.installation import Installation
from engine.adapters.local.ports import free_ports
from engine.adapters.local.run_record import ServiceRecord
from engine.settings import Settings

NAME = "ray"
_START_SECONDS = 60.0
_START_ATTEMPTS = 3
_SESSIONS_KEPT = 2


def start_ray(settings: Settings, installation: Installation) -> ServiceRecord:
    """Start a head node and wait until it listens. Raises ServiceFailed with its last words."""
    # What an earlier, killed head left running would hold its memory and sockets.
    stop_marked(installation, NAME)
    temporary = installation.scratch / "ray"
    _drop_old_sessions(temporary)
    for attempt in range(_START_ATTEMPTS):
        # Only these three have fixed defaults that two clusters would fight
        # over; Ray picks the others by binding first.
        head, client, agent = free_ports(3)
        process, log = start_marked(
            installation,
            NAME,
            _command(settings, temporary, head, client, agent),
            _environment(settings, installation),
        )
        record = ServiceRecord(
            NAME,
            process,
            head,
            f"127.0.0.1:{head}",
            str(temporary / "session_latest" / "logs"),
            {"client": client, "dashboard_agent": agent},
        )
        installation.records.write(record)
        try:
            await_listening(NAME, process, head, log, _START_SECONDS)
            return record
        except ServiceFailed:
            stop_marked(installation, NAME)
            if attempt + 1 == _START_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _command(
    settings: Settings, temporary: Path, head: int, client: int, agent: int
) -> list[str | Path]:
    command: list[str | Path] = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--node-ip-address", "127.0.0.1",
        f"--port={head}",
        f"--ray-client-server-port={client}",
        f"--dashboard-agent-listen-port={agent}",
        "--temp-dir", temporary,
        f"--object-store-memory={settings.ray_object_store_mb * 1024 * 1024}",
        "--include-dashboard=false",
        "--no-monitor",
        "--disable-usage-stats",
        "--log-color=false",
    ]  # fmt: skip
    if settings.ray_cpus is not None:
        command.append(f"--num-cpus={settings.ray_cpus}")
    return command


def _environment(settings: Settings, installation: Installation) -> dict[str, str]:
    return {
        **ray_environment(installation),
        # Logs and the table of dead actors grow without end otherwise.
        "RAY_ROTATION_MAX_BYTES": str(20 * 1024 * 1024),
        "RAY_ROTATION_BACKUP_COUNT": "2",
        "RAY_maximum_gcs_destroyed_actor_cached_count": "200",
        # Ray runs its workers at nice 15. Ours are the market: beside anything else that
        # is busy on the machine, the books and the API would wait for it.
        "RAY_worker_niceness": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _drop_old_sessions(temporary: Path) -> None:
    """Each start makes a new session folder; keep the latest few, whose logs may be wanted."""
    sessions = sorted(path for path in temporary.glob("session_2*") if not path.is_symlink())
    for session in sessions[: max(0, len(sessions) - _SESSIONS_KEPT + 1)]:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(session)
