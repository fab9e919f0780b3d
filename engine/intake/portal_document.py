"""What a portal sent, before anything in it is read: its character set and its shape."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.intake.charset import decoded
from engine.intake.document import Document

Shape = Literal["nothing", "page", "json", "table"]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def in_utf8(document: Document) -> Document:
    """The document in UTF-8: as it is if it can be that, else by what it declares."""
    try:
        document.content.decode()
    except UnicodeDecodeError:
        text, _doubt = decoded(document.content, document.charset)
        return msgspec.structs.replace(document, content=text.encode(errors="replace"))
    return document


def shape_of(document: Document) -> Shape:
    """By how the content begins; names and media types are often wrong."""
    start = document.content[:1024].removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not start:
        return "nothing"
    if start.startswith(b"<"):
        return "page"
    return "json" if start.startswith((b"{", b"[")) else "table"
