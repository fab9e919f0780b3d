"""Mappings from TOML, every mistake named before a row is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from engine.intake.feed.mapping import EXTRA_PREFIX, FIELDS, Mapping, Reading, Rule

PATTERN_LENGTH_MAX = 400
# Each unbounded repetition multiplies the time a pattern can take over a long cell.
REPETITIONS_MAX = 4
MAPPING_BYTES_MAX = 256 * 1024

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_EXTRA = re.compile(r"extra\.[a-z][a-z0-9_]{0,59}")
_PART = re.compile(r"[a-z][a-z_]{0,39}")
_UNBOUNDED = re.compile(r"(?<!\\)[*+](?!\+)|\{\d*,\}")
_NESTED = re.compile(r"\([^()]*(?<!\\)[*+}][^()]*\)(?:[*+]|\{\d*,\})")
_DATE_WORDS = frozenset({"iso", "ago", "epoch_seconds", "epoch_milliseconds"})
_READINGS = ", ".join(get_args(Reading))


def mapping_of(text: str, where: str) -> Mapping:
    """The mapping that a TOML text states. Raises ValueError naming `where`, the mapping,
    the field and what to do."""
    if len(text) > MAPPING_BYTES_MAX:
        raise ValueError(f"{where}: {len(text)} characters; at most {MAPPING_BYTES_MAX}")
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: not TOML: {error}") from error
    name = entries.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{where}: name {name!r} must be lower-case words such as city-permits")
    where = f"{where}: mapping {name}"
    mapping = _converted(entries, where)
    for problem in _problems(mapping):
        raise ValueError(f"{where}: {problem}")
    return mapping


def _converted(entries: dict[str, Any], where: str) -> Mapping:
    fields = entries.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise ValueError(f"{where}: no [fields]; name at least one field and its column")
    entries["fields"] = {field: _rule(stated) for field, stated in fields.items()}
    for field, stated in entries["fields"].items():
        try:
            msgspec.convert(stated, Rule)
        except msgspec.ValidationError as error:
            raise ValueError(
                f"{where}: field {field}: {error}; readings are {_READINGS}"
            ) from error
    try:
        return msgspec.convert(entries, Mapping)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error


def _rule(stated: Any) -> Any:
    """A column's name, or a list of them, stands for the rule that reads it."""
    return {"from": stated} if isinstance(stated, str | list) else stated


def _problems(mapping: Mapping) -> Iterator[str]:
    groups: set[str] = set()
    for split in mapping.split:
        if not split.patterns:
            yield f"split of {split.column}: no patterns; state at least one"
        for each in split.patterns:
            problem = _pattern_problem(each.pattern)
            if problem:
                yield f"split of {split.column}: {problem}"
            groups |= set(re.compile(each.pattern).groupindex)
            if not 0 <= each.confidence <= 1:
                yield f"split of {split.column}: confidence {each.confidence} must be 0 to 1"
    for join in mapping.join:
        if len(join.columns) < 2 or not _PART.fullmatch(join.part):
            yield f"join {join.part!r}: needs two columns or more and a part of lower-case letters"
        groups.add(join.part)
    for field, rule in mapping.fields.items():
        for problem in _rule_problems(mapping, field, rule, groups):
            yield f"field {field}: {problem}"
    for column, pattern in mapping.rows.expect.items():
        if problem := _pattern_problem(pattern):
            yield f"rows.expect {column}: {problem}"
    for pattern in mapping.recognise.cells:
        if problem := _pattern_problem(pattern):
            yield f"recognise.cells: {problem}"
    yield from _shape_problems(mapping)


def _rule_problems(mapping: Mapping, field: str, rule: Rule, groups: set[str]) -> Iterator[str]:
    if field not in FIELDS and not _EXTRA.fullmatch(field):
        known = ", ".join(FIELDS)
        yield f"no record has it; known are {known} and {EXTRA_PREFIX}<name>"
    if bool(rule.names) == (rule.constant is not None):
        yield "state either `from` (a column or several) or `constant`"
    for name in (*rule.names, *([rule.unlike] if rule.unlike else [])):
        if not name.strip() or len(name) > 200:
            yield f"column {name!r} must be 1 to 200 characters"
        if name.startswith("part.") and name.removeprefix("part.") not in groups:
            known = ", ".join(f"part.{group}" for group in sorted(groups)) or "none"
            yield f"no [[split]] or [[join]] makes {name}; there are: {known}"
    if rule.lookup is not None and rule.lookup not in mapping.lookups:
        known = ", ".join(mapping.lookups) or "none"
        yield f"lookup {rule.lookup!r} is not in [lookups]; there are: {known}"
    if not 0 <= rule.confidence <= 1:
        yield f"confidence {rule.confidence} must be 0 to 1"
    if rule.date not in _DATE_WORDS and not _is_date_format(rule.date):
        words = ", ".join(sorted(_DATE_WORDS))
        yield f"date {rule.date!r} must be {words} or a format such as %m/%d/%Y"


def _shape_problems(mapping: Mapping) -> Iterator[str]:
    identity, rows, shown = mapping.id, mapping.rows, mapping.recognise
    if not (identity.columns or identity.address or identity.stable):
        yield "[id]: state `from` (id columns), `address = true` or `stable` columns"
    if rows.shapes and mapping.formats != {"csv"}:
        yield "rows.shapes: only a csv can lack a header; leave it out"
    sizes = [len(shape) for shape in rows.shapes]
    if len(set(sizes)) != len(sizes):
        yield "rows.shapes: two have the same number of columns; a row could be either"
    if rows.shapes and not shown.cells:
        yield "[recognise]: a table without a header needs `cells`, patterns of its first cells"
    if not (shown.columns or shown.any_of or shown.keys or shown.cells):
        yield "[recognise]: state `columns`, `any_of`, `keys` or `cells`"
    if mapping.zone:
        try:
            ZoneInfo(mapping.zone)
        except (OSError, ZoneInfoNotFoundError, ValueError):
            yield f"zone {mapping.zone!r} is unknown; use a name such as America/Chicago"


def _pattern_problem(pattern: str) -> str | None:
    if len(pattern) > PATTERN_LENGTH_MAX:
        return f"a pattern of {len(pattern)} characters; at most {PATTERN_LENGTH_MAX}"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"pattern {pattern!r} is not a regular expression: {error}"
    if len(_UNBOUNDED.findall(pattern)) > REPETITIONS_MAX or _NESTED.search(pattern):
        return (
            f"pattern {pattern!r} may take too long: at most {REPETITIONS_MAX} of `*`, `+`,"
            " none around another; bound the others, as in {1,30}"
        )
    return None


def _is_date_format(text: str) -> bool:
    if "%" not in text:
        return False
    try:
        moment = datetime(2026, 5, 1, 13, 4, 5, tzinfo=UTC)
        datetime.strptime(moment.strftime(text), text)  # noqa: DTZ007
    except (ValueError, re.error):
        return False
    return True
