"""Another program's reading of posts (`posts_parsed`), and how it is known to misread.

It was made from the same kind of pages: attributes are found by the first text that holds
a keyword, addresses end at the letters "near", missing values are the text `NA`, times are
local minutes, bodies are lists of sentences with links as `<URL>`, and a repost goes by
the id of the post that it repeats.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

import msgspec

ABSENT = "NA"
_POST_ID = re.compile(r"/(\d{5,20})\.html")
_LISTED_BYTES_MAX = 1024 * 1024

# Keywords by which it takes a text of the page for the value of a field.
KEYWORDS: dict[str, tuple[str, ...]] = {
    "type": (
        *("apartment", "condo", "cottage", "duplex", "flat", "house", "in-law", "loft"),
        *("townhouse", "manufactured", "assisted", "land"),
    ),
    "beds": ("BR",),
    "baths": ("BR",),
    "area": ("ft2",),
    "laundry": ("w/d", "laundry"),
    "parking": ("parking", "garage", "carport"),
    "flooring": ("flooring",),
    "rent period": ("rent period",),
    "application fee": ("application",),
    "broker fee": ("broker",),
    "cats": ("cats",),
    "dogs": ("dogs",),
    "no smoking": ("smoking",),
    "furnished": ("furnished",),
    "wheelchair": ("wheelchair",),
    "air conditioning": ("air",),
    "EV charging": ("EV",),
}


class Reference(msgspec.Struct, frozen=True):
    """One record of it. `page_id` is the id of the page that it was read from."""

    page_id: str
    said: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """The value of a field, None where it says that there is none."""
        value = self.said.get(name)
        return None if value in (None, ABSENT, "") else value

    def listed(self, name: str) -> list[str]:
        """A list, also where it was kept as the text of one."""
        value = self.get(name)
        if isinstance(value, str) and value.startswith("[") and len(value) < _LISTED_BYTES_MAX:
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return [value]
        return [str(each) for each in value] if isinstance(value, list) else []


def reference_of(row: object) -> Reference | None:
    """The record of one JSON line; None if it does not say which page it was read from."""
    if not isinstance(row, dict):
        return None
    match = _POST_ID.search(str(row.get("url", "")))
    page_id = match[1] if match else str(row.get("post_id", ""))
    return Reference(page_id, row) if page_id.isdigit() else None
