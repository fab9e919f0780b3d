import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.adapters.local.effective_settings import NotRunning, fill_in, require, resolve_settings
from engine.adapters.local.installation import (
    Installation,
    InstallationBusy,
    InstallationUnusable,
    private_directory,
)
from engine.adapters.local.process import observe
from engine.adapters.local.run_record import BrokenRecord, ServiceRecord
from engine.settings import Settings


@pytest.fixture
def home(services_directory: Path) -> Iterator[Path]:
    """A directory that PostgreSQL's own user may enter; what lies outside it goes, too."""
    directory = Path(tempfile.mkdtemp(dir=services_directory))
    directory.chmod(0o711)
    yield directory
    for file in directory.rglob("installation.json"):
        installation = Installation.find(file.parent)
        if installation is not None:
            shutil.rmtree(installation.scratch, ignore_errors=True)
            if not installation.postgres_directory.is_relative_to(directory):
                installation.postgres_directory.parent.rmdir()


def settings(data_dir: Path, **values: object) -> Settings:
    return Settings(_env_file=None, data_dir=data_dir, **values)


def record_of_ours(url: str, *, recycled: bool = False) -> ServiceRecord:
    process = observe(os.getpid())
    assert process is not None
    if recycled:
        process = type(process)(process.pid, process.start_ticks + 1, process.boot_id)
    return ServiceRecord("postgres", process, 1, url, "log")


def test_opening_twice_finds_the_same(home: Path) -> None:
    first = Installation.open(home / "var")
    again = Installation.open(home / "var")
    assert again.identity == first.identity
    assert again.secrets == first.secrets
    found = Installation.find(home / "var")
    assert found is not None
    assert found.identity == first.identity


def test_secrets_are_the_owners_only(home: Path) -> None:
    installation = Installation.open(home)
    for name in ("secrets.json", "installation.json", "ray_token"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700
    assert len(installation.secrets.jwt) >= 32


def test_looking_makes_nothing(home: Path) -> None:
    assert Installation.find(home / "none") is None
    assert not (home / "none").exists()


def test_two_directories_have_nothing_in_common(home: Path) -> None:
    one, other = Installation.open(home / "a"), Installation.open(home / "b")
    assert one.marker != other.marker
    assert one.scratch != other.scratch
    assert one.secrets != other.secrets


def test_a_copy_does_not_speak_for_the_original(home: Path) -> None:
    original = Installation.open(home / "a")
    original.records.write(record_of_ours("postgresql://original"))
    shutil.copytree(home / "a", home / "b")
    assert Installation.find(home / "b") is None
    copy = Installation.open(home / "b")
    assert copy.records.read("postgres") is None
    assert copy.identity.id != original.identity.id
    assert original.records.read("postgres") is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home that others can't enter")
def test_in_a_root_only_home_the_database_lies_outside(home: Path) -> None:
    (home / "private").mkdir(mode=0o700)
    installation = Installation.open(home / "private" / "var")
    assert installation.postgres_directory.is_relative_to("/var/tmp")
    # Opening the home later must not lose the data.
    (home / "private").chmod(0o755)
    again = Installation.open(home / "private" / "var")
    assert again.postgres_directory == installation.postgres_directory
    shutil.copytree(home / "private", home / "copy")
    with pytest.raises(InstallationUnusable, match="move it back"):
        Installation.open(home / "copy" / "var")


def test_sockets_fit(home: Path) -> None:
    deep = home / ("d" * 100) / ("e" * 100)
    socket_path = (
        Installation.open(deep).scratch
        / "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
    )
    assert len(str(socket_path)) <= 107


def test_a_directory_that_another_made_is_refused(home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "link").symlink_to(home / "elsewhere")
    with pytest.raises(InstallationUnusable, match="not a directory of ours"):
        private_directory(home / "link")


def test_a_file_in_the_way_is_named(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(InstallationUnusable, match="AIQLEADS_DATA_DIR"):
        Installation.open(home / "file" / "var")


def test_only_one_works_at_a_time(home: Path) -> None:
    installation = Installation.open(home)
    held = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys; f = open(sys.argv[1], 'a+');"
         "fcntl.flock(f, fcntl.LOCK_EX); f.truncate(0); f.write('4711'); f.flush();"
         "print('held', flush=True); sys.stdin.read()", str(home / "lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with held:
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        with (
            pytest.raises(InstallationBusy, match="process 4711 is at work"),
            installation.lock(seconds=0.3),
        ):
            pass
        held.kill()
    # The kernel lets go of a dead holder's lock.
    with installation.lock(seconds=5):
        pass


def test_running_services_fill_empty_settings_only(home: Path) -> None:
    installation = Installation.open(home)
    installation.records.write(record_of_ours("postgresql://private"))
    assert fill_in(settings(home), installation).database_url == "postgresql://private"
    configured = settings(home, database_url="postgresql://configured")
    assert fill_in(configured, installation).database_url == "postgresql://configured"
    assert resolve_settings(settings(home)).database_url == "postgresql://private"


def test_a_dead_service_fills_nothing(home: Path) -> None:
    installation = Installation.open(home)
    installation.records.write(record_of_ours("postgresql://gone", recycled=True))
    effective = fill_in(settings(home), installation)
    assert effective.database_url == ""
    with pytest.raises(NotRunning, match="AIQLEADS_DATABASE_URL"):
        require(effective, "database_url")


def test_generated_secrets_stand_in(home: Path) -> None:
    installation = Installation.open(home)
    effective = fill_in(settings(home, admin_email="me@example.com"), installation)
    assert effective.admin_email == "me@example.com"
    assert effective.jwt_secret.get_secret_value() == installation.secrets.jwt
    assert installation.secrets.jwt not in repr(effective)


def test_a_broken_record_is_named(home: Path) -> None:
    installation = Installation.open(home)
    (home / "run" / "redis.json").write_text("{")
    with pytest.raises(BrokenRecord, match=r"redis\.json"):
        installation.records.read("redis")
