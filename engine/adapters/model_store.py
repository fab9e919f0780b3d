"""Where trained models are kept: files named by their own hash, at any URL that fsspec knows.

A file is never changed. What is read is held against hash and length that were noted when it
was written, so that one that was cut off, exchanged or mixed up is not used.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec

SIZE_BYTES_MAX = 512_000_000


class ArtefactLost(Exception):
    """The artefact can't be read now, or is not there; another time it may be."""


class ArtefactSpoilt(Exception):
    """What is there is not what was written; it never will be."""


class ModelStore:
    """A folder at `url`. Blocking: call it outside the event loop."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def put(self, name: str, content: bytes) -> tuple[str, str]:
        """Keep the artefact; its URL and sha256. Again the same one changes nothing.

        Raises ArtefactLost if it can't be written, ValueError if it is too long.
        """
        if len(content) > SIZE_BYTES_MAX:
            raise ValueError(f"{len(content):,} bytes are more than {SIZE_BYTES_MAX:,}")
        sha256 = hashlib.sha256(content).hexdigest()
        url = f"{self.url}/{name}/{sha256}.model"
        try:
            files, path = _files(url)
            if files.exists(path) and files.cat_file(path) == content:
                return url, sha256
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            # Written beside and moved, where the store can: nobody reads half of it.
            beside = f"{path}.{secrets.token_hex(4)}"
            files.pipe_file(beside, content)
            files.mv(beside, path)
        # Each store's library has errors of its own: no credentials, no such bucket, ...
        except Exception as error:
            raise ArtefactLost(f"{without_secrets(url)} can't be written: {error}") from error
        return url, sha256


def read(url: str, sha256: str, size_bytes: int) -> bytes:
    """The artefact as it was written. Raises ArtefactLost or ArtefactSpoilt, with the reason."""
    if size_bytes > SIZE_BYTES_MAX:
        raise ArtefactSpoilt(f"{size_bytes:,} bytes are more than {SIZE_BYTES_MAX:,}")
    told = without_secrets(url)
    try:
        files, path = _files(url)
        # One more than there should be, so that a longer one is noticed and not read.
        with files.open(path, "rb") as file:
            content: bytes = file.read(size_bytes + 1)
    except FileNotFoundError as error:
        raise ArtefactLost(f"{told} is not there") from error
    # Each store's library has errors of its own, and none of them speaks against the artefact.
    except Exception as error:
        raise ArtefactLost(f"{told} can't be read: {error}") from error
    if len(content) != size_bytes:
        length = f"{len(content):,}" if len(content) < size_bytes else f"more than {size_bytes:,}"
        raise ArtefactSpoilt(f"{told} has {length} bytes instead of {size_bytes:,}")
    found = hashlib.sha256(content).hexdigest()
    if not secrets.compare_digest(found, sha256):
        raise ArtefactSpoilt(f"{told} has sha256 {found}, not {sha256}: it was changed")
    return content


def store_url(configured: str, data_dir: Path) -> str:
    """The URL that is configured, else the data directory's own folder."""
    return configured or (data_dir.absolute() / "models").as_uri()


def without_secrets(url: str) -> str:
    """The URL as it may be shown: no user, password or query."""
    parts = urlsplit(url)
    if "@" not in parts.netloc and not parts.query:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _files(url: str) -> tuple[Any, str]:
    files, path = fsspec.core.url_to_fs(url)
    return files, path
