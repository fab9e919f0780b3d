"""Where an installation's CPU time goes while it is driven: seconds by part."""

from __future__ import annotations

from pathlib import Path

import psutil

from engine.adapters.local.installation import Installation


class CpuShares:
    """Counts from its making on; `since` tells what each part used."""

    def __init__(self, data_dir: Path) -> None:
        installation = Installation.find(data_dir)
        assert installation is not None
        self._parts: list[tuple[str, psutil.Process, float]] = []
        for name in ("postgres", "redis", "ray"):
            record = installation.records.read(name)
            assert record is not None
            server = psutil.Process(record.process.pid)
            for process in (server, *server.children(recursive=True)):
                self._add(_part_of_ray(process) if name == "ray" else name, process)

    def _add(self, part: str, process: psutil.Process) -> None:
        self._parts.append((part, process, _seconds(process)))

    def since(self) -> dict[str, float]:
        """CPU seconds by part, greatest first. Processes that ended are left out."""
        used: dict[str, float] = {}
        for part, process, before in self._parts:
            if process.is_running():
                used[part] = used.get(part, 0.0) + _seconds(process) - before
        return dict(sorted(used.items(), key=lambda item: -item[1]))


def _part_of_ray(process: psutil.Process) -> str:
    title = " ".join(process.cmdline())
    for mark, part in (("ServeReplica", "API replica"), ("BookActor", "books")):
        if mark in title:
            return part
    return "rest of Ray"


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
