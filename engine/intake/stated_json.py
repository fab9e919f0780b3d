"""JSON as foreign sites state it: read whole or refused, and asked without trust in its shape."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from engine.intake.readings import content_hash

JSON_BYTES_MAX = 64 * 1024 * 1024
_GUARD = b"{}&&"


class BrokenJsonError(ValueError):
    """The text is no JSON that can be read; the message says where or why."""


def read_json(content: bytes | str) -> Any:
    """The value. Raises BrokenJsonError on any text that is no JSON, too large or too deep.

    Some sites put `{}&&` in front against script inclusion. Numbers beyond every bound
    become infinite, and no reading takes them.
    """
    if len(content) > JSON_BYTES_MAX:
        raise BrokenJsonError(f"{len(content)} bytes, at most {JSON_BYTES_MAX}")
    if isinstance(content, bytes):
        content = content.removeprefix(b"\xef\xbb\xbf").strip().removeprefix(_GUARD)
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        return _read_leniently(content)


def _read_leniently(content: bytes | str) -> Any:
    text = content if isinstance(content, str) else content.decode(errors="replace")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise BrokenJsonError(str(error)) from error


def cell_in(value: object, *path: str) -> Any:
    """What stands under these keys, None where a step leads nowhere."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def object_in(value: object, *path: str) -> dict[str, Any]:
    found = cell_in(value, *path)
    return found if isinstance(found, dict) else {}


def list_in(value: object, *path: str) -> list[Any]:
    found = cell_in(value, *path)
    return found if isinstance(found, list) else []


def objects_in(value: object, *path: str) -> list[dict[str, Any]]:
    return [each for each in list_in(value, *path) if isinstance(each, dict)]


def first_stated(*cells: object) -> Any:
    """The first that is neither None nor blank text."""
    return next((cell for cell in cells if cell is not None and cell != ""), None)


def row_hash(row: object) -> str:
    """Hash of a row's content whatever the order of its keys. Blank if it is too deep."""
    try:
        return content_hash(msgspec.json.encode(row, order="deterministic"))
    except (ValueError, TypeError, RecursionError):
        # Beyond what can be written again: such a row is compared by nothing.
        return ""
