"""A result row beside the post that it leads to: the same home, seen at another moment."""

from __future__ import annotations

from engine.intake.parse_check.comparison import UNEXPLAINED, Compared
from engine.intake.readings import moment_of
from engine.intake.record import SourceRecord

CHANGED_SINCE = "post-changed-after-the-row"
ROW_EXPLANATIONS = {
    CHANGED_SINCE: "The post was changed after the row was collected.",
    "row-leaves-studio-blank": "A row shows no bedrooms for a studio; the post says 0.",
}


def compare_row(row: SourceRecord, post: SourceRecord) -> list[Compared]:
    """Every field that the row states, or that it should and does not."""
    pairs = (
        ("price", row.list_price, post.list_price),
        ("title", row.title, post.title),
        ("beds", row.bedrooms_total, post.bedrooms_total),
        ("area", row.living_area, post.living_area),
        ("neighborhood", row.extra.get("neighborhood"), post.extra.get("neighborhood")),
        ("address of the page", row.contact.source_url, post.contact.source_url),
        ("section", row.extra.get("section"), post.extra.get("section")),
    )
    return [
        Compared(name, ours, theirs, "" if ours == theirs else _rule(name, ours, theirs, row, post))
        for name, ours, theirs in pairs
        if not (ours is None and theirs is None)
    ]


def _rule(name: str, ours: object, theirs: object, row: SourceRecord, post: SourceRecord) -> str:
    if name == "beds" and ours is None and theirs == 0:
        return "row-leaves-studio-blank"
    shown, changed = moment_of(row.modification_timestamp), moment_of(post.modification_timestamp)
    if shown is not None and changed is not None and changed > shown:
        return CHANGED_SINCE
    return UNEXPLAINED
