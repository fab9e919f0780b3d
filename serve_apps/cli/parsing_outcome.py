"""What an evaluation of the parsers found, and whether it meets the thresholds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from engine.intake.parse_check.comparison import NAMED_FIELDS, UNEXPLAINED, Compared
from engine.intake.parse_check.misreadings import REFERENCE_FAULTS
from engine.intake.parse_check.tracing import INVENTED, Traced

EQUAL_LEAST = 0.995
_EXAMPLES_MAX = 5


class FieldTally(msgspec.Struct):
    """How often a field was compared, was equal, and differed by which rule."""

    compared: int = 0
    equal: int = 0
    differences: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def share(self) -> float:
        return self.equal / self.compared if self.compared else 1.0

    @property
    def share_not_ours(self) -> float:
        """Equal, or different by a fault of the reference that the page itself shows."""
        faults = sum(self.differences[rule] for rule in REFERENCE_FAULTS)
        return (self.equal + faults) / self.compared if self.compared else 1.0


class Difference(msgspec.Struct, frozen=True):
    """One field of one post in which the two sides differ."""

    post_id: str
    field: str
    rule: str
    ours: Any
    theirs: Any


class Comparison(msgspec.Struct):
    """All fields of all posts that both sides read. Every difference is kept."""

    title: str
    posts: int = 0
    fields: dict[str, FieldTally] = msgspec.field(default_factory=dict)
    differences: list[Difference] = msgspec.field(default_factory=list)

    def add(self, post_id: str, compared: list[Compared]) -> None:
        self.posts += 1
        for each in compared:
            tally = self.fields.setdefault(each.field, FieldTally())
            tally.compared += 1
            tally.equal += not each.rule
            if each.rule:
                tally.differences[each.rule] += 1
                self.differences.append(
                    Difference(post_id, each.field, each.rule, each.ours, each.theirs)
                )

    @property
    def named(self) -> FieldTally:
        """The fields that acceptance names, taken together."""
        tallies = [tally for name, tally in self.fields.items() if name in NAMED_FIELDS]
        return FieldTally(
            compared=sum(tally.compared for tally in tallies),
            equal=sum(tally.equal for tally in tallies),
        )

    @property
    def unexplained(self) -> int:
        return sum(tally.differences[UNEXPLAINED] for tally in self.fields.values())


class FileTally(msgspec.Struct):
    """What a parser made of the files of one folder or of one file."""

    name: str
    parser: str
    files: int = 0
    records: int = 0
    signals: int = 0
    distinct_ids: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    exceptions: list[str] = msgspec.field(default_factory=list)
    values: Counter[str] = msgspec.field(default_factory=Counter)
    invented: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[str] = msgspec.field(default_factory=list)

    def add_values(self, file: str, source_id: str, traced: list[Traced]) -> None:
        for each in traced:
            self.values[each.rule] += 1
            if each.rule == INVENTED:
                self.invented[each.field] += 1
                if self.invented[each.field] <= _EXAMPLES_MAX:
                    self.examples.append(f"{file} {source_id}: {each.field}={each.value!r:.120}")

    @property
    def outcomes(self) -> int:
        return self.records + self.signals + sum(self.rejected.values())


class Threshold(msgspec.Struct, frozen=True):
    name: str
    wanted: str
    measured: str
    met: bool


class Outcome(msgspec.Struct):
    captures: str
    posts: Comparison
    rows: Comparison
    files: list[FileTally]
    not_read: list[tuple[str, str]]

    def thresholds(self) -> list[Threshold]:
        exceptions = sum(len(tally.exceptions) for tally in self.files)
        invented = sum(tally.invented.total() for tally in self.files)
        silent = sum(not tally.outcomes and not tally.exceptions for tally in self.files)
        unexplained = self.posts.unexplained + self.rows.unexplained
        named = self.posts.named
        worst_name, worst = min(
            (
                (name, tally.share_not_ours)
                for name, tally in self.posts.fields.items()
                if name in NAMED_FIELDS
            ),
            key=lambda pair: pair[1],
            default=("no field", 1.0),
        )
        least = f"at least {EQUAL_LEAST:.1%}"
        return [
            Threshold("all named fields equal", least, _percent(named), named.share >= EQUAL_LEAST),
            Threshold(
                "each named field equal, faults of the reference apart",
                least,
                f"{worst:.2%} ({worst_name})",
                worst >= EQUAL_LEAST,
            ),
            Threshold("differences without a name", "0", str(unexplained), unexplained == 0),
            Threshold("exceptions", "0", str(exceptions), exceptions == 0),
            Threshold("invented values", "0", str(invented), invented == 0),
            Threshold("files without any outcome", "0", str(silent), silent == 0),
        ]

    @property
    def passed(self) -> bool:
        return all(threshold.met for threshold in self.thresholds())


def _percent(tally: FieldTally) -> str:
    return f"{tally.share:.2%} ({tally.equal:,} of {tally.compared:,})"
