"""Prices as portals write them."""

from __future__ import annotations

import pytest

from engine.intake.stated_price import FROM_PRICE, ROUNDED_PRICE, StatedPrice, stated_price


@pytest.mark.parametrize(
    ("cell", "stated"),
    [
        ("$1,295,000", StatedPrice(1_295_000)),
        (525000.0, StatedPrice(525_000)),
        ("400000", StatedPrice(400_000)),
        ("1375.0", StatedPrice(1_375)),
        ("$1,900+/mo", StatedPrice(1_900, FROM_PRICE, "Monthly")),
        ("$1,699/mo", StatedPrice(1_699, None, "Monthly")),
        ("$4,919+/mo Total price", StatedPrice(4_919, FROM_PRICE, "Monthly")),
        ("$2,975+ Studio Total price", StatedPrice(2_975, FROM_PRICE)),
        ("$350/wk", StatedPrice(350, None, "Weekly")),
        ("From $2,000,000", StatedPrice(2_000_000, FROM_PRICE)),
        ("$1,200 - $1,500/mo", StatedPrice(1_200, FROM_PRICE, "Monthly")),
        ("$909K", StatedPrice(909_000, ROUNDED_PRICE)),
        ("$1.50M", StatedPrice(1_500_000, ROUNDED_PRICE)),
        ("$0+", StatedPrice()),
        ("0", StatedPrice()),
        ("-5", StatedPrice()),
        ("Contact for price", StatedPrice()),
        ("Est. $4,556/mo", StatedPrice()),
        ("€300,000", StatedPrice()),
        ("$9,999,999,999", StatedPrice()),
        ("", StatedPrice()),
        (None, StatedPrice()),
        (True, StatedPrice()),
        ({"value": 5}, StatedPrice()),
    ],
)
def test_what_a_price_says(cell: object, stated: StatedPrice) -> None:
    assert stated_price(cell) == stated
