"""A tracker's list of owners' listings, gathered from the portals that show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.intake.document import Document
from engine.intake.fsbo.linked_data import homes_in
from engine.intake.home_place import place_of
from engine.intake.listing_status import OFF_MARKET, standing
from engine.intake.portal_home import Cell, PortalHome, record_of, refused
from engine.intake.readings import moment_of, number_of, price_of, rfc3339, text_of, whole_of
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.stated_json import BrokenJsonError, cell_in, first_stated, read_json
from engine.intake.stated_price import StatedPrice, stated_price
from engine.intake.tables import is_true

FROM_PERCENT = FieldNote("from-percent", 0.8)

# Labels that the tracker writes for every home alike. They say nothing of one home, and
# as remarks would make hundreds of homes look like copies of one text.
_LABEL = re.compile(
    r"(?:price (?:cut|reduction)\b.*|open: .*|\d+ (?:minute|hour|day)s? ago|updated .*|"
    r"non-owner occupied(?: / vacant)?|vacant|new listing|listed by owner)",
    re.I,
)
_CUT = re.compile(r"Price (?:cut|reduction): \$([\d,]{1,15})", re.I)
# Shorter than this what is left is a badge too ("New roof"), not what an owner wrote.
_REMARKS_LENGTH_MIN = 80


def tracker_records(document: Document, *, source: str) -> Iterator[SourceRecord | Rejected]:
    try:
        value = read_json(document.content)
    except BrokenJsonError as error:
        yield refused(source, "broken-json", f"{document.url}: {error}")
        return
    rows = value if isinstance(value, list) else cell_in(value, "listings")
    if not isinstance(rows, list):
        homes = homes_in([value], source)
        if not homes:
            detail = f"{document.url}: no list called listings, no home in linked data"
            yield refused(source, "unknown-shape", detail)
        for home in homes:
            yield record_of(home, document)
        return
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield record_of(_home(row, source), document)
        else:
            yield refused(source, "not-a-row", f"{document.url}: row {number} is no object")


def _home(row: dict[str, Any], source: str) -> PortalHome:
    status, note = standing(row.get("status"))
    if row.get("gone_at") and status in (None, "Active"):
        status, note = "Withdrawn", OFF_MARKET
    price, badges = stated_price(row.get("price")), text_of(row.get("remarks"))
    previous, previous_note = _previous_price(row, price, badges)
    remarks = _remarks(badges)
    return PortalHome(
        source=source,
        raw=_without_score(row),
        source_id=row.get("id"),
        place=place_of(
            street=row.get("address"),
            city=row.get("city"),
            state=row.get("state"),
            postal_code=row.get("zip_code"),
            latitude=row.get("latitude"),
            longitude=row.get("longitude"),
        ),
        price=price,
        status=status,
        kind=row.get("property_type"),
        bedrooms=row.get("beds"),
        bathrooms=row.get("baths"),
        living_area=row.get("sqft"),
        year_built=row.get("year_built"),
        remarks=remarks,
        days_on_market=row.get("dom"),
        seen=moment_of(row.get("last_seen_at")),
        name=row.get("contact_name"),
        phone=row.get("contact_phone"),
        email=row.get("contact_email"),
        url=first_stated(row.get("zillow_url"), row.get("redfin_url"), row.get("url")),
        originating_system_name=row.get("source"),
        is_sample=is_true(row.get("is_sample")),
        notes={"standard_status": note, "previous_list_price": previous_note},
        extra={
            **_offer(row),
            "previous_list_price": previous,
            "badges": badges if badges and not remarks else None,
            "tax_assessed_value": price_of(row.get("assessed_value")),
        },
    )


def _offer(row: dict[str, Any]) -> dict[str, Cell]:
    """`mlsfsbo` is an owner's listing that an MLS carries: still the owner's."""
    kind = (text_of(row.get("listing_type")) or "").lower()
    is_owners = kind in ("fsbo", "mlsfsbo")
    cuts = whole_of(row.get("price_cuts"), 1, 1_000)
    return {
        "listed_by": "owner" if is_owners else "agent" if kind == "agent" else None,
        "is_in_mls": True if kind == "mlsfsbo" else None,
        "price_cuts": cuts,
        "price_changed_at": rfc3339(moment_of(row.get("last_price_cut_at"))),
    }


def _previous_price(
    row: dict[str, Any], price: StatedPrice, badges: str | None
) -> tuple[int | None, FieldNote | None]:
    """The price before the last cut: from its amount, else from its percentage."""
    match = _CUT.search(badges or "")
    cut = price_of(match[1]) if match else None
    if price.dollars is None:
        return None, None
    if cut is not None:
        return price.dollars + cut, None
    percent = number_of(row.get("last_price_cut_pct"))
    if percent is None or not -95 < percent < 0:
        return None, None
    return round(price.dollars / (1 + percent / 100)), FROM_PERCENT


def _remarks(badges: str | None) -> str | None:
    """What is left without the labels, if it is long enough to have been written."""
    parts = [part.strip() for part in (badges or "").split(". ")]
    kept = ". ".join(part for part in parts if part and not _LABEL.fullmatch(part.rstrip(".")))
    return kept if len(kept) >= _REMARKS_LENGTH_MIN else None


def _without_score(row: dict[str, Any]) -> dict[str, Any]:
    """The row without the tracker's own judgement and what it does at every visit."""
    return {key: cell for key, cell in row.items() if key not in _NOT_OF_THE_HOME}


_NOT_OF_THE_HOME = frozenset(
    {"score", "score_breakdown", "keywords_matched", "days_seen", "dom", "last_seen_at",
     "detail_fetched_at", "first_seen_at", "search_id", "grace_until"}
)  # fmt: skip
