"""The private replay site: captured pages, or the sample world's, over HTTP on loopback."""

from __future__ import annotations

import sys

from engine.adapters.local.daemon import ServiceFailed, await_listening, start_marked, stop_marked
from engine.adapters.local.installation import Installation
from engine.adapters.local.ports import free_port
from engine.adapters.local.run_record import ServiceRecord
from engine.settings import Settings

NAME = "replay"
_START_SECONDS = 60.0
_START_ATTEMPTS = 3


def start_replay(settings: Settings, installation: Installation) -> ServiceRecord:
    """Start the site and wait until it listens. Raises ServiceFailed with its last words."""
    stop_marked(installation, NAME)
    if settings.captures is not None:
        world = ["--captures", str(settings.captures.absolute())]
    else:
        world = ["--sample-seed", str(settings.sample_seed)]
        world += ["--sample-size", str(settings.sample_size)]
    for attempt in range(_START_ATTEMPTS):
        port = free_port()
        command = [sys.executable, "-m", "engine.adapters.sources.replay_site", "--port", str(port)]
        process, log = start_marked(installation, NAME, [*command, *world])
        record = ServiceRecord(NAME, process, port, f"http://127.0.0.1:{port}", str(log))
        installation.records.write(record)
        try:
            await_listening(NAME, process, port, log, _START_SECONDS)
            return record
        except ServiceFailed:
            stop_marked(installation, NAME)
            if attempt + 1 == _START_ATTEMPTS:
                raise
    raise AssertionError("unreachable")
