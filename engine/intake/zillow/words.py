"""What Zillow's words for a home's standing and lister mean, wherever they appear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.intake.listing_status import standing
from engine.intake.portal_home import Cell, moment_of_milliseconds
from engine.intake.readings import rfc3339, text_of, whole_of
from engine.intake.record import FieldNote
from engine.intake.stated_json import cell_in

SOURCE = "zillow"
_SITE = "https://www.zillow.com"
_RENT_WORDS = ("forrent", "for rent", "for_rent")


def standing_of(
    words: object, flags: object, contingency: object
) -> tuple[str | None, FieldNote | None]:
    """(StandardStatus, note): a listing under contract is still called for sale."""
    status, note = standing(words)
    if status == "Active":
        if text_of(contingency) is not None:
            return "Active Under Contract", None
        if _is_set(flags, "is_pending", "isPending"):
            return "Pending", None
        if _is_set(flags, "is_comingSoon", "isComingSoon"):
            return "Coming Soon", None
    return status, note


def is_for_rent(words: object) -> bool:
    return (text_of(words) or "").lower() in _RENT_WORDS


def listed_by(flags: object, words: object) -> str | None:
    """`owner` or `agent` as the listing's kind says, None if it does not."""
    text = (text_of(words) or "").lower()
    if _is_set(flags, "is_FSBO", "isFSBO") or "by owner" in text or "(owner)" in text:
        return "owner"
    is_agents = _is_set(flags, "is_FSBA", "isFSBA") or "by agent" in text or "(broker)" in text
    return "agent" if is_agents else None


def price_change(price: int | None, stated: Mapping[str, Any]) -> dict[str, Cell]:
    """The last change as the listing states it, and the price before it if it was a cut."""
    change = whole_of(stated.get("priceChange"), -(10**9), 10**9)
    return {
        "price_change": change,
        "price_changed_at": rfc3339(moment_of_milliseconds(stated.get("datePriceChanged"))),
        "previous_list_price": price - change if price and change and change < 0 else None,
    }


def page_url(cell: object) -> str | None:
    """The whole address of a home's page; the site's root alone is none."""
    text = text_of(cell)
    if text is None:
        return None
    url = f"{_SITE}{text}" if text.startswith("/") and not text.startswith("//") else text
    is_page = url.startswith(("https://", "http://")) and url.rstrip("/").count("/") >= 3
    return url if is_page and len(url) <= 2_000 else None


def is_dollars(*currencies: object) -> bool:
    return all(text_of(currency) in (None, "USD", "$") for currency in currencies)


def is_true(cell: Any) -> bool:
    return cell is True or text_of(cell) in ("true", "True", "1")


def _is_set(flags: object, *names: str) -> bool:
    return any(is_true(cell_in(flags, name)) for name in names)
