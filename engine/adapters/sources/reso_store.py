"""Properties that a local RESO server has, and how they change."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from engine.adapters.sources.reso_walk import timestamp
from engine.intake.readings import moment_of
from engine.intake.reso.names import KEY, MODIFIED


class Head(NamedTuple):
    """Where a Property stands in the order of changes."""

    modified: datetime
    key: str


class PropertyStore:
    """Rows by their key, kept encoded. A row has its key and ModificationTimestamp in it."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._content: dict[str, bytes] = {}
        self._heads: dict[str, Head] = {}
        self._ordered: list[Head] | None = None
        for row in rows:
            self.put(row)

    def put(self, row: Mapping[str, Any]) -> None:
        """Raises ValueError for a row without a key or moment."""
        key, modified = row.get(KEY), moment_of(row.get(MODIFIED))
        if not isinstance(key, str) or modified is None:
            raise ValueError(f"a Property needs {KEY} and {MODIFIED}: {row.get(KEY)!r}")
        self._content[key] = msgspec.json.encode(row)
        self._heads[key] = Head(modified, key)
        self._ordered = None

    def change(self, key: str, at: datetime, **values: Any) -> None:
        """Raises KeyError for an unknown key."""
        self.put({**self.row(key), **values, MODIFIED: timestamp(at)})

    def remove(self, key: str, at: datetime) -> None:
        """Marks a Property as not to be shown any more; it stays in the order of changes."""
        self.put({KEY: key, MODIFIED: timestamp(at), "MlgCanView": False})

    def drop(self, key: str) -> None:
        """Removes a Property without a trace. Raises KeyError."""
        del self._content[key], self._heads[key]
        self._ordered = None

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def row(self, key: str) -> dict[str, Any]:
        row: dict[str, Any] = msgspec.json.decode(self._content[key])
        return row

    def heads(self, after: Head | None = None) -> list[Head]:
        """In the order of changes, those after `after`."""
        if self._ordered is None:
            self._ordered = sorted(self._heads.values())
        if after is None:
            return self._ordered
        begin = bisect_left(self._ordered, after)
        return self._ordered[begin + (self._ordered[begin : begin + 1] == [after]) :]
