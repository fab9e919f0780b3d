"""A service counts as started when it listens itself, not when a stranger does."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from engine.adapters.local.daemon import ServiceFailed, await_listening
from engine.adapters.local.process import spawn, stop

_LISTEN = (
    "import socket, time; listener = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
)


def test_a_stranger_on_the_port_is_not_the_service(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        process = spawn([sys.executable, "-c", "import time; time.sleep(60)"], log)
        try:
            with pytest.raises(ServiceFailed, match="did not answer in time"):
                await_listening("service", process, port, log, 0.5)
        finally:
            stop([process])
    process = spawn([sys.executable, "-c", _LISTEN.format(port=port)], log)
    try:
        await_listening("service", process, port, log, 20)
    finally:
        stop([process])
