"""What portals call a listing's standing, as RESO StandardStatus."""

from __future__ import annotations

import re

from engine.intake.readings import text_of
from engine.intake.record import FieldNote

# A home that the source shows as not on the market: the nearest status, not its word.
OFF_MARKET = FieldNote("off-market", 0.6)

_STATUSES = {
    "active": "Active",
    "forsale": "Active",
    "forrent": "Active",
    "new": "Active",
    "readytobuild": "Active",
    "comingsoon": "Coming Soon",
    "preonmarket": "Coming Soon",
    "activeundercontract": "Active Under Contract",
    "activecontingent": "Active Under Contract",
    "acceptingbackupoffers": "Active Under Contract",
    "backupoffers": "Active Under Contract",
    "contingent": "Active Under Contract",
    "undercontract": "Active Under Contract",
    "pending": "Pending",
    "sold": "Closed",
    "recentlysold": "Closed",
    "justsold": "Closed",
    "closed": "Closed",
    "leased": "Closed",
    "rented": "Closed",
    "hold": "Hold",
    "temporarilyoffmarket": "Hold",
    "withdrawn": "Withdrawn",
    "canceled": "Canceled",
    "cancelled": "Canceled",
    "expired": "Expired",
    "deleted": "Delete",
}
_OFF_MARKET_WORDS = frozenset(
    {"other", "offmarket", "otheroffmarket", "notforsale", "notforrent", "notlisted", "inactive",
     "foreclosed", "preforeclosure", "gone", "removed"}
)  # fmt: skip
_NOT_LETTER = re.compile(r"[^a-z]+")


def standing(words: object) -> tuple[str | None, FieldNote | None]:
    """(StandardStatus, note). A word that is not known leaves the status unsaid."""
    key = _NOT_LETTER.sub("", (text_of(words) or "").lower()[:60])
    if key in _OFF_MARKET_WORDS:
        return "Withdrawn", OFF_MARKET
    return _STATUSES.get(key), None
