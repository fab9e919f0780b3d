"""A trained model as one file: a stored zip of its parts, read with bounds and never unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Final

from models_ml.artefact import Unusable

MEMBERS_MAX: Final = 32
# What zipfile raises for what it can't read; RuntimeError for a part that is encrypted.
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
# Of the zip format's own; the same parts always make the same bytes, hence the same hash.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(parts: Mapping[str, bytes]) -> bytes:
    """The parts, by file name, as one file."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(parts):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), parts[name])
    return found.getvalue()


def unpack(content: bytes, most: int) -> dict[str, bytes]:
    """The parts again, at most `most` bytes together. Raises Unusable if it is no such file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_MAX:
                raise Unusable(f"{len(members)} parts; at most {MEMBERS_MAX}")
            if any(each.compress_type != zipfile.ZIP_STORED for each in members):
                raise Unusable("its parts are compressed; they must be stored as they are")
            if sum(each.file_size for each in members) > most:
                raise Unusable(f"its parts are longer than {most:,} bytes together")
            return {each.filename: archive.read(each) for each in members}
    except _UNREADABLE as error:
        raise Unusable(f"no bundle: {error}") from error
