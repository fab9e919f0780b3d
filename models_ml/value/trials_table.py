"""Tables of decisions to buy at a price or not: what the base value is trained on.

A row is one decision: the lead's features as they were then (models_ml/value/features.py;
empty or null is unknown), `price` in credits, `bought` 0 or 1, `weight` of the account that
decided, `lead` to keep a lead's decisions on one side of a split, and `table`, the listing
table's price. CSV or JSON lines, by the file's ending.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.value.features import NAMES

ROWS_MAX: Final = 2_000_000
COLUMNS: Final = ("lead", "price", "bought", "weight", "table", *NAMES)
_LINE_BYTES_MAX = 64 * 1024


class Decisions(NamedTuple):
    """Parallel arrays, one row a decision."""

    lead: NDArray[np.str_]
    features: NDArray[np.float32]
    price: NDArray[np.float64]
    bought: NDArray[np.bool_]
    weight: NDArray[np.float64]
    table: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.bool_]) -> Decisions:
        return Decisions(*(column[chosen] for column in self))

    def digest(self) -> str:
        """SHA-256 of everything in the table, hex."""
        seen = hashlib.sha256("\n".join(COLUMNS).encode())
        for column in self:
            seen.update(np.ascontiguousarray(column).tobytes())
        return seen.hexdigest()


def read(path: Path) -> Decisions:
    """Raises ValueError that names the row and what can't be; OSError as opening does."""
    rows = _csv_rows(path) if path.suffix == ".csv" else _json_rows(path)
    return of_rows(rows)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Decisions:
    """Raises ValueError that names the row and what can't be."""
    leads: list[str] = []
    numbers: list[tuple[float, ...]] = []
    for number, row in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise ValueError(f"more than {ROWS_MAX:,} rows")
        try:
            leads.append(str(row["lead"]))
            numbers.append(tuple(_number(name, row[name]) for name in COLUMNS[1:]))
        except KeyError as missing:
            raise ValueError(f"row {number} has no {missing}") from missing
        except (TypeError, ValueError) as error:
            raise ValueError(f"row {number}: {error}") from error
    if not leads:
        raise ValueError("no decision in it")
    columns = np.array(numbers, dtype=np.float64)
    return Decisions(
        lead=np.array(leads),
        features=columns[:, 4:].astype(np.float32),
        price=columns[:, 0],
        bought=columns[:, 1] == 1,
        weight=columns[:, 2],
        table=columns[:, 3],
    )


def write(path: Path, decisions: Decisions) -> None:
    """As JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for lead, price, bought, weight, table, features in zip(
            decisions.lead,
            decisions.price,
            decisions.bought,
            decisions.weight,
            decisions.table,
            decisions.features,
            strict=True,
        ):
            row = {
                "lead": str(lead),
                "price": float(price),
                "bought": int(bought),
                "weight": float(weight),
                "table": float(table),
            }
            for name, value in zip(NAMES, features, strict=True):
                row[name] = None if np.isnan(value) else round(float(value), 6)
            file.write(json.dumps(row) + "\n")


def _number(name: str, value: object) -> float:
    if value is None or value == "":
        if name in NAMES:
            return float("nan")
        raise ValueError(f"{name} is empty")
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        raise ValueError(f"{name} is {value}")
    if name in ("price", "table") and number <= 0:
        raise ValueError(f"{name} is {value}; it is above 0 credits")
    if name == "bought" and number not in (0, 1):
        raise ValueError(f"bought is {value}; it is 0 or 1")
    if name == "weight" and number < 0:
        raise ValueError(f"weight is {value}; it is 0 or more")
    return number


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > _LINE_BYTES_MAX:
                raise ValueError(f"row {number} is longer than {_LINE_BYTES_MAX} bytes")
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"row {number} is no object")
            yield row
