"""What all answers have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Something the market said. Members that this version does not know are left out."""


class Page(Answer, Generic[T], frozen=True, kw_only=True):
    """Some items of a list; `next_cursor` is None on the last page.

    `total` and `facets` come with a search alone.
    """

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None
    facets: dict[str, tuple[FacetCount, ...]] | None = None


class FacetCount(Answer, frozen=True, kw_only=True):
    """How many of the matching leads have this value."""

    value: str | int
    count: int


Instant = datetime
"""An aware datetime in UTC, to the microsecond."""
