"""A table in memory: committed rows by primary key, and what each row must satisfy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

# A row is a NamedTuple of its table's columns.
Row = Any
Part = Callable[[Row], Hashable]


class Reference(NamedTuple):
    """A foreign key: `part` of a row names a row of `table` by its primary key."""

    table: Table
    part: Part


class Table:
    """`unique` and `checks` are by constraint name; a unique part that is None collides with
    nothing, like NULL."""

    def __init__(
        self,
        name: str,
        row_type: type[Any],
        key: Part,
        *,
        unique: Mapping[str, Part] | None = None,
        checks: Mapping[str, Callable[[Row], bool]] | None = None,
        references: Mapping[str, Reference] | None = None,
    ) -> None:
        self.name = name
        self.columns: tuple[str, ...] = row_type._fields
        self.key = key
        # The primary key is one of them.
        self.unique: dict[str, Part] = {f"{name}_pkey": key, **(unique or {})}
        self.checks = dict(checks or {})
        self.references = dict(references or {})
        self.rows: dict[Hashable, Row] = {}
        # Constraint -> value -> primary key of the row that has it.
        self.taken: dict[str, dict[Hashable, Hashable]] = {name: {} for name in self.unique}

    def replace(self, key: Hashable, row: Row | None) -> None:
        """Commit one row, or its absence; whether it may be was asked before."""
        old = self.rows.pop(key, None)
        for constraint, part in self.unique.items():
            taken = self.taken[constraint]
            if old is not None and taken.get(part(old)) == key:
                del taken[part(old)]
            if row is not None and part(row) is not None:
                taken[part(row)] = key
        if row is not None:
            self.rows[key] = row
