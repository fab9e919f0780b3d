"""The rows of a feed's document, whatever its format, each with its number in it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from engine.intake.feed.geometry import WGS84, arcgis_point_of, point_of
from engine.intake.tables import CELL_CHARACTERS_MAX

CSV_BYTES_MAX = 512 * 1024 * 1024
JSON_BYTES_MAX = 128 * 1024 * 1024
ROWS_MAX = 1_000_000
CELLS_MAX = 1_000
PREVIEW_ROWS = 50
FIRST_ROWS = 10

# Where a shape stands is read into these columns.
LATITUDE, LONGITUDE = "geometry.latitude", "geometry.longitude"

_ENCODINGS = {
    "utf-16": "utf-16",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
_DELIMITERS = ",;\t|"
_NOT_PLAIN = re.compile(r"[^a-z0-9.]+")


class Refusal(NamedTuple):
    """Why a row, or all from here on, can't be read. `reason` is a slug; `content` the row
    itself, by which one refused again is known."""

    reason: str
    detail: str
    content: str = ""


class Row(NamedTuple):
    """A row's cells by column; `column` finds them, dotted paths included."""

    cells: Mapping[str, Any]

    def column(self, name: str) -> Any:
        if name in self.cells:
            return self.cells[name]
        value: Any = self.cells
        for step in name.split("."):
            value = _step(value, step)
            if value is None:
                return None
        return value


Numbered = tuple[int, Row | Refusal]


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6:
        return value[int(step)] if int(step) < len(value) else None
    return None


def plain_name(name: str) -> str:
    """`list_price` of `List Price`, `ListPrice` and `LIST-PRICE`: letters and digits only."""
    return _NOT_PLAIN.sub("", name.lower())


def text_of_bytes(content: bytes, charset: str | None) -> str:
    """Decoded by the charset where it is one of the known, else UTF-8; never raises."""
    encoding = _ENCODINGS.get((charset or "").strip().lower(), "utf-8-sig")
    return content.decode(encoding, errors="replace")


class CsvRows:
    """Rows of a CSV text. `header` are the cells of the first of its `first_rows`, trimmed."""

    def __init__(self, text: str) -> None:
        self._text = text
        first_line = text[:100_000].partition("\n")[0]
        self._delimiter = max(_DELIMITERS, key=first_line.count)
        first = islice(self._read(), FIRST_ROWS)
        self.first_rows = [cells for _, cells in first if not isinstance(cells, Refusal)]
        self.header = [cell.strip() for cell in self.first_rows[0]] if self.first_rows else []

    def rows(self) -> Iterator[Numbered]:
        """The rows below the header, numbered as in a spreadsheet: the first one is 2."""
        names = self.header
        seen_header = False
        for number, cells in self._read():
            if isinstance(cells, Refusal):
                yield number, cells
            elif not seen_header:
                seen_header = True
            elif len(cells) != len(names):
                detail = f"{len(cells)} cells, the header has {len(names)}"
                yield number, Refusal("ragged-row", detail, _joined(cells))
            else:
                yield number, Row(dict(zip(names, cells, strict=True)))

    def rows_of_shapes(self, shapes: tuple[tuple[str, ...], ...]) -> Iterator[Numbered]:
        """All rows, each with the names of the shape that has as many cells."""
        by_size = {len(shape): shape for shape in shapes}
        sizes = ", ".join(str(size) for size in sorted(by_size))
        for number, cells in self._read():
            if isinstance(cells, Refusal):
                yield number, cells
            elif (names := by_size.get(len(cells))) is None:
                detail = f"{len(cells)} cells; rows have {sizes}"
                yield number, Refusal("ragged-row", detail, _joined(cells))
            else:
                yield number, Row(dict(zip(names, cells, strict=True)))

    def _read(self) -> Iterator[tuple[int, list[str] | Refusal]]:
        """Rows that hold something; ends after a Refusal that no row can follow."""
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=self._delimiter)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, Refusal("broken-csv", f"{error}; the rest was not read")
                return
            if number > ROWS_MAX:
                detail = f"more than {ROWS_MAX} rows; the rest was not read"
                yield number, Refusal("too-many-rows", detail)
                return
            if len(cells) > CELLS_MAX:
                yield number, Refusal("ragged-row", f"{len(cells)} cells; at most {CELLS_MAX}")
            elif any(cell.strip() for cell in cells):
                yield number, cells


