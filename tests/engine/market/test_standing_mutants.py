"""Indexes with one thing wrong each: the comparison catches every one of them."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from engine.market import standing_columns, standing_rules, standing_steps
from engine.market.listing import Listing
from engine.market.sphere import box_around
from engine.market.standing_columns import StandingColumns
from engine.market.standing_index import StandingIndex
from engine.market.standing_steps import NamesInUse
from engine.market.standing_terms import StandingTerms
from tests.engine.market.standing_cases import sweep


class ComparesNobody(StandingIndex):
    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        lead = standing_rules.facts(listing, price, max_buyers)
        return [self._ids[place] for place in self._candidates(lead)]


class ForgetsToRemove(StandingIndex):
    def remove(self, standing_order_id: str) -> None:
        pass


class LeavesTheBits(StandingIndex):
    def remove(self, standing_order_id: str) -> None:
        pages = [page.copy() for page in self._pages]
        super().remove(standing_order_id)
        self._pages = pages


class FindsThePaused(StandingIndex):
    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        super().add(standing_order_id, replace(terms, is_paused=False))


class KeepsThePausedAsTheyWere(StandingIndex):
    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        if not terms.is_paused:
            super().add(standing_order_id, terms)


class LooksAtTheFirstSourceOnly(StandingIndex):
    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        return super().find(replace(listing, sources=listing.sources[:1]), price, max_buyers)


class ForgetsTexts(StandingIndex):
    def with_text(self, standing_order_ids: Any) -> list[str]:
        return []


INDEXES = [
    each
    for each in list(globals().values())
    if isinstance(each, type) and StandingIndex in each.__bases__
]
# What is wrong with the parts: (of which part, what, what instead).
PARTS: dict[str, tuple[Any, str, Any]] = {
    "StopsBeforeTheLastStep": (
        standing_steps,
        "_run",
        lambda first, last: (1 << last) - (1 << first) if first < last else 0,
    ),
    "BeginsAfterTheFirstStep": (
        standing_steps,
        "_run",
        lambda first, last: (1 << last + 1) - (2 << first) if first < last else 0,
    ),
    "CellsNeverBeginAnew": (
        standing_steps,
        "_cells",
        lambda least, most: standing_steps._run(
            round(least * standing_steps._CELLS_A_DEGREE) % standing_steps._CELLS,
            round(most * standing_steps._CELLS_A_DEGREE) % standing_steps._CELLS,
        ),
    ),
    "CirclesTooSmall": (
        standing_steps,
        "box_around",
        lambda latitude, longitude, radius_m: box_around(latitude, longitude, radius_m - 2),
    ),
    "NamesTheFirstOnly": (
        standing_steps,
        "_names",
        lambda names: 1 << standing_steps._name(names[0]),
    ),
    "NothingUnstatedIsWanted": (
        standing_steps,
        "_EVERY",
        standing_steps._EVERY & ~(1 << standing_steps._TYPE + standing_steps._NAMES),
    ),
    "OverlooksSharedRows": (NamesInUse, "are_mixed", lambda names, lead: False),
    "BoundsReachOneFurther": (
        StandingColumns,
        "put",
        lambda columns, place, order, put=StandingColumns.put: put(
            columns,
            place,
            replace(order, ranges=tuple((n, least, most + 1) for n, least, most in order.ranges)),
        ),
    ),
    "CirclesAreTheirBoxes": (standing_columns, "chord_squared", lambda one, other: one[0] * 0),
    "BoxesAreTheirCells": (
        standing_columns,
        "_area",
        lambda order, area=standing_columns._area: (*area(order)[:4], *[-inf] * 4),
    ),
}


@pytest.mark.parametrize("mutant", INDEXES, ids=lambda mutant: mutant.__name__)
def test_the_comparison_catches(mutant: type[StandingIndex]) -> None:
    with pytest.raises(AssertionError):
        sweep(mutant, range(1_000))


@pytest.mark.parametrize("mutant", PARTS)
def test_the_comparison_catches_a_bad_part(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PARTS[mutant])
    with pytest.raises(AssertionError):
        sweep(StandingIndex, range(1_000))
