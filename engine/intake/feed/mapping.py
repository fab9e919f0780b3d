"""A mapping: how the rows of one feed's shape become records, stated and never executed.

`engine.intake.feed.mapping_text` reads mappings from TOML; docs/Sources.md teaches the
language by example.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Format = Literal["csv", "json", "ndjson", "geojson", "arcgis"]
Scalar = str | int | float | bool

Reading = Literal[
    "area",
    "bathrooms",
    "count",
    "degrees",
    "flag",
    "kind",
    "moment",
    "money",
    "number",
    "plain",
    "postal_code",
    "state",
    "status",
    "street",
    "text",
    "unit",
    "url",
    "whole",
    "year",
]
AreaUnit = Literal["square_feet", "acres", "square_metres"]

# What a rule may fill, and how its cell is read unless the rule says otherwise.
FIELDS: dict[str, Reading] = {
    "title": "text",
    "remarks": "text",
    "list_price": "money",
    "standard_status": "status",
    "property_type": "text",
    "property_sub_type": "text",
    "kind": "kind",
    "for_rent": "flag",
    "bedrooms_total": "count",
    "bathrooms_total_integer": "bathrooms",
    "living_area": "area",
    "lot_size_square_feet": "area",
    "year_built": "year",
    "street_address": "street",
    "unit_number": "unit",
    "city": "text",
    "state_or_province": "state",
    "postal_code": "postal_code",
    "parcel_number": "text",
    "listing_id": "text",
    "language": "text",
    "posted_at": "moment",
    "modification_timestamp": "moment",
    "fetched_at": "moment",
    "is_sample": "flag",
    "contact.name": "text",
    "contact.phone": "text",
    "contact.email": "text",
    "contact.unparsed_address": "text",
    "contact.latitude": "degrees",
    "contact.longitude": "degrees",
    "contact.source_url": "url",
}
EXTRA_PREFIX = "extra."


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Rule(_Part, frozen=True, kw_only=True, rename={"columns": "from", "reading": "as"}):
    """How one field is read: the first of `columns` that says something, or a `constant`.

    A value outside `least..most`, or equal to that of the column `unlike`, is left out
    and noted as implausible. `rule` and `confidence` note a value that is less than
    stated.
    """

    columns: str | tuple[str, ...] = ()
    constant: Scalar | None = None
    reading: Reading | None = None
    unit: AreaUnit = "square_feet"
    date: str = "iso"
    lookup: str | None = None
    least: float | None = None
    most: float | None = None
    unlike: str | None = None
    rule: str | None = None
    confidence: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        return (self.columns,) if isinstance(self.columns, str) else self.columns


class Pattern(_Part, frozen=True, kw_only=True):
    """A regular expression whose named groups become the columns `part.<group>`."""

    pattern: str
    rule: str = "split"
    confidence: float = 1.0


class Split(_Part, frozen=True, kw_only=True, rename={"column": "from"}):
    """One cell taken apart by the first of `patterns` that the whole cell matches."""

    column: str
    patterns: tuple[Pattern, ...]


class Join(_Part, frozen=True, kw_only=True, rename={"columns": "from"}):
    """Several cells as one, with blanks between: the column `part.<part>`. There is none
    unless the first of `columns` and one more say something."""

    columns: tuple[str, ...]
    part: str


class Rows(_Part, frozen=True, kw_only=True):
    """Where the rows are: `path` to the list in JSON, or several to try; for a CSV without
    a header the columns of each `shapes`, told apart by their number of cells. `expect`
    holds a pattern per column that a row in its right columns matches."""

    path: str | tuple[str, ...] = ""
    shapes: tuple[tuple[str, ...], ...] = ()
    expect: dict[str, str] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path


class Recognise(_Part, frozen=True, kw_only=True):
    """A document of this shape: every one of `columns` and one of `any_of` in its rows,
    `keys` in a JSON document; without a header, one of the first rows begins with `cells`."""

    columns: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


class Identity(_Part, frozen=True, kw_only=True, rename={"columns": "from"}):
    """What makes a row the same home's tomorrow: the id in a column, or the normal form
    of the address (without ZIP and city if `place` is false) and the text of `also`, or the
    text of `stable` columns together. Ids begin with the
    `namespace`, else the mapping's name, unless `whole_source` says that one series of ids
    serves all of a source's feeds."""

    columns: tuple[str, ...] = ()
    address: bool = False
    place: bool = True
    also: tuple[str, ...] = ()
    stable: tuple[str, ...] = ()
    namespace: str = ""
    whole_source: bool = False


class Mapping(_Part, frozen=True, kw_only=True):
    """One feed's shape. `exercised` says against what it was tried, and what was not.

    `sources` limits it to these sources' documents; `loose_names` compares columns by
    their letters and digits only.
    """

    name: str
    title: str
    exercised: str
    format: Format | tuple[Format, ...]
    fields: dict[str, Rule]
    id: Identity
    rows: Rows = Rows()
    recognise: Recognise = Recognise()
    split: tuple[Split, ...] = ()
    join: tuple[Join, ...] = ()
    lookups: dict[str, dict[str, Scalar]] = {}
    sources: tuple[str, ...] = ()
    zone: str = ""
    loose_names: bool = False

    @property
    def formats(self) -> frozenset[Format]:
        return frozenset((self.format,) if isinstance(self.format, str) else self.format)

    def column_names(self) -> tuple[str, ...]:
        """Every column that a rule, a split or the identity reads, once each, in order."""
        named = [name for rule in self.fields.values() for name in rule.names]
        named += [split.column for split in self.split]
        named += [name for join in self.join for name in join.columns]
        named += [*self.id.columns, *self.id.also, *self.id.stable]
        return tuple(dict.fromkeys(name for name in named if not name.startswith("part.")))
