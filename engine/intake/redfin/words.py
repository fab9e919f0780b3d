"""Redfin's ids, addresses of pages and codes."""

from __future__ import annotations

import re
from typing import Any

from engine.intake.readings import text_of
from engine.intake.stated_json import cell_in

SOURCE = "redfin"
_SITE = "https://www.redfin.com"
_HOME_ID = re.compile(r"/(?:home|apartment)/(\d{1,15})(?:[/?#]|$)")

# The site's `uiPropertyType`.
KINDS = {
    1: "house",
    2: "condo",
    3: "townhouse",
    4: "multi family",
    5: "land",
    7: "manufactured",
    8: "coop",
}


def page_url(cell: object) -> str | None:
    text = text_of(cell)
    if text is None or len(text) > 2_000:
        return None
    url = f"{_SITE}{text}" if text.startswith("/") and not text.startswith("//") else text
    return url if url.startswith(("https://", "http://")) else None


def home_id(url: str | None) -> str | None:
    match = _HOME_ID.search(url or "")
    return match[1] if match else None


def unwrapped(row: dict[str, Any], *path: str) -> Any:
    """What `{"value": .., "level": ..}` wraps, or the cell itself where it is bare."""
    cell = row
    for name in path:
        found = cell_in(cell, name)
        is_wrapped = isinstance(found, dict) and ("level" in found or "value" in found)
        cell = found.get("value") if is_wrapped else found
    return cell
