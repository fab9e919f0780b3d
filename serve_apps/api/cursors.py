"""Cursors of keyset pages: opaque, bound to their query, and refused when not ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from serve_apps.api.deps import Deps
from serve_apps.api.problems import invalid

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_MARK = 8


def encode_cursor(deps: Deps, query: str, position: tuple[Any, ...] | None) -> str | None:
    """A cursor at `position` of `query` (any text that tells queries apart); None at the end."""
    if position is None:
        return None
    packed: bytes = _encode(position)
    return base64.urlsafe_b64encode(_mark(deps, query, packed) + packed).decode().rstrip("=")


def decode_cursor(deps: Deps, query: str, cursor: str | None) -> tuple[Any, ...] | None:
    """The position. Raises Problem `validation` on a cursor of another query or of no one."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _foreign() from error
    mark, packed = raw[:_MARK], raw[_MARK:]
    if not hmac.compare_digest(mark, _mark(deps, query, packed)):
        raise _foreign()
    return tuple(_decode(packed))


def _mark(deps: Deps, query: str, packed: bytes) -> bytes:
    return hashlib.blake2b(
        query.encode() + b"\0" + packed, key=deps.hash_key, digest_size=_MARK, person=b"cursor"
    ).digest()


def _foreign() -> Exception:
    return invalid("query.cursor", "not a next_cursor of this query; begin without one")
