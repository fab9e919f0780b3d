"""A bundle is a stored zip with bounds; whatever else comes is refused with a reason."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import pytest

from models_ml.artefact import Unusable
from models_ml.bundle import MEMBERS_MAX, pack, unpack

PARTS = {"b.json": b"{}", "a.bin": bytes(range(256))}


def test_the_same_parts_make_the_same_bytes() -> None:
    content = pack(PARTS)
    assert content == pack(dict(reversed(PARTS.items())))
    assert unpack(content, 1_000) == PARTS


def _zipped(compression: int, **parts: bytes) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return found.getvalue()


def _encrypted() -> bytes:
    """Says of its part that it is encrypted, in the entry and in the directory."""
    content = bytearray(pack({"a": b"secret"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 1)
    return bytes(content)


def _flipped() -> bytes:
    content = pack(PARTS)
    at = content.index(PARTS["a.bin"])
    return content[:at] + b"\xff" + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no bundle"),
        (pickle.dumps({"a": 1}), "no bundle"),
        (pack(PARTS)[:-10], "no bundle"),
        (pack(PARTS)[20:], "no bundle"),
        (_flipped(), "no bundle"),
        (_encrypted(), "no bundle"),
        (_zipped(zipfile.ZIP_DEFLATED, a=bytes(10_000_000)), "must be stored"),
        (_zipped(zipfile.ZIP_LZMA, a=b"a"), "must be stored"),
        (pack({"a": bytes(1_001)}), "longer than 1,000 bytes"),
        (pack({f"{n}": b"" for n in range(MEMBERS_MAX + 1)}), f"at most {MEMBERS_MAX}"),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        unpack(content, 1_000)
