"""What pricing knows of a market's leads, side by side: row i of every column is one lead."""

from __future__ import annotations

from typing import Any

import numpy as np

_FIRST_ROOM = 1_024
# Name and type of each column. Instants in µs, prices in credits, `base` in thousandths of one.
# `drawn_*` are the multipliers (ten-thousandths) of the price before, for the reason of the next.
_COLUMNS: dict[str, type[np.generic]] = {
    "base": np.int64,
    "price": np.int64,
    "segment": np.int32,
    "arm": np.uint8,
    "max_buyers": np.int16,
    "sold": np.int16,
    "is_offered": np.bool_,
    "listed_at": np.int64,
    "changed_at": np.int64,
    "acted_at": np.int64,
    "committed": np.int64,
    "committed_at": np.int64,
    "rate": np.int64,
    "drawn_base": np.int64,
    "drawn_demand": np.int64,
    "drawn_age": np.int64,
    "drawn_seats": np.int64,
}


class LeadColumns:
    """Grows by doubling. A lead keeps its row for good, as it keeps its place in the book."""

    base: np.ndarray[Any, np.dtype[np.int64]]
    price: np.ndarray[Any, np.dtype[np.int64]]
    segment: np.ndarray[Any, np.dtype[np.int32]]
    arm: np.ndarray[Any, np.dtype[np.uint8]]
    max_buyers: np.ndarray[Any, np.dtype[np.int16]]
    sold: np.ndarray[Any, np.dtype[np.int16]]
    is_offered: np.ndarray[Any, np.dtype[np.bool_]]
    listed_at: np.ndarray[Any, np.dtype[np.int64]]
    changed_at: np.ndarray[Any, np.dtype[np.int64]]
    acted_at: np.ndarray[Any, np.dtype[np.int64]]
    committed: np.ndarray[Any, np.dtype[np.int64]]
    committed_at: np.ndarray[Any, np.dtype[np.int64]]
    rate: np.ndarray[Any, np.dtype[np.int64]]
    drawn_base: np.ndarray[Any, np.dtype[np.int64]]
    drawn_demand: np.ndarray[Any, np.dtype[np.int64]]
    drawn_age: np.ndarray[Any, np.dtype[np.int64]]
    drawn_seats: np.ndarray[Any, np.dtype[np.int64]]

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.row: dict[str, int] = {}
        for name, kind in _COLUMNS.items():
            setattr(self, name, np.zeros(_FIRST_ROOM, kind))

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, lead_id: str) -> int:
        """The row of a lead, new and empty if it had none."""
        row = self.row.get(lead_id)
        if row is not None:
            return row
        row = len(self.ids)
        if row == len(self.base):
            for name in _COLUMNS:
                column = getattr(self, name)
                setattr(self, name, np.concatenate((column, np.zeros_like(column))))
        self.ids.append(lead_id)
        self.row[lead_id] = row
        return row

    def offered(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Rows of the leads on offer."""
        return np.flatnonzero(self.is_offered[: len(self.ids)])

    def dump(self) -> dict[str, Any]:
        """As MessagePack can carry it."""
        count = len(self.ids)
        return {
            "ids": self.ids,
            "columns": {name: getattr(self, name)[:count].tobytes() for name in _COLUMNS},
        }

    @classmethod
    def load(cls, dumped: dict[str, Any]) -> LeadColumns:
        """Raises ValueError if the columns are not those of this version."""
        if set(dumped["columns"]) != set(_COLUMNS):
            raise ValueError("these columns are of another version of pricing")
        loaded = cls()
        loaded.ids = list(dumped["ids"])
        loaded.row = {lead_id: row for row, lead_id in enumerate(loaded.ids)}
        room = max(_FIRST_ROOM, len(loaded.ids))
        for name, kind in _COLUMNS.items():
            column = np.zeros(room, kind)
            stored = np.frombuffer(dumped["columns"][name], kind)
            if len(stored) != len(loaded.ids):
                raise ValueError(
                    f"column {name} has {len(stored)} rows for {len(loaded.ids)} leads"
                )
            column[: len(stored)] = stored
            setattr(loaded, name, column)
        return loaded
