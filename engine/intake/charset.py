"""From the bytes of a page to its text: by what declares their character set, never by luck."""

from __future__ import annotations

import codecs
import re

# How far a browser looks for a declaration inside the page.
_PRESCAN_BYTES = 1024
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What the web means by a label, where Python means something else.
_WEB_LABELS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_TEXT = re.compile(
    r"utf-8|utf-16(-[lb]e)?|cp125[0-8]|cp932|cp949|iso8859-\d{1,2}|koi8-[ru]"
    r"|gb18030|big5|big5hkscs|euc_jp|iso2022_jp|mac-roman"
)
UNDECLARED = "charset-not-declared"
BROKEN = "bytes-outside-charset"


def decoded(content: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """(text, what is doubtful about it or None).

    Declared is what the byte order mark, the HTTP header (`declared`) or the page itself
    says, in this order. Undeclared bytes are UTF-8 if they can be, else windows-1252, the
    web's default, which is `charset-not-declared`. Bytes that the declared set does not
    know become U+FFFD: `bytes-outside-charset`. Never raises.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    stated = _encoding(declared) or _encoding_in(content)
    if stated is not None:
        return _strictly(content, stated)
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), UNDECLARED


def _encoding_in(content: bytes) -> str | None:
    match = _META.search(content[:_PRESCAN_BYTES])
    encoding = _encoding(match[1].decode("ascii")) if match else None
    # A page whose declaration could be read as ASCII is not UTF-16, whatever it says.
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding


def _encoding(label: str | None) -> str | None:
    """Python's name of a set that pages are written in, None for any other label."""
    try:
        name = codecs.lookup((label or "").strip()).name
    except (LookupError, ValueError):
        return None
    encoding = _WEB_LABELS.get(name, name)
    return encoding if _TEXT.fullmatch(encoding) else None


def _strictly(content: bytes, encoding: str) -> tuple[str, str | None]:
    try:
        return content.decode(encoding), None
    except UnicodeDecodeError:
        return content.decode(encoding, errors="replace"), BROKEN
