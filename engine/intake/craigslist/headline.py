"""The older layouts' headings, in which price, rooms, title and place share one line."""

from __future__ import annotations

import re

import msgspec

from engine.intake.craigslist.nodes import first
from engine.intake.readings import area_of, bedrooms_of, price_of

_LINE_LENGTH_MAX = 1_000
_PRICE = re.compile(r"\$\s?(\d[\d,]{0,14})")
_BEDROOMS = re.compile(r"(\d{1,2})\s*br\b", re.I)
_AREA = re.compile(r"(\d[\d,]{0,9})\s*(?:ft²|ft2?\b)", re.I)
# `$1350 / 3br - 1200ft² - `, the rooms' slash and each part optional but one.
_BEFORE = re.compile(
    r"(?:\$\s?\d[\d,]{0,14})?\s*(?:/?\s*\d{1,2}\s*br\b)?\s*-?\s*(?:\d[\d,]{0,9}\s*ft[²2]?)?\s*-\s+",
    re.I,
)
# ` - $4900 (Tampa/Brandon)`, ` - $25 -`
_AFTER = re.compile(
    r"\s*-?\s+-\s*(?:\$\s?\d[\d,]{0,14})?\s*-?\s*(?:\([^()]*\))?$|\s*\([^()]*\)$|\s+-$"
)
_PLACE = re.compile(r"\(([^()]*)\)\s*$")


class Headline(msgspec.Struct, frozen=True):
    title: str
    price: int | None
    bedrooms: int | None
    area: int | None
    place: str | None


def read_headline(line: str, title: str = "") -> Headline:
    """`$1350 / 3br - Nice place (Coral Springs)` in its parts.

    `title` is the bare title where the page tells it apart; without it the parts are
    told apart by their order.
    """
    line = line[:_LINE_LENGTH_MAX]
    if title and title != line and title in line:
        before, _, after = line.partition(title)
    else:
        before, title, after = _parted(line)
    sizes = f"{before} {after}"
    return Headline(
        title=title.strip(),
        price=price_of(first(_PRICE, sizes)),
        bedrooms=bedrooms_of(first(_BEDROOMS, sizes)),
        area=area_of(first(_AREA, sizes)),
        place=(first(_PLACE, after) or "").strip() or None,
    )


def _parted(line: str) -> tuple[str, str, str]:
    start = _BEFORE.match(line)
    before = start[0] if start and (start[0].strip(" -")) else ""
    rest = line[len(before) :]
    end = _AFTER.search(rest)
    after = end[0] if end else ""
    return before, rest[: len(rest) - len(after)], after
