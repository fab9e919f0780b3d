"""Bytes become text by what declares their set, and doubts are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.charset import BROKEN, UNDECLARED, decoded

META = b'<meta charset="%s">'


@pytest.mark.parametrize(
    ("content", "declared", "text", "doubt"),
    [
        ("plain ✓".encode(), None, "plain ✓", None),
        ("\ufeff✓".encode(), "latin-1", "✓", None),
        ("✓".encode("utf-16"), None, "✓", None),
        (b"caf\xe9 \x93quoted\x94", None, "café “quoted”", UNDECLARED),
        (b"caf\xe9 \x93", "ISO-8859-1", "café “", None),
        (b"caf\xe9", "utf-8", "caf�", BROKEN),
        (META % b"windows-1252" + b"\xe9", None, '<meta charset="windows-1252">é', None),
        (META % b"utf-16" + "é".encode(), None, '<meta charset="utf-16">é', None),
        (META % b"no-such-set" + "é".encode(), None, '<meta charset="no-such-set">é', None),
        (b"+AOk-", "utf-7", "+AOk-", None),
        (b"xn--caf-dma", "idna", "xn--caf-dma", None),
        (b"abc", "rot13", "abc", None),
        (b"", "", "", None),
    ],
)
def test_decoding(content: bytes, declared: str | None, text: str, doubt: str | None) -> None:
    assert decoded(content, declared) == (text, doubt)


def test_a_header_goes_before_the_page() -> None:
    assert decoded(META % b"utf-8" + b"\xe9", "cp1252")[0].endswith("é")


def test_a_declaration_far_down_is_none() -> None:
    assert decoded(b" " * 2000 + META % b"cp1251" + b"\xe9")[1] == UNDECLARED


@given(st.binary(max_size=200), st.none() | st.text(max_size=20))
def test_any_bytes_are_taken(content: bytes, declared: str | None) -> None:
    text, _doubt = decoded(content, declared)
    assert isinstance(text, str)
