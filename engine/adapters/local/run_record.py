"""What runs: one small JSON file per service in `data_dir/run`, readable by the owner only.

Another terminal finds the installation through these files. They are written
to the side and renamed, so a reader sees a whole record or none.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.adapters.local.process import ProcessRecord


class ServiceRecord(msgspec.Struct, frozen=True):
    """One service as started. `url` may carry a password, hence the file's mode."""

    name: str
    process: ProcessRecord
    port: int
    url: str
    log: str
    ports: dict[str, int] = {}


class BrokenRecord(RuntimeError):
    """A record that can't be read; the message names the file and the way out."""


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, mode 0600 from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


class RunRecords:
    """The records of one installation."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def write(self, record: ServiceRecord) -> None:
        write_private(self._path(record.name), msgspec.json.encode(record))

    def read(self, name: str) -> ServiceRecord | None:
        """The record of a service, running or not; None if it was never started or was stopped.

        Raises BrokenRecord if the file is not a record.
        """
        path = self._path(name)
        try:
            return msgspec.json.decode(path.read_bytes(), type=ServiceRecord)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise BrokenRecord(
                f"{path} is not a service record ({error}); if nothing of this "
                "installation runs any more, delete the file and start again"
            ) from error

    def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)
