"""Titles and remarks: what a reader would see, in its language."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.cleaning.languages import language_of
from engine.intake.cleaning.texts import clean_texts
from tests.engine.intake.cleaning.markets import cleaned, record_of, rules_of


@pytest.mark.parametrize(
    ("stated", "shown", "rule"),
    [
        ("<p>Nice &amp; big<br>home</p>", "Nice & big\nhome", "html-to-text"),
        ("a<script>alert(1)</script>b", "ab", "html-to-text"),
        ("&lt;script&gt;evil()&lt;/script&gt; ok", "ok", "html-to-text"),
        ("&amp;amp;amp;lt;b&amp;gt;x", "x", "html-to-text"),
        ("it\u00e2\u20ac\u2122s a caf\u00c3\u00a9", "it’s a café", "mojibake"),
        ("R&D AT&T <3 5 < 6 > 4 <URL>", "R&D AT&T <3 5 < 6 > 4 <URL>", None),
        ("S\u00e3o Jos\u00e9 \u00e2 ni\u00f1o", "São José â niño", None),
        ("zero\u200bwidth\x00 \u202edesrever", "zerowidth desrever", None),
        ("a\r\n\r\n\r\n\r\nb\t c", "a\n\nb c", None),
        (" \u200b ", None, None),
        ("&#128;&#x41; &bogus;", "€A &bogus;", "html-to-text"),
    ],
)
def test_remarks_as_a_reader_sees_them(stated: str, shown: str | None, rule: str | None) -> None:
    record = clean_texts(record_of(remarks=stated))
    assert record.remarks == shown
    assert rules_of(record).get("remarks") == rule


def test_titles_are_one_line() -> None:
    assert clean_texts(record_of(title="Big\n <b>house</b> ")).title == "Big house"


# The libraries' tables are loaded in the first example.
@settings(deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            (
                "<",
                ">",
                "&",
                "amp;",
                "lt;",
                "gt;",
                "#38;",
                "<b>",
                "</p>",
                "<script>",
                "<!--",
                "x",
                " ",
                "\n",
                "\u00c3",
                "\u00a9",
                "\u00e2",
                "\u20ac",
                "\u2122",
                "\u200b",
                "\ud800",
            )
        ),
        max_size=30,
    ).map("".join)
)
def test_texts_read_again_are_the_same(stated: str) -> None:
    once = clean_texts(record_of(title=stated, remarks=stated))
    assert clean_texts(once) == once


def test_markup_inside_markup_takes_linear_time() -> None:
    started = time.perf_counter()
    for text in (
        "&amp;" * 4_000,
        "&" + "amp;" * 4_000 + "lt;b>",
        "<b" * 8_000,
        "&#38;#3" * 2_000,
        "\u00c3" + "\u0192" * 8_000,
    ):
        clean_texts(record_of(remarks=text))
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "The house is close to schools and has a new kitchen for the cook in you and us.",
            "en",
        ),
        (
            "La casa tiene cocina nueva y está cerca de las escuelas y del parque de la ciudad.",
            "es",
        ),
        ("房屋靠近学校，设有全新厨房和宽敞后院，交通便利，购物方便，环境安静。" * 3, "zh"),
        ("3BR 2BA", None),
    ],
)
def test_language_of_remarks(text: str, language: str | None) -> None:
    found = language_of(text)
    assert (found[0] if found else None) == language


def test_a_stated_language_stays() -> None:
    text = "The house is close to schools and has a new kitchen for the cook in you and us."
    assert cleaned(remarks=text).language == "en"
    assert cleaned(remarks=text, language="fr").language == "fr"
