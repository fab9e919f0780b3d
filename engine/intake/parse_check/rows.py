"""A result row beside the post that it leads to: the same home, seen at another moment."""

from __future__ import annotations

from datetime import datetime, tzinfo

from engine.intake.parse_check.comparison import UNEXPLAINED, Compared
from engine.intake.record import SourceRecord

CHANGED_SINCE = "post-changed-after-the-row"
ROW_EXPLANATIONS = {
    CHANGED_SINCE: "The post was changed after the row was collected.",
    "row-leaves-studio-blank": "A row shows no bedrooms for a studio; the post says 0.",
}


def compare_row(row: SourceRecord, post: SourceRecord, zone: tzinfo | None) -> list[Compared]:
    """Every field that either states. `zone` is the city's, in which rows show their time;
    without it, no change is known to be a later one."""
    pairs = (
        ("price", row.list_price, post.list_price),
        ("title", row.title, post.title),
        ("beds", row.bedrooms_total, post.bedrooms_total),
        ("area", row.living_area, post.living_area),
        ("neighborhood", row.extra.get("neighborhood"), post.extra.get("neighborhood")),
        ("address of the page", row.contact.source_url, post.contact.source_url),
        ("section", row.extra.get("section"), post.extra.get("section")),
    )
    is_changed = _is_changed(row, post, zone)
    return [
        Compared(
            name, ours, theirs, "" if ours == theirs else _rule(name, ours, theirs, is_changed)
        )
        for name, ours, theirs in pairs
        if not (ours is None and theirs is None)
    ]


def _rule(name: str, ours: object, theirs: object, is_changed: bool) -> str:
    if name == "beds" and ours is None and theirs == 0:
        return "row-leaves-studio-blank"
    return CHANGED_SINCE if is_changed else UNEXPLAINED


def _is_changed(row: SourceRecord, post: SourceRecord, zone: tzinfo | None) -> bool:
    if row.modification_timestamp is None or post.modification_timestamp is None:
        return False
    shown = datetime.fromisoformat(row.modification_timestamp)
    if shown.tzinfo is None:
        if zone is None:
            return False
        shown = shown.replace(tzinfo=zone)
    return datetime.fromisoformat(post.modification_timestamp) > shown
