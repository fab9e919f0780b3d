"""Which installed PostgreSQL to use: the newest that carries PostGIS."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

_DEBIAN = Path("/usr/lib/postgresql")
INSTALL_HINT = "run scripts/install-system-packages, which installs PostgreSQL with PostGIS"


class PostgresMissing(RuntimeError):
    """No usable PostgreSQL on this machine; the message says what to install."""


class PostgresPrograms(NamedTuple):
    """The programs of one major version."""

    major: int
    directory: Path

    def path(self, program: str) -> Path:
        return self.directory / program


def _carries_postgis(directory: Path) -> bool:
    answer = subprocess.run(
        [directory / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
    )
    share = Path(answer.stdout.strip() or "/nonexistent")
    return (share / "extension" / "postgis.control").is_file()


def _major(directory: Path) -> int | None:
    answer = subprocess.run(
        [directory / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)(?:\.\d+|beta|rc|devel)", answer.stdout)
    return int(found[1]) if found else None


def find_postgres(major: int | None = None) -> PostgresPrograms:
    """The newest installed PostgreSQL with PostGIS, or exactly version `major`.

    An existing data directory can be opened by its own major version only.
    Raises PostgresMissing.
    """
    directories = list(_DEBIAN.glob("*/bin"))
    on_path = shutil.which("postgres")
    if on_path:
        directories.append(Path(on_path).resolve().parent)
    versions: dict[int, Path] = {}
    without_postgis: list[str] = []
    for directory in directories:
        if not all((directory / name).exists() for name in ("postgres", "initdb", "pg_config")):
            continue
        number = _major(directory)
        if number is None or (major is not None and number != major):
            continue
        if _carries_postgis(directory):
            versions[number] = directory
        else:
            without_postgis.append(f"{number} in {directory}")
    if versions:
        newest = max(versions)
        return PostgresPrograms(newest, versions[newest])
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major} (the data was made by it)"
    found = f"; found without PostGIS: {', '.join(without_postgis)}" if without_postgis else ""
    raise PostgresMissing(f"{wanted} with PostGIS is not installed{found}: {INSTALL_HINT}")
