"""The part of OData's `$filter` that the local RESO server understands.

filter     = both *("or" both)
both       = one *("and" one)
one        = "(" filter ")" / field operator literal
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.intake.readings import moment_of
from engine.intake.reso.names import LOOKUP_OF, MODIFIED, lookup_value

Predicate = Callable[[Mapping[str, Any]], bool]

DEPTH_MAX = 20
_TOKEN = re.compile(r"\s*(\(|\)|'(?:[^']|'')*'|[A-Za-z0-9_.:+-]+)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def predicate_of(text: str) -> Predicate:
    """Whether a row fits. A row without the field fits no comparison but `ne`.

    Raises ValueError saying what is not understood.
    """
    tokens = _tokens(text)
    predicate = _either(tokens, 0)
    if tokens:
        raise ValueError(f"{tokens[0]!r} was not expected in $filter")
    return predicate


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"{text[position : position + 20]!r} is not understood in $filter")
        tokens.append(match[1])
        position = match.end()
    return tokens


def _either(tokens: list[str], depth: int) -> Predicate:
    parts = [_both(tokens, depth)]
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        parts.append(_both(tokens, depth))
    return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)


def _both(tokens: list[str], depth: int) -> Predicate:
    parts = [_one(tokens, depth)]
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        parts.append(_one(tokens, depth))
    return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)


def _one(tokens: list[str], depth: int) -> Predicate:
    if tokens[:1] == ["("]:
        if depth >= DEPTH_MAX:
            raise ValueError("$filter is nested too deeply")
        tokens.pop(0)
        predicate = _either(tokens, depth + 1)
        if tokens[:1] != [")"]:
            raise ValueError("a parenthesis of $filter is not closed")
        tokens.pop(0)
        return predicate
    if len(tokens) < 3 or tokens[1] not in _OPERATORS:
        raise ValueError(f"{' '.join(tokens[:3])!r} is no comparison")
    field, name, literal = tokens[:3]
    del tokens[:3]
    return _comparison(field, name, _literal(field, literal))


def _comparison(field: str, name: str, literal: object) -> Predicate:
    compare = _OPERATORS[name]

    def fits(row: Mapping[str, Any]) -> bool:
        value = row.get(field)
        if field == MODIFIED:
            value = moment_of(value)
        if value is None or literal is None or type(value) is not type(literal):
            return name == "ne" if value != literal else name == "eq"
        return compare(value, literal)

    return fits


def _literal(field: str, token: str) -> object:
    if token.startswith("'"):
        text = token[1:-1].replace("''", "'")
        return lookup_value(LOOKUP_OF[field], text) or text if field in LOOKUP_OF else text
    if token in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[token]
    if field == MODIFIED:
        moment = moment_of(token)
        if moment is None:
            raise ValueError(f"{token!r} is no timestamp")
        return moment
    raise ValueError(f"{token!r} is no value to compare {field} with")
