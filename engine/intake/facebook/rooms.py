"""Rooms, size and kind of a home, where Marketplace's form puts them: in words."""

from __future__ import annotations

import re
from typing import Any

from engine.intake.property_kinds import is_known_sub_type_word
from engine.intake.readings import area_of, text_of
from engine.intake.stated_json import objects_in

TITLES = ("marketplace_listing_title", "title", "custom_title")
_ROOMS_LENGTH_MAX = 60

BEDROOMS = re.compile(r"(\d{1,2})\s*(?:beds?|bedrooms?|br|bd)\b", re.I)
BATHROOMS = re.compile(r"(\d{1,2}(?:\.\d)?)\s*(?:baths?|bathrooms?|ba)\b", re.I)
_STUDIO = re.compile(r"\bstudio\b", re.I)
_AREA = re.compile(r"(\d[\d,]{0,9})\s*(?:sq\.?\s?ft\.?|sqft|square feet|ft²)", re.I)
# The title that the site's own form gives a home: `2 Beds 1 Bath Apartment`.
_FORM_TITLE = re.compile(
    r"(?:(?:\d{1,2}\s+beds?|studio)(?:\s+\d{1,2}(?:\.\d)?\s+baths?)?|private room for rent)"
    r"(?:\s+[-·•]?\s*([a-z/ ]{3,30}))?",
    re.I,
)


def rooms_of(listing: dict[str, Any]) -> str:
    """`2 beds · 1 bath`, where the site's form put it."""
    subtitles = objects_in(listing, "custom_sub_titles_with_rendering_flags")
    stated = [
        line_of(listing.get("unit_room_info")),
        *(line_of(each.get("subtitle")) for each in subtitles),
        *_display_labels(listing),
        form_title(listing),
    ]
    return next((text.lower() for text in stated if text and _is_rooms(text)), "")


def _is_rooms(text: str) -> bool:
    found = BEDROOMS.search(text) or BATHROOMS.search(text) or _STUDIO.search(text)
    return len(text) <= _ROOMS_LENGTH_MAX and found is not None


def _display_labels(listing: dict[str, Any]) -> list[str]:
    """The short facts beside the title of a listing's own page."""
    return [
        label
        for section in objects_in(listing, "pdp_display_sections")
        if section.get("section_type") == "UNIT_SUBTITLE"
        for field in objects_in(section, "pdp_fields")
        if (label := line_of(field.get("display_label")))
    ]


def form_title(listing: dict[str, Any]) -> str | None:
    """The title that the site's form made, where the advertiser gave another too."""
    titles = (line_of(listing.get(name)) for name in TITLES)
    return next((title for title in titles if title and _FORM_TITLE.fullmatch(title)), None)


def kind_of(listing: dict[str, Any]) -> str | None:
    match = _FORM_TITLE.fullmatch(form_title(listing) or "")
    if match and match[1]:
        return match[1]
    return next((text for text in _display_labels(listing) if is_known_sub_type_word(text)), None)


def area_of_home(listing: dict[str, Any]) -> int | None:
    stated = (line_of(listing.get("unit_area_info")), *_display_labels(listing))
    return next((area for text in stated if (area := area_of(first(_AREA, text or "")))), None)


def line_of(cell: object) -> str | None:
    """One line of text: titles here hold line breaks."""
    text = text_of(cell) if isinstance(cell, str | int | float) else None
    return " ".join(text.split()) or None if text else None


def first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None
