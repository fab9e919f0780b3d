"""The sections of the site: which offer property, for rent or for sale, and which do not."""

from __future__ import annotations

import re

SALE = frozenset({"rea", "reo", "reb"})
RENT = frozenset({"apa", "aap", "abo", "fee", "nfb", "roo", "sub", "vac", "swp"})
COMMERCIAL = frozenset({"off"})
BY_OWNER = frozenset({"reo", "abo"})
# Everything of the housing category, for rent and for sale.
MIXED = frozenset({"hhh"})
_PROPERTY = SALE | RENT | COMMERCIAL | MIXED
_WANTED = frozenset({"hou", "rew", "sha", "sbw"})
# `/search/dal/apa`, `/mdc/reb/3438004368.html`, `/apa/d/austin-nice/7503653311.html`, `/brw/apa/`
_IN_PATH = re.compile(
    r"/(?:search/)?(?:[a-z]{3}/)?([a-z]{3})(?:/?$|[/?#]?(?:d/[^/]{0,300}/)?\d{5,20}\.html|\?)"
)


def section_in(href: str | None) -> str | None:
    """The three letters of the section that an address belongs to."""
    match = _IN_PATH.search(href) if href else None
    return match[1] if match else None


def refusal(section: str | None) -> tuple[str, str] | None:
    """(reason, detail) if posts of this section offer no property, or might not."""
    if section is None:
        return "unknown-section", "nothing says in which section it stands"
    if section in _PROPERTY:
        return None
    if section in _WANTED:
        return "wanted", f"section {section}: someone looks for a home"
    return "not-property", f"section {section} offers no property"


def is_for_rent(section: str | None) -> bool | None:
    """None where the section does not tell."""
    if section is None or section in MIXED:
        return None
    return section not in SALE