def _joined(cells: list[str]) -> str:
    return "\x1f".join(cells)


def _object(value: Any) -> Row | Refusal:
    if isinstance(value, dict):
        return Row(value)
    return Refusal("not-a-row", "no object", type(value).__name__)


def json_value(text: str) -> Any | Refusal:
    """The JSON value, or why it is none."""
    try:
        return json.loads(text)
    except RecursionError:
        return Refusal("broken-json", "nested too deeply")
    except ValueError as error:
        # Without the text around: it may hold somebody's contact.
        return Refusal("broken-json", str(error).partition(":")[0][:100])


def list_rows(value: Any, paths: Sequence[str]) -> Iterator[Numbered]:
    """The objects of the list at the first of `paths` that has one, numbered from 1.

    The path `` is the value itself: a list, or one object alone.
    """
    lists = (_at(value, path) for path in paths)
    rows = next((found for found in lists if isinstance(found, list)), None)
    if rows is None and isinstance(value, dict) and "" in paths:
        rows = [value]
    if rows is None:
        tried = ", ".join(path or "the top" for path in paths)
        yield 0, Refusal("no-rows", f"no list at {tried}")
        return
    for number, row in enumerate(rows[:ROWS_MAX], start=1):
        yield number, _object(row)
    if len(rows) > ROWS_MAX:
        yield ROWS_MAX + 1, Refusal("too-many-rows", f"{len(rows)} rows; at most {ROWS_MAX}")


def _at(value: Any, path: str) -> Any:
    if not path:
        return value
    return Row(value).column(path) if isinstance(value, dict) else None


def line_rows(text: str) -> Iterator[Numbered]:
    """The object on each line, numbered by line."""
    for number, line in enumerate(io.StringIO(text), start=1):
        if number > ROWS_MAX:
            yield number, Refusal("too-many-rows", f"more than {ROWS_MAX} lines")
            return
        if not line.strip():
            continue
        value = json_value(line)
        if isinstance(value, Refusal):
            yield number, value._replace(content=line[:1000])
        else:
            yield number, _object(value)


def geojson_rows(value: Any) -> Iterator[Numbered]:
    """Features as rows: their properties, `feature.id` and the place of their geometry."""
    degrees = _is_geojson_degrees(value)
    for number, feature in list_rows(value, ["features"]):
        if isinstance(feature, Refusal):
            yield number, feature
            continue
        properties = feature.cells.get("properties")
        point = point_of(feature.cells.get("geometry")) if degrees else None
        cells = dict(properties) if isinstance(properties, dict) else {}
        yield number, Row({**cells, "feature.id": feature.cells.get("id"), **_place(point)})


def arcgis_rows(value: Any) -> Iterator[Numbered]:
    """Features of an ArcGIS query (`f=json`) as rows: their attributes and place."""
    reference = value.get("spatialReference") if isinstance(value, dict) else None
    stated = reference if isinstance(reference, dict) else {}
    degrees = bool({_key(stated.get("wkid")), _key(stated.get("latestWkid"))} & WGS84)
    for number, feature in list_rows(value, ["features"]):
        if isinstance(feature, Refusal):
            yield number, feature
            continue
        attributes = feature.cells.get("attributes")
        point = arcgis_point_of(feature.cells.get("geometry"), degrees)
        cells = dict(attributes) if isinstance(attributes, dict) else {}
        yield number, Row({**cells, **_place(point)})


def _key(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _is_geojson_degrees(value: Any) -> bool:
    """RFC 7946 knows only WGS 84; older documents name another system in `crs`."""
    name = Row(value).column("crs.properties.name") if isinstance(value, dict) else None
    return name is None or (isinstance(name, str) and ("CRS84" in name or "4326" in name))


def _place(point: tuple[float, float] | None) -> dict[str, float | None]:
    return {LATITUDE: point[0] if point else None, LONGITUDE: point[1] if point else None}
