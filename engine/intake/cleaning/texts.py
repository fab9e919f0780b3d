"""Titles, remarks and short texts as a reader would see them."""

from __future__ import annotations

import re
from html.entities import html5

from selectolax.lexbor import LexborHTMLParser

from engine.intake.cleaning.notes import respelled, said, set_fields
from engine.intake.record import SourceRecord

TITLE_LENGTH_MAX = 300
REMARKS_LENGTH_MAX = 20_000
_SHORT_FIELDS = ("street_address", "unit_number", "city", "originating_system_name")
_SHORT_LENGTH_MAX = 200

_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|footer|form|h[1-6]"
    "|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|noscript|object|ol|p"
    "|pre|s|script|section|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|template"
    "|textarea|tfoot|th|thead|title|tr|tt|u|ul|video"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?=[\s/>])[^<>]*>|<!--|<!doctype\b", re.I)
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_NESTED_ENTITY = re.compile(r"&(?:(?:amp|#38|#[xX]26);)+")
_BLOCKS = "p, div, li, tr, h1, h2, h3, h4, h5, h6, ul, ol, table, section, article, blockquote, hr"
_UNSEEN = "script, style, template, noscript, head, iframe, object, svg, textarea, title"
# After so many peelings of markup inside markup the text is an attack, not a description.
_PEELINGS_MAX = 6

# Tab and newline stay; format characters (zero width, direction marks, soft hyphen) and what
# no text has (controls, lone surrogates, private use, non-characters) go.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff]+"
)
_BLANK_LINES = re.compile(r"\n{3,}")
# UTF-8 that was read as Windows-1252: a lead byte of a sequence, then its continuation bytes
# as cp1252 shows them. Nobody writes these side by side.
_CONTINUATION = (
    "[\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152"
    "\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
)
_MOJIBAKE = re.compile(
    rf"[\u00c3\u00c2]{_CONTINUATION}|[\u00e2\u00e3]{_CONTINUATION}{{2}}"
    rf"|\u00f0{_CONTINUATION}{{3}}"
)
_PEELABLE = re.compile(rf"[<>&]|{_MOJIBAKE.pattern}")


def clean_texts(record: SourceRecord) -> SourceRecord:
    """Title and remarks without markup, mojibake and invisible characters; short texts on
    one line. Spacing alone is not noted."""
    for name, length_max in (("title", TITLE_LENGTH_MAX), ("remarks", REMARKS_LENGTH_MAX)):
        record = _cleaned(record, name, length_max, one_line=name == "title")
    for name in (*_SHORT_FIELDS, "name"):
        record = _cleaned(record, name, _SHORT_LENGTH_MAX, one_line=True)
    return record


def _cleaned(record: SourceRecord, name: str, length_max: int, *, one_line: bool) -> SourceRecord:
    stated = said(record, name)
    if stated is None or _is_clean(stated, length_max):
        return record
    text, rule = readable(stated)
    text = (" ".join(text.split()) if one_line else _spaced(text))[:length_max].rstrip()
    value = text or None
    if value == stated:
        return record
    return respelled(record, rule, **{name: value}) if rule else set_fields(record, {name: value})


def _is_clean(text: str, length_max: int) -> bool:
    """Whether nothing would change: one line of plain ASCII without double spaces or markup."""
    return (
        len(text) <= length_max
        and text.isascii()
        and text.isprintable()
        and "  " not in text
        and "<" not in text
        and "&" not in text
        and text[:1] not in {" ", ""}
        and text[-1] != " "
    )


def readable(stated: str) -> tuple[str, str | None]:
    """The text without markup, mojibake and invisible characters; the rule that changed it,
    None if none did. Spacing stays."""
    text = stated
    for _ in range(_PEELINGS_MAX):
        peeled = _peeled(text)
        if peeled == text:
            break
        text = peeled
    else:
        text = _PEELABLE.sub(" ", text)
    if text == stated or text == _INVISIBLE.sub("", stated):
        return text, None
    return text, "html-to-text" if "<" in stated or "&" in stated else "mojibake"


def _peeled(text: str) -> str:
    if not text.isascii():
        text = _MOJIBAKE.sub(_as_utf8, text)
    if "<" in text and _TAG.search(text):
        text = _text_of_page(text)
    if "&" in text:
        text = _ENTITY.sub(_character, _NESTED_ENTITY.sub("&", text))
    return _INVISIBLE.sub("", text)


def _text_of_page(page: str) -> str:
    tree = LexborHTMLParser(page)
    for node in tree.css(_UNSEEN):
        node.decompose()
    for node in tree.css("br"):
        node.replace_with("\n")
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    body = tree.body
    return body.text() if body is not None else ""


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name is not None:
        return html5.get(f"{name};", entity[0])
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    if code > 0x10FFFF:
        return ""
    # Browsers read the controls 128 to 159 as Windows-1252.
    return bytes([code]).decode("cp1252", "ignore") if 128 <= code < 160 else chr(code)


def _as_utf8(broken: re.Match[str]) -> str:
    try:
        return b"".join(map(_byte, broken[0])).decode()
    except UnicodeError:
        return broken[0]


def _byte(character: str) -> bytes:
    """The byte that Windows-1252 shows as this character, also where it defines none."""
    return bytes([ord(character)]) if ord(character) < 256 else character.encode("cp1252")


def _spaced(text: str) -> str:
    """Lines of single spaces, no two blank ones in a row."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _BLANK_LINES.sub("\n\n", "\n".join([" ".join(line.split()) for line in lines])).strip()
