"""The details of a Redfin home for sale: lines of text under headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.intake.home_place import place_in_line
from engine.intake.listing_status import standing
from engine.intake.portal_home import PortalHome, lot_square_feet
from engine.intake.readings import moment_of, price_of, text_of, whole_of
from engine.intake.record import FieldNote
from engine.intake.redfin.words import SOURCE, home_id, page_url
from engine.intake.stated_json import list_in, object_in
from engine.intake.stated_price import stated_price
from engine.intake.tables import is_true

SUMMED_BATHS = FieldNote("summed-baths", 0.9)

_BUILT = re.compile(r"Built in (\d{4})")
_LOT = re.compile(r"([\d,.]+)\s*(sq ft|acres?) lot", re.I)
_FEE = re.compile(r"\$([\d,]+) monthly HOA fee", re.I)
_AREAS = ("Living Area", "Sq. Ft. Finished", "Calculated Square Footage")
# Counts over the whole home; the others are of one floor.
_BATHS = (
    "# of Full Baths (Total)",
    "# of Three Quarter Baths (Total)",
    "# of 1/2 Baths (Total)",
    "# of Half Baths (Total)",
    "# of Quarter Baths (Total)",
)
_DAY = re.compile(r"(?:[A-Z][a-z]+, )?([A-Z][a-z]+) (\d{1,2}), (\d{4})")


def home_of_sale_page(row: dict[str, Any]) -> PortalHome:
    """Facts are read from lines such as `# of Bedrooms: 4`; of several areas the one that
    is called living area counts."""
    facts = dict(_facts(row))
    lines = [text for each in list_in(row, "details") if (text := text_of(each))]
    url = page_url(row.get("propertyUrl"))
    place, _name = place_in_line(row.get("address"))
    status, note = standing(facts.get("Mls Status"))
    baths = _summed_baths(facts)
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=home_id(url),
        place=place,
        price=stated_price(row.get("price")),
        status=status,
        kind=lines[0] if lines else None,
        bedrooms=facts.get("# of Bedrooms"),
        bathrooms=baths,
        living_area=next((facts[name] for name in _AREAS if name in facts), None),
        lot_square_feet=_lot(lines),
        year_built=_first(_BUILT, lines),
        remarks=row.get("description"),
        listing_id=facts.get("MLS#"),
        posted=moment_of(_day(facts.get("On Market Date"))),
        url=url,
        is_sample=is_true(row.get("is_sample")),
        notes={
            "standard_status": note,
            "bathrooms_total_integer": SUMMED_BATHS if baths else None,
        },
        extra={
            "association_fee_monthly": price_of(_first(_FEE, lines)),
            # A sum of full and partial baths is not the figure that the source writes.
            "bathrooms_stated": None,
        },
    )


def _facts(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for lines in object_in(row, "features").values():
        for line in lines if isinstance(lines, list) else ():
            name, colon, value = (text_of(line) or "").partition(": ")
            if colon:
                yield name, value


def _summed_baths(facts: dict[str, str]) -> int | None:
    counts = [whole_of(facts.get(name), 0, 100) for name in _BATHS]
    return sum(count for count in counts if count) or None


def _lot(lines: list[str]) -> int | None:
    match = next((found for line in lines if (found := _LOT.fullmatch(line))), None)
    return lot_square_feet(match[1], match[2]) if match else None


def _day(cell: object) -> str | None:
    """`November-9-2023` of `Thursday, November 9, 2023`."""
    match = _DAY.fullmatch(text_of(cell) or "")
    return "-".join(match.groups()) if match else None


def _first(pattern: re.Pattern[str], lines: list[str]) -> str | None:
    return next((found[1] for line in lines if (found := pattern.search(line))), None)
