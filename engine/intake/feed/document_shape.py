"""Which mapping reads a document: decided by its shape, never by its file name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from engine.intake.document import Document
from engine.intake.feed.mapping import Format, Mapping, Recognise
from engine.intake.feed.rows import (
    CSV_BYTES_MAX,
    JSON_BYTES_MAX,
    PREVIEW_ROWS,
    CsvRows,
    Numbered,
    Refusal,
    Row,
    arcgis_rows,
    geojson_rows,
    json_value,
    line_rows,
    list_rows,
    plain_name,
    text_of_bytes,
)

CELL_MATCHED_MAX = 200


class Shape:
    """A document opened once: its rows as any mapping of its format sees them."""

    def __init__(self, document: Document) -> None:
        text = text_of_bytes(document.content, document.charset)
        self._text = text
        self.refusal: Refusal | None = None
        self._csv: CsvRows | None = None
        self._value: Any = None
        self._is_lines = False
        start = text.lstrip()[:1]
        if start not in ("{", "["):
            self._csv = CsvRows(text)
        elif len(document.content) > JSON_BYTES_MAX:
            self.refusal = _too_large(len(document.content), JSON_BYTES_MAX)
        else:
            self._open_json(text)

    def _open_json(self, text: str) -> None:
        value = json_value(text)
        if not isinstance(value, Refusal):
            self._value = value
            return
        first = json_value(text.lstrip().partition("\n")[0])
        self._is_lines = isinstance(first, dict)
        self.refusal = None if self._is_lines else value

    @property
    def formats(self) -> frozenset[Format]:
        if self._csv is not None:
            return frozenset({"csv"})
        if self._is_lines:
            return frozenset({"ndjson"})
        if isinstance(self._value, dict):
            features = self._value.get("features")
            if self._value.get("type") == "FeatureCollection":
                return frozenset({"geojson"})
            if isinstance(features, list) and features and _has_attributes(features[0]):
                return frozenset({"arcgis"})
        return frozenset({"json"})

    def rows(self, mapping: Mapping) -> Iterator[Numbered]:
        """The document's rows under this mapping, which must read its format."""
        (form,) = self.formats
        match form:
            case "csv":
                assert self._csv is not None
                shapes = mapping.rows.shapes
                rows = self._csv.rows_of_shapes(shapes) if shapes else self._csv.rows()
            case "ndjson":
                rows = line_rows(self._text)
            case "geojson":
                rows = geojson_rows(self._value)
            case "arcgis":
                rows = arcgis_rows(self._value)
            case "json":
                rows = list_rows(self._value, mapping.rows.paths)
        return map(_with_plain_names, rows) if mapping.loose_names else rows

    def fits(self, mapping: Mapping) -> int | None:
        """How closely the mapping knows this shape, None if it is another's."""
        shown = mapping.recognise
        if mapping.formats.isdisjoint(self.formats):
            return None
        if shown.cells:
            return self._fits_cells(shown)
        if not self._has_keys(shown):
            return None
        names = self._names(mapping)
        if shown.keys and not names:
            return len(shown.keys)
        wanted = [plain_name(name) if mapping.loose_names else name for name in shown.columns]
        any_of = [plain_name(name) if mapping.loose_names else name for name in shown.any_of]
        if not names.issuperset(wanted) or (any_of and names.isdisjoint(any_of)):
            return None
        return 1 + 2 * len(wanted) + len(shown.keys)

    def _fits_cells(self, shown: Recognise) -> int | None:
        """Whether one of the first rows begins so: not each row need be a good one."""
        rows = self._csv.first_rows if self._csv is not None else []
        matched = any(_matches(cells, shown.cells) for cells in rows)
        return 2 * len(shown.cells) if matched else None

    def _has_keys(self, shown: Recognise) -> bool:
        if not shown.keys:
            return True
        return isinstance(self._value, dict) and all(key in self._value for key in shown.keys)

    def _names(self, mapping: Mapping) -> set[str]:
        """The columns of the header or of the first rows; of those that are asked for,
        also dotted paths."""
        if self._csv is not None and not mapping.rows.shapes:
            header = self._csv.header
            return {plain_name(name) for name in header} if mapping.loose_names else set(header)
        first = [row for _, row in islice(self.rows(mapping), PREVIEW_ROWS) if isinstance(row, Row)]
        names = {str(name) for row in first for name in row.cells}
        asked = (*mapping.recognise.columns, *mapping.recognise.any_of)
        dotted = [name for name in asked if "." in name]
        return names | {n for n in dotted if any(row.column(n) is not None for row in first)}


def choose_mapping(shape: Shape, mappings: Iterable[Mapping], source: str) -> Mapping | Refusal:
    """The mapping of this source that knows the shape most closely; the first of equals."""
    known = [m for m in mappings if not m.sources or source in m.sources]
    fitting = [(score, m) for m in known if (score := shape.fits(m)) is not None]
    if not fitting:
        formats = " or ".join(sorted(shape.formats))
        return Refusal("unknown-table", f"no mapping knows this {formats}; see docs/Sources.md")
    return max(fitting, key=lambda scored: scored[0])[1]


def open_shape(document: Document) -> Shape | Refusal:
    """The document opened, or why it can't be."""
    if len(document.content) > CSV_BYTES_MAX:
        return _too_large(len(document.content), CSV_BYTES_MAX)
    shape = Shape(document)
    return shape.refusal or shape


def _matches(cells: list[str], patterns: tuple[str, ...]) -> bool:
    if len(cells) < len(patterns):
        return False
    pairs = zip(patterns, cells, strict=False)
    return all(re.fullmatch(pattern, cell[:CELL_MATCHED_MAX].strip()) for pattern, cell in pairs)


def _has_attributes(feature: Any) -> bool:
    return isinstance(feature, dict) and "attributes" in feature


def _too_large(size: int, most: int) -> Refusal:
    return Refusal("document-too-large", f"{size} bytes, at most {most}; split the file")


def _with_plain_names(numbered: Numbered) -> Numbered:
    number, row = numbered
    if isinstance(row, Refusal):
        return numbered
    return number, Row({plain_name(str(name)): cell for name, cell in row.cells.items()})
