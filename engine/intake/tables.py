"""Tables of listings as portals and trackers publish them, one record per row.

A table is known by its columns, never by its file name, so another city's file of the
same shape is read without a change here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.intake.record import Rejected, SourceRecord

Row = Mapping[str, str]
RowReader = Callable[[Row], SourceRecord | Rejected]

TABLE_BYTES_MAX = 512 * 1024 * 1024
# Cells of some data sets hold whole JSON documents, longer than the csv module's default.
CELL_CHARACTERS_MAX = 4 * 1024 * 1024


def csv_records(
    data: bytes, *, source: str, filename: str, readers: Iterable[tuple[frozenset[str], RowReader]]
) -> Iterator[SourceRecord | Rejected]:
    """Every row through the first reader whose columns the header holds.

    A table of unknown columns gives one `Rejected("unknown-table")`; a row with more or
    fewer cells than the header a `Rejected("ragged-row")`; reading stops at a row that
    is no CSV with `Rejected("broken-csv")`. Never raises on any bytes.
    """
    if len(data) > TABLE_BYTES_MAX:
        yield Rejected(
            source=source,
            source_id=None,
            reason="table-too-large",
            detail=f"{filename}: {len(data)} bytes, at most {TABLE_BYTES_MAX}; split the file",
        )
        return
    # The module has one limit for the process: the same for every table.
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    text = io.StringIO(data.decode("utf-8-sig", errors="replace"), newline="")
    rows = csv.reader(text)
    number = 0
    reader: RowReader | None = None
    header: list[str] = []
    while True:
        number += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(
                source=source,
                source_id=None,
                reason="broken-csv",
                detail=f"{filename} row {number}: {error}; the rest of the file was not read",
            )
            return
        if reader is None:
            header = [cell.strip() for cell in cells]
            reader = _reader_for(header, readers)
            if reader is None:
                yield Rejected(
                    source=source,
                    source_id=None,
                    reason="unknown-table",
                    detail=f"{filename}: no reader for columns {', '.join(header)}"[:500],
                )
                return
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield Rejected(
                source=source,
                source_id=None,
                reason="ragged-row",
                detail=f"{filename} row {number}: {len(cells)} cells, the header has {len(header)}",
            )
            continue
        yield reader(dict(zip(header, cells, strict=True)))


def _reader_for(
    header: list[str], readers: Iterable[tuple[frozenset[str], RowReader]]
) -> RowReader | None:
    columns = set(header)
    return next((reader for needed, reader in readers if needed <= columns), None)


def is_true(cell: object) -> bool:
    """Whether a mark such as `is_sample` is set: true, 1, yes."""
    return str(cell).strip().lower() in {"true", "1", "yes"}


def whole_address(
    street: str | None, city: str | None, state: str | None, postal_code: str | None
) -> str | None:
    """`10025 Lanshire Dr, Dallas, TX 75238` of what is known, None without a street."""
    if street is None:
        return None
    region = " ".join(part for part in (state, postal_code) if part)
    return ", ".join(part for part in (street, city, region) if part)
