import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.adapters.local.process import (
    ProcessRecord,
    SpawnFailed,
    is_running,
    marked,
    observe,
    send,
    session_of,
    spawn,
    stop,
    wait_gone,
)

# A parent that starts a child and then waits, both deaf to nothing.
_FAMILY = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessRecord]:
    record = spawn(["sleep", "60"], tmp_path / "log")
    yield record
    stop([record], patience_seconds=1)


def test_a_daemon_outlives_nobody_and_leads_its_session(sleeper: ProcessRecord) -> None:
    assert is_running(sleeper)
    assert os.getsid(sleeper.pid) == sleeper.pid
    assert os.getsid(0) != sleeper.pid


def test_a_recycled_process_id_is_a_stranger(sleeper: ProcessRecord) -> None:
    stale = msgspec.structs.replace(sleeper, start_ticks=sleeper.start_ticks - 1)
    assert not is_running(stale)
    assert send(stale, signal.SIGKILL) is False
    assert stop([stale]) == []
    assert session_of(stale) == []
    assert is_running(sleeper)


def test_a_record_of_another_boot_is_a_stranger(sleeper: ProcessRecord) -> None:
    stale = msgspec.structs.replace(sleeper, boot_id="another")
    assert not is_running(stale)
    assert send(stale, signal.SIGKILL) is False


def test_stop_asks_then_kills(tmp_path: Path) -> None:
    polite = spawn(["sleep", "60"], tmp_path / "polite")
    deaf = spawn([sys.executable, "-c", _DEAF], tmp_path / "deaf")
    time.sleep(0.3)
    assert stop([polite, deaf], patience_seconds=0.5) == []
    assert not is_running(polite)
    assert not is_running(deaf)


def test_a_session_is_found_after_its_leader_was_killed(tmp_path: Path) -> None:
    leader = spawn([sys.executable, "-c", _FAMILY], tmp_path / "log")
    deadline = time.monotonic() + 10
    while len(session_of(leader)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    send(leader, signal.SIGKILL)
    assert wait_gone([leader], 5) == []
    orphans = session_of(leader)
    assert len(orphans) == 1
    assert stop(orphans, patience_seconds=2) == []


def test_marked_finds_who_left_the_session(tmp_path: Path) -> None:
    leader = spawn(
        ["sh", "-c", "setsid sleep 60 & wait"],
        tmp_path / "log",
        environment={"AIQLEADS_TEST_MARK": "here"},
    )
    deadline = time.monotonic() + 10
    while len(found := marked("AIQLEADS_TEST_MARK", "here")) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found[0] == leader
    assert os.getsid(found[-1].pid) != leader.pid
    assert marked("AIQLEADS_TEST_MARK", "her") == []
    assert stop(found) == []


def test_a_zombie_is_not_running() -> None:
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 5
    while observe(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert observe(child.pid) is None
    child.wait()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpawnFailed, match="/no/such/program"):
        spawn(["/no/such/program"], tmp_path / "log")


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    record = spawn(["sh", "-c", "echo out; echo err >&2; sleep 60"], tmp_path / "log")
    deadline = time.monotonic() + 5
    while "err" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "log").read_text() == "out\nerr\n"
    stop([record])
