"""The command line in a process of its own, as an operator meets it. Nothing is started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from engine.adapters.local.ports import free_port


def aiqleads(
    data_dir: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIQLEADS_")}
    return subprocess.run(
        [sys.executable, "-m", "serve_apps.cli", *arguments],
        cwd=Path(__file__).parents[2],
        env={**kept, "AIQLEADS_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_down_where_nothing_runs_is_no_failure(tmp_path: Path) -> None:
    for _ in range(2):
        done = aiqleads(tmp_path / "var", "down")
        assert done.returncode == 0, done.stderr
        assert "nothing of" in done.stderr
    assert not (tmp_path / "var").exists()


def test_status_of_nothing_is_not_healthy(tmp_path: Path) -> None:
    done = aiqleads(tmp_path, "status", "--json", AIQLEADS_HTTP_PORT=str(free_port()))
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["healthy"] is False
    assert {part["part"] for part in answer["parts"]} == {
        "postgres",
        "redis",
        "ray",
        "replay",
        "api",
    }


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = aiqleads(tmp_path / "var", "up", AIQLEADS_HTTP_PORT=str(port))
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert "AIQLEADS_HTTP_PORT" in done.stderr
    assert str(os.getpid()) in done.stderr
    assert list((tmp_path / "var" / "run").iterdir()) == []


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    done = aiqleads(tmp_path, "status", AIQLEADS_HTTP_PORT="eight thousand")
    assert done.returncode == 2
    assert "AIQLEADS_HTTP_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_needs_a_running_market_says_so(tmp_path: Path) -> None:
    for command in (["migrate"], ["ingest", "all"]):
        done = aiqleads(tmp_path, *command)
        assert done.returncode == 1
        assert "aiqleads up" in done.stderr
        assert "Traceback" not in done.stderr


def test_doctor_tells_of_mail_settings_that_can_not_work(tmp_path: Path) -> None:
    url = "smpt://ann:secret@mail.internal"
    done = aiqleads(tmp_path, "doctor", "--json", AIQLEADS_SMTP_URL=url)
    (found,) = [each for each in json.loads(done.stdout)["findings"] if each["name"] == "e-mail"]
    assert not found["well"]
    assert "AIQLEADS_SMTP_URL" in found["remedy"]
    assert "secret" not in done.stdout + done.stderr
    done = aiqleads(tmp_path, "doctor", "--json", AIQLEADS_SMTP_URL=url.replace("smpt", "smtps"))
    (found,) = [each for each in json.loads(done.stdout)["findings"] if each["name"] == "e-mail"]
    assert found["detail"] == "by mail.internal port 465"


def test_doctor_answers_in_json(tmp_path: Path) -> None:
    done = aiqleads(tmp_path, "doctor", "--json", AIQLEADS_CAPTURES=str(tmp_path / "none"))
    answer = json.loads(done.stdout)
    found = {finding["name"]: finding for finding in answer["findings"]}
    assert done.returncode == 1
    assert found["python"]["well"] is True
    assert found["captures"]["well"] is False
    assert "AIQLEADS_CAPTURES" in found["captures"]["remedy"]


def test_migrate_brings_a_configured_database_up_to_date(
    tmp_path: Path, fresh_database_url: str
) -> None:
    done = aiqleads(tmp_path, "migrate", AIQLEADS_DATABASE_URL=fresh_database_url)
    assert done.returncode == 0, done.stderr
    answer = json.loads(
        aiqleads(tmp_path, "doctor", "--json", AIQLEADS_DATABASE_URL=fresh_database_url).stdout
    )
    assert "findings" in answer


def test_benchmarks_are_listed_and_run(tmp_path: Path) -> None:
    listed = json.loads(aiqleads(tmp_path, "bench", "--json").stdout)
    assert {"book", "feed", "hold", "purchase", "recovery", "standing_orders"} <= set(listed)
    small = ("--leads", "100", "--decisions", "200", "--runs", "1")
    done = aiqleads(tmp_path, "bench", "book", *small)
    assert done.returncode == 0, done.stderr
    assert "decisions/s" in done.stdout
    unknown = aiqleads(tmp_path, "bench", "nothing")
    assert unknown.returncode == 2
    assert "purchase" in unknown.stderr
