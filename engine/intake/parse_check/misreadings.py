"""The reference's own faults, by name, each shown by the page before it is believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.intake.craigslist.attributes import HOUSING_TYPES
from engine.intake.parse_check.reference import KEYWORDS
from engine.intake.parse_check.shown import Shown

EXPLANATIONS = {
    "reference-is-another-capture": "The reference read the post before or after a change: "
    "the times of change differ.",
    "reference-takes-text-with-keyword": "The reference takes any attribute that holds a "
    "keyword: `wheelchair accessible` holds `air`, `75.00 per household` holds `house`.",
    "reference-cuts-at-second-colon": "The reference keeps what stands between the first two "
    "colons of an attribute.",
    "reference-lists-all-with-keyword": "The reference keeps a list where several attributes "
    "hold the keyword.",
    "reference-reads-only-the-map": "The page has no map, but its head states the position.",
    "reference-takes-words-beside-title": "The page shows no address; the reference takes the "
    "words in brackets after the title where they begin with a digit.",
    "reference-cuts-at-letters-near": "The reference ends an address at the letters `near`, "
    "also inside a word.",
    "reference-keeps-cross-street": "The reference knows `near` in lower case only.",
    "reference-reads-only-the-map-line": "The page's linked data states another street address "
    "than the line under its map.",
    "reference-counts-only-thumbnails": "A post with one image has no thumbnails.",
    "reference-reads-only-attributes": "The page states it in its heading alone.",
    "zero-is-no-value": "A price or an area of 0 says nothing.",
    "out-of-bounds": "A price above 2,000,000,000 or an area above 10,000,000 is not believed.",
    "reference-writes-absence-as-NA": "The page states `NA`, which the reference keeps for "
    "nothing.",
}
# Those that the page shows to be the reference's, whatever we read.
REFERENCE_FAULTS = frozenset(
    name for name in EXPLANATIONS if name != "reference-is-another-capture"
) - {"zero-is-no-value", "out-of-bounds"}
_BOUNDS = {"price": 2_000_000_000, "area": 10_000_000}


def misreading(field: str, ours: Any, theirs: Any, shown: Shown) -> str | None:
    """The name of the fault that made the difference, None if none of them did."""
    named = _by_keyword(field, ours, theirs, shown) if field in KEYWORDS else None
    if named is None and field in _OF_FIELD:
        named = _OF_FIELD[field](ours, theirs, shown)
    if named is None and theirs is None and str(ours).strip("()").casefold() == "na":
        return "reference-writes-absence-as-NA"
    return named


def _by_keyword(field: str, ours: Any, theirs: Any, shown: Shown) -> str | None:
    texts = [text for text in shown.attributes if any(word in text for word in KEYWORDS[field])]
    if theirs is None or not texts or (field == "type" and theirs in HOUSING_TYPES):
        return None
    if isinstance(theirs, list):
        return "reference-lists-all-with-keyword" if theirs == texts else None
    if theirs is True:
        return "reference-takes-text-with-keyword" if ours is None else None
    details = [text.partition(":")[2].strip() for text in texts]
    if ours in details and theirs == str(ours).partition(":")[0].strip():
        return "reference-cuts-at-second-colon"
    return "reference-takes-text-with-keyword" if theirs in {*texts, *details} else None


def _of_position(ours: Any, theirs: Any, shown: Shown) -> str | None:
    return "reference-reads-only-the-map" if theirs is None and not shown.has_map else None


def _of_street(ours: Any, theirs: Any, shown: Shown) -> str | None:
    line = shown.map_address
    if line is None:
        if ours is None and theirs == (shown.beside or "").strip("()").partition("near")[0].strip():
            return "reference-takes-words-beside-title"
        return "reference-reads-only-the-map-line" if ours == shown.data_address else None
    if (theirs or "") != line.partition("near")[0].strip():
        return None
    if line.casefold().startswith(f"{ours} near ".casefold()):
        return "reference-keeps-cross-street"
    if ours == shown.data_address and ours != line:
        return "reference-reads-only-the-map-line"
    return "reference-cuts-at-letters-near" if line.startswith(str(ours)) else None


def _of_measure(field: str) -> Callable[[Any, Any, Shown], str | None]:
    def named(ours: Any, theirs: Any, shown: Shown) -> str | None:
        if ours is None and isinstance(theirs, int | float):
            if theirs == 0:
                return "zero-is-no-value"
            return "out-of-bounds" if theirs > _BOUNDS[field] else None
        return _of_heading(ours, theirs, shown) if field == "area" else None

    return named


def _of_heading(ours: Any, theirs: Any, shown: Shown) -> str | None:
    return "reference-reads-only-attributes" if theirs is None and ours is not None else None


def _of_images(ours: Any, theirs: Any, shown: Shown) -> str | None:
    single = ours == 1 and theirs is None and shown.thumbnails == 0
    return "reference-counts-only-thumbnails" if single else None


_OF_FIELD: dict[str, Callable[[Any, Any, Shown], str | None]] = {
    "latitude": _of_position,
    "longitude": _of_position,
    "street": _of_street,
    "price": _of_measure("price"),
    "area": _of_measure("area"),
    "beds": _of_heading,
    "images": _of_images,
}
