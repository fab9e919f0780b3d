"""Markets with one thing wrong each: the audit of histories catches every one of them.

Without these, a green run of the histories might only say that nothing is looked at.
"""

from __future__ import annotations

import random

import pytest

from engine.market import batch
from engine.market import events as e
from engine.market.book import Book
from engine.market.book_state import HEAP_SLACK
from engine.market.contest import Contest
from engine.market.listing import Listing
from tests.engine.market import mutant_claims, mutant_holds, mutant_lines, mutant_standing
from tests.engine.market.history import START, random_history
from tests.engine.market.trading_floor import TradingFloor

# What a mutant may stand in for, by the name under which a batch finds it.
ORIGINALS = {"Book": Book, "Contest": Contest, "_Batch": batch._Batch}
MUTANTS = [
    each
    for module in (mutant_holds, mutant_lines, mutant_claims, mutant_standing)
    for name, each in vars(module).items()
    if isinstance(each, type)
    and issubclass(each, tuple(ORIGINALS.values()))
    and each.__module__ == module.__name__
    and not name.startswith("_")
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_audit_catches(mutant: type, monkeypatch: pytest.MonkeyPatch) -> None:
    make_book = mutant if issubclass(mutant, Book) else Book
    for name in ("Contest", "_Batch"):
        if issubclass(mutant, ORIGINALS[name]):
            monkeypatch.setattr(batch, name, mutant)
    for seed in range(300):
        try:
            TradingFloor(make_book, seed).play(random_history(random.Random(seed), 40))
        except (AssertionError, KeyError):
            return
    pytest.fail(f"300 histories did not tell {mutant.__name__} from a right market")


@pytest.mark.parametrize("make_book", [Book, pytest.param("leaky", id="LeaksDeadlines")])
def test_the_heap_of_deadlines_is_bounded(make_book: type[Book] | str) -> None:
    """Holds that end early leave their deadlines behind, but never without bound."""

    class LeaksDeadlines(Book):
        def _rebuild_deadlines(self) -> None:
            pass

    book = LeaksDeadlines() if make_book == "leaky" else Book()
    rounds = 3 * HEAP_SLACK
    for number in range(rounds):
        lead_id = f"lead-{number}"
        book.apply(e.LeadListed(lead_id, 10, 1, Listing()), START)
        book.apply(
            e.LeadHeld(lead_id, "ann", 1, 10, "15m", START, START + 900_000_000 + number, 1), START
        )
        if number % 50:
            book.apply(e.LeadReleased(lead_id, "ann", "released"), START + 1)
    bounded = len(book._deadlines) <= 2 * book.live_holds + HEAP_SLACK
    assert bounded is (make_book is Book)
    due = []
    for event in book.due(START + 10**12):
        book.apply(event, START + 10**12)
        due.append(event.lead_id)
    assert due == [f"lead-{number}" for number in range(0, rounds, 50)]
    assert book.live_holds == 0
