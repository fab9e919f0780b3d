"""An evaluation of the parsers in words: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from engine.intake.parse_check.comparison import NAMED_FIELDS
from engine.intake.parse_check.misreadings import EXPLANATIONS
from engine.intake.parse_check.rows import ROW_EXPLANATIONS
from engine.intake.parse_check.tracing import DERIVATIONS
from serve_apps.cli.parsing_outcome import Comparison, FileTally, Outcome

_DIFFERENCES_MAX = 2_000
_CELL_LENGTH_MAX = 70


def as_text(outcome: Outcome) -> str:
    """Tables for a terminal, the thresholds and the verdict last."""
    lines = [f"captures: {outcome.captures}", ""]
    for comparison in (outcome.posts, outcome.rows):
        lines += [f"{comparison.title}: {comparison.posts:,} posts", *_aligned(_fields(comparison))]
        lines.append("")
    lines += ["files", *_aligned(_files(outcome.files)), ""]
    for tally in outcome.files:
        lines += [f"  exception: {each}" for each in tally.exceptions]
        lines += [f"  invented: {each}" for each in tally.examples]
    lines += [f"  not read: {name}: {reason}" for name, reason in _not_read(outcome)]
    lines += ["", *_aligned(_thresholds(outcome)), "", summary(outcome)]
    return "\n".join(lines)


def summary(outcome: Outcome) -> str:
    named = outcome.posts.named
    files = sum(tally.files for tally in outcome.files)
    records = sum(tally.records for tally in outcome.files)
    verdict = "passed" if outcome.passed else "FAILED"
    return (
        f"{verdict}: {named.share:.2%} of {named.compared:,} named fields of "
        f"{outcome.posts.posts:,} posts equal; {files:,} files, {records:,} records"
    )


def as_markdown(outcome: Outcome) -> str:
    """The whole report, every difference by its name."""
    lines = ["# Parsing", "", summary(outcome) + ".", "", *_table(_thresholds(outcome))]
    for comparison in (outcome.posts, outcome.rows):
        lines += ["", f"## {comparison.title.capitalize()}", "", f"{comparison.posts:,} posts."]
        lines += ["", *_table(_fields(comparison)), "", *_explained(comparison)]
    lines += ["", "## Files", "", *_table(_files(outcome.files))]
    lines += ["", "How values that the documents do not state as such came about:", ""]
    lines += [f"- `{rule}`: {words}" for rule, words in DERIVATIONS.items()]
    examples = [each for tally in outcome.files for each in (*tally.exceptions, *tally.examples)]
    if examples:
        lines += ["", "### Exceptions and invented values", "", *(f"- {each}" for each in examples)]
    lines += ["", "## Not read", ""]
    lines += [f"- {name}: {reason}" for name, reason in _not_read(outcome)]
    return "\n".join(lines) + "\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All of it, for machines: `passed`, `thresholds`, both comparisons, files, not read."""
    answer: dict[str, Any] = msgspec.to_builtins(outcome)
    for name in ("posts", "rows"):
        comparison: Comparison = getattr(outcome, name)
        for field, tally in comparison.fields.items():
            answer[name]["fields"][field]["share"] = round(tally.share, 6)
        answer[name]["named"] = {
            "compared": comparison.named.compared,
            "equal": comparison.named.equal,
            "share": round(comparison.named.share, 6),
        }
    return {
        "passed": outcome.passed,
        "thresholds": msgspec.to_builtins(outcome.thresholds()),
        **answer,
    }


Row = tuple[str, ...]


def _fields(comparison: Comparison) -> Iterator[Row]:
    yield "field", "compared", "equal", "share", "differences"
    for name, tally in sorted(
        comparison.fields.items(), key=lambda pair: (pair[0] not in NAMED_FIELDS, pair[0])
    ):
        named = ", ".join(f"{rule} {count}" for rule, count in tally.differences.most_common())
        yield name, f"{tally.compared:,}", f"{tally.equal:,}", f"{tally.share:.2%}", named


def _files(tallies: Iterable[FileTally]) -> Iterator[Row]:
    yield "files", "parser", "files", "records", "ids", "signals", "refused", "raised", "values", "derived", "invented"  # fmt: skip  # noqa: E501
    for tally in tallies:
        derived = tally.values.total() - tally.values["stated"] - tally.values["invented"]
        yield (
            tally.name,
            tally.parser,
            f"{tally.files:,}",
            f"{tally.records:,}",
            f"{tally.distinct_ids:,}",
            f"{tally.signals:,}",
            ", ".join(f"{reason} {count}" for reason, count in tally.rejected.most_common()),
            str(len(tally.exceptions)),
            f"{tally.values.total():,}",
            f"{derived:,}",
            ", ".join(f"{field} {count}" for field, count in tally.invented.most_common()) or "0",
        )


def _thresholds(outcome: Outcome) -> Iterator[Row]:
    yield "threshold", "wanted", "measured", ""
    for each in outcome.thresholds():
        yield each.name, each.wanted, each.measured, "met" if each.met else "MISSED"


def _not_read(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Folders whole where all of their files are left for one reason."""
    seen = set()
    for name, reason in outcome.not_read:
        folder = name.rpartition("/")[0]
        key = (f"{folder}/" if folder else name, reason)
        if key not in seen:
            seen.add(key)
            yield key


def _explained(comparison: Comparison) -> list[str]:
    """What each rule means, and every difference under it."""
    words = {**EXPLANATIONS, **ROW_EXPLANATIONS}
    rules = dict.fromkeys(each.rule for each in comparison.differences)
    lines = [f"- `{rule}`: {words.get(rule, 'Not explained.')}" for rule in rules]
    if not comparison.differences:
        return ["No field differs."]
    rows: list[Row] = [("post", "field", "difference", "ours", "theirs")]
    for each in comparison.differences[:_DIFFERENCES_MAX]:
        rows.append((each.post_id, each.field, each.rule, _cell(each.ours), _cell(each.theirs)))
    return [*lines, "", *_table(rows)]


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _CELL_LENGTH_MAX else text[: _CELL_LENGTH_MAX - 1] + "…"


def _table(rows: Iterable[Row]) -> list[str]:
    header, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in body),
    ]


def _aligned(rows: Iterable[Row]) -> list[str]:
    listed = list(rows)
    widths = [max(len(row[i]) for row in listed) for i in range(len(listed[0]) - 1)]
    return [
        "  "
        + "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in listed
    ]
