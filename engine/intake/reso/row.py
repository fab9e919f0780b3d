"""One Property as a server sent it, read value by value with notes on what was not usable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from engine.intake.readings import moment_of, number_of, text_of
from engine.intake.record import FieldNote
from engine.intake.reso.names import LOOKUP_OF, lookup_value

Value = TypeVar("Value")

TEXT_LENGTH_MAX = 500
# Line breaks and tabs are kept; the other control characters carry no meaning in text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FALSE = frozenset({"false", "no", "n", "f", "0"})


class Row:
    """Reads fields by their dictionary name. `notes` collects, by our name of a field, what
    was left out (confidence 0) or read from a form that the dictionary does not have."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.notes: dict[str, FieldNote] = {}

    def note(self, field: str, rule: str, confidence: float) -> None:
        self.notes[field] = FieldNote(rule, confidence)

    def forget(self, field: str) -> None:
        """Drop what is noted of `field`: another of its forms is read instead."""
        self.notes.pop(field, None)

    def text(self, name: str, field: str, *, length_max: int = TEXT_LENGTH_MAX) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            self.note(field, "number-for-text", 0.9)
            return str(value)[:length_max]
        if not isinstance(value, str):
            self.note(field, "wrong-type", 0.0)
            return None
        text = text_of(_CONTROL.sub("", value))
        if text is not None and len(text) > length_max:
            self.note(field, "cut-short", 0.9)
            return text[:length_max]
        return text

    def number(self, name: str, field: str, read: Callable[[object], Value | None]) -> Value | None:
        """What `read` makes of a number, also one in quotes, as servers send decimals."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.note(field, "wrong-type", 0.0)
            return None
        if isinstance(value, str) and text_of(value) is None:
            return None
        if number_of(value) is None:
            self.note(field, "wrong-type", 0.0)
            return None
        read_value = read(value)
        if read_value is None:
            self.note(field, "out-of-range", 0.0)
        elif isinstance(value, str):
            self.note(field, "text-for-number", 0.95)
        return read_value

    def choice(self, name: str, field: str) -> str | None:
        """The lookup value of a field, None with a note for a value of the server's own."""
        stated = self.text(name, field)
        if stated is None:
            return None
        value = lookup_value(LOOKUP_OF[name], stated)
        if value is None:
            self.note(field, "unknown-lookup", 0.0)
        return value

    def moment(self, name: str, field: str) -> datetime | None:
        stated = self.text(name, field)
        if stated is None:
            return None
        moment = moment_of(stated)
        if moment is None:
            self.note(field, "wrong-type", 0.0)
        return moment

    def objects(self, name: str) -> list[dict[str, Any]]:
        """The objects of an expanded collection; none if it did not come along."""
        value = self._values.get(name)
        return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

    def denies(self, name: str) -> bool:
        """Whether a flag says no, in whatever writing: a seller's no is not to be missed."""
        value = self._values.get(name)
        return value is not None and str(value).strip().lower() in _FALSE

    def affirms(self, name: str) -> bool:
        return self._values.get(name) is True
