"""One installation on one machine: everything it keeps lies under its data directory.

    installation.json   who it is: an id, and where its PostgreSQL data lies
    secrets.json        generated secrets, mode 0600
    run/                one record per running service
    logs/               one log per service
    lock                held while `up` or `down` is at work

Where services must meet in a short path (sockets have at most 107 bytes) or
where another user must enter, a directory of its own under /tmp or /var/tmp
is used, named after the data directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.adapters.local.postgres_server import service_account
from engine.adapters.local.run_record import BrokenRecord, RunRecords, write_private

T = TypeVar("T")

MARKER = "AIQLEADS_INSTALLATION"
_SHORT_ROOT = Path("/tmp")
_LASTING_ROOT = Path("/var/tmp")


class Secrets(msgspec.Struct, frozen=True):
    """Secrets made once for an installation that configures none."""

    jwt: str
    admin_email: str
    admin_password: str
    postgres_password: str
    redis_password: str
    ray_token: str


class Identity(msgspec.Struct, frozen=True):
    """`home` tells a moved or copied data directory from the one the records speak of."""

    id: str
    home: str
    postgres_directory: str


class InstallationUnusable(RuntimeError):
    """The data directory can't be used; the message says why and what to do."""


class InstallationBusy(RuntimeError):
    """Another `up` or `down` of this installation is at work."""


class Installation:
    """The files of one installation. `open` makes them, `find` only looks."""

    def __init__(self, data_dir: Path, identity: Identity, secret: Secrets) -> None:
        self.data_dir = data_dir
        self.identity = identity
        self.secrets = secret
        self.records = RunRecords(data_dir / "run")
        self.logs = data_dir / "logs"

    @property
    def marker(self) -> str:
        """The value of MARKER in the environment of every process that is only ours."""
        return f"{self.identity.id}:{self.data_dir}"

    @property
    def postgres_directory(self) -> Path:
        return Path(self.identity.postgres_directory)

    @property
    def scratch(self) -> Path:
        """A short directory for sockets; may vanish while nothing runs."""
        return _SHORT_ROOT / f"aiq-{_short_name(self.data_dir)}"

    @property
    def ray_token_file(self) -> Path:
        return self.data_dir / "ray_token"

    @classmethod
    def open(cls, data_dir: Path) -> Installation:
        """The installation in `data_dir`, made if there is none.

        Raises InstallationUnusable.
        """
        home = data_dir.absolute()
        try:
            home.mkdir(parents=True, exist_ok=True)
            home = home.resolve()
            for part in ("run", "logs"):
                (home / part).mkdir(exist_ok=True)
            (home / "run").chmod(0o700)
        except OSError as error:
            raise InstallationUnusable(
                f"AIQLEADS_DATA_DIR={data_dir} can't be used: {error.strerror} "
                f"({error.filename}); name a directory that you may write to"
            ) from error
        if home.stat().st_uid != os.geteuid():
            owner = home.stat().st_uid
            raise InstallationUnusable(
                f"{home} belongs to user {owner} and we are {os.geteuid()}: run as its owner, "
                "or set AIQLEADS_DATA_DIR to a directory of your own"
            )
        secret = _read(home / "secrets.json", Secrets) or _make_secrets(home)
        identity = _read(home / "installation.json", Identity)
        if identity is None or identity.home != str(home):
            identity = _settle(home, identity)
        installation = cls(home, identity, secret)
        write_private(installation.ray_token_file, secret.ray_token.encode())
        private_directory(installation.scratch)
        return installation

    @classmethod
    def find(cls, data_dir: Path) -> Installation | None:
        """The installation in `data_dir` if `up` ever made one there, untouched."""
        home = data_dir.absolute().resolve()
        try:
            identity = _read(home / "installation.json", Identity)
            secret = _read(home / "secrets.json", Secrets)
        except PermissionError as error:
            raise InstallationUnusable(
                f"{error.filename} can't be read: run as the user who started the installation"
            ) from error
        if identity is None or secret is None or identity.home != str(home):
            return None
        return cls(home, identity, secret)

    @contextlib.contextmanager
    def lock(self, seconds: float = 120.0) -> Iterator[None]:
        """Held by one `up` or `down` at a time; the kernel lets go when its holder dies.

        Raises InstallationBusy after waiting `seconds`.
        """
        with (self.data_dir / "lock").open("a+") as file:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        file.seek(0)
                        raise InstallationBusy(
                            f"process {file.read().strip() or '?'} is at work on {self.data_dir}; "
                            "wait for it or end it, then repeat"
                        ) from None
                    time.sleep(0.2)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def private_directory(path: Path, mode: int = 0o700) -> None:
    """Make a directory that is certainly ours under a root where anyone may write.

    Raises InstallationUnusable if somebody else was there first.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise InstallationUnusable(f"{path} is not a directory of ours; remove it and try again")
    path.chmod(mode)


def _short_name(home: Path) -> str:
    return hashlib.sha256(f"{os.geteuid()}:{home}".encode()).hexdigest()[:10]


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{path} can't be read ({error}); restore it from a backup") from error


def _make_secrets(home: Path) -> Secrets:
    made = Secrets(
        jwt=secrets.token_urlsafe(48),
        admin_email="admin@aiqleads.example",
        admin_password=secrets.token_urlsafe(12),
        postgres_password=secrets.token_urlsafe(24),
        redis_password=secrets.token_urlsafe(24),
        ray_token=secrets.token_urlsafe(32),
    )
    write_private(home / "secrets.json", msgspec.json.encode(made))
    return made


def _settle(home: Path, before: Identity | None) -> Identity:
    """Say who we are. Records in a moved or copied directory speak of the old place: drop them."""
    if before is not None:
        for record in (home / "run").glob("*.json"):
            record.unlink()
    identity = Identity(secrets.token_hex(8), str(home), str(_postgres_place(home, before)))
    write_private(home / "installation.json", msgspec.json.encode(identity))
    return identity


def _postgres_place(home: Path, before: Identity | None) -> Path:
    """Where PostgreSQL's user can get at its data: beside the rest, else under /var/tmp."""
    if before is not None and Path(before.postgres_directory) != Path(before.home) / "postgres":
        raise InstallationUnusable(
            f"{home} was moved or copied from {before.home}, whose PostgreSQL data lies in "
            f"{before.postgres_directory}: move it back, or use a new AIQLEADS_DATA_DIR"
        )
    inside = home / "postgres"
    account = service_account()
    if account is None or inside.exists():
        return inside
    if _may_enter(home, account):
        return inside
    outside = _LASTING_ROOT / f"aiqleads-{_short_name(home)}"
    private_directory(outside, mode=0o711)
    return outside / "postgres"


def _may_enter(directory: Path, account: pwd.struct_passwd) -> bool:
    """True if the account can reach the directory, by whatever modes and lists apply."""
    answer = subprocess.run(
        ["test", "-x", str(directory)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return answer.returncode == 0
