"""Motivation is read from what is said of the sale, and only where it isn't denied."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.motivation import is_price_cut, motivation_of, motivation_signals
from engine.intake.record import SourceRecord


def _record(**fields: object) -> SourceRecord:
    return SourceRecord(source="fsbo", source_id="1", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("MUST SELL this week!", ("must-sell",)),
        ("Highly motivated seller, bring all offers", ("motivated", "bring-offers")),
        ("The owners are very motivated.", ("motivated",)),
        ("Price just reduced!", ("price-reduced",)),
        ("Sold as-is, no repairs", ("as-is",)),
        ("We are relocating in\nJune", ("relocating",)),
        ("Estate sale, probate approved", ("probate",)),
        ("6 weeks FREE on select homes", ("concession",)),
        ("Owner will finance", ("owner-financing",)),
    ],
)
def test_a_signal_is_named(text: str, signals: tuple[str, ...]) -> None:
    assert motivation_signals(text) == signals


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lovely home near schools",
        "Owner is not motivated to sell",
        "Seller isn't in a must sell situation",
        "This is not a short sale",
        "no price reduction",
        "Your trusted real estate sale team",
        "The kitchen is as is the bath: new",
        "Divorce lawyer's office next door; perfect for young families",
        "unmotivated sellers need not apply",
    ],
)
def test_what_is_denied_or_of_people_is_no_signal(text: str) -> None:
    assert motivation_signals(text) == ()


def test_more_signals_add_up_below_one() -> None:
    one = motivation_of(_record(remarks="must sell"))
    two = motivation_of(_record(remarks="must sell", title="motivated seller"))
    assert 0 < one < two < 1
    assert motivation_of(_record()) == 0.0


@pytest.mark.parametrize(
    ("price", "extra", "is_cut"),
    [
        (300, {"previous_list_price": 320}, True),
        (300, {"previous_list_price": 300}, False),
        (300, {"previous_list_price": 280, "price_change": -5}, False),
        (300, {"price_change": -5_000}, True),
        (300, {"price_change": 5_000.0}, False),
        (None, {"previous_list_price": 320}, False),
        (300, {"price_change": "soon"}, False),
    ],
)
def test_a_price_cut_is_a_signal(
    price: int | None, extra: dict[str, str | int | float | bool | None], is_cut: bool
) -> None:
    record = _record(list_price=price, extra=extra)
    assert is_price_cut(record) is is_cut
    assert (motivation_of(record) > 0) is is_cut


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert 0.0 <= motivation_of(_record(title=text, remarks=text)) <= 1.0


def test_hostile_text_takes_linear_time() -> None:
    started = time.perf_counter()
    for text in ("not " * 5_000, "must sell " * 2_000, "a" * 20_000, "no-" * 6_000 + "short sale"):
        motivation_signals(text)
    assert time.perf_counter() - started < 1.0
