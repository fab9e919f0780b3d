"""A price as a portal writes it: `$1,295,000`, `From $2,000,000`, `$1,900+/mo`, `$909K`."""

from __future__ import annotations

import re

import msgspec

from engine.intake.readings import price_of, text_of
from engine.intake.record import FieldNote

FROM_PRICE = FieldNote("from-price", 0.7)
ROUNDED_PRICE = FieldNote("rounded-price", 0.8)

_PRICE = re.compile(
    r"(?P<start>from|starting at|starting from)?\s*\$?\s*"
    r"(?P<amount>\d{1,3}(?:,\d{3}){1,4}|\d{1,12})(?P<cents>\.\d{1,4})?"
    r"\s?(?P<scale>[KM])?(?P<more>\s?\+|\s?[-–]\s?\$?\d)?[\d,.]*\s?(?:/\s?(?P<per>[a-z]{1,6}))?(?=\W|$)",
    re.I,
)
_TEXT_LENGTH_MAX = 100
_SCALES = {"K": 1_000, "M": 1_000_000}
_FREQUENCIES = {
    "mo": "Monthly",
    "month": "Monthly",
    "wk": "Weekly",
    "week": "Weekly",
    "day": "Daily",
    "night": "Daily",
    "yr": "Annually",
    "year": "Annually",
}


class StatedPrice(msgspec.Struct, frozen=True):
    """Whole USD or None; `note` says if it is only the lowest or a rounded one;
    `frequency` is the RESO LeaseAmountFrequency if the text says one."""

    dollars: int | None = None
    note: FieldNote | None = None
    frequency: str | None = None


def stated_price(cell: object) -> StatedPrice:
    """What the cell says. A range is its lower end; "Contact for price" says nothing."""
    text = text_of(cell)
    match = _PRICE.match(text[:_TEXT_LENGTH_MAX]) if text else None
    if text is None or match is None:
        return StatedPrice()
    scale = _SCALES.get((match["scale"] or "").upper(), 1)
    dollars = price_of(float(match["amount"].replace(",", "") + (match["cents"] or "")) * scale)
    if dollars is None:
        return StatedPrice()
    is_lowest = match["start"] or match["more"]
    note = FROM_PRICE if is_lowest else ROUNDED_PRICE if match["scale"] else None
    return StatedPrice(dollars, note, _FREQUENCIES.get((match["per"] or "").lower()))
