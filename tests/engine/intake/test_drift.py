from __future__ import annotations

import random

import pytest

from engine.intake.drift import RECORDS_MIN, RUNS_MIN, Fall, Shares, falls, fill_of, pooled
from engine.intake.record import SourceRecord
from engine.market.answers import Contact

USUAL = {"list_price": 0.96, "bedrooms_total": 0.8, "phone": 0.55, "posted_at": 0.02}


def a_run(chance: random.Random, pages: int = 400, keeps: float = 0.93, **rates: float) -> Shares:
    """A run of a source in which each page and field comes out by chance."""
    records = sum(chance.random() < keeps for _ in range(pages))
    filled = {
        name: sum(chance.random() < rate for _ in range(records))
        for name, rate in (USUAL | rates).items()
    }
    return Shares(pages=pages, read=pages, records=records, rejected=pages - records, filled=filled)


def fields(found: list[Fall]) -> set[str]:
    return {fall.field for fall in found}


def test_a_field_that_empties_is_named_with_what_it_was() -> None:
    chance = random.Random(1)
    before = [a_run(chance) for _ in range(6)]
    [fall] = falls(a_run(chance, bedrooms_total=0.05), before)
    assert fall.field == "bedrooms_total"
    assert fall.was == pytest.approx(0.8, abs=0.05)
    assert fall.now < 0.1


def test_records_that_no_longer_parse_show_in_yield_and_acceptance() -> None:
    chance = random.Random(2)
    before = [a_run(chance) for _ in range(6)]
    found = falls(a_run(chance, keeps=0.2), before)
    assert fields(found) == {"yield", "accepted"}


def test_a_run_that_reads_nothing_at_all_is_seen() -> None:
    chance = random.Random(3)
    before = [a_run(chance) for _ in range(RUNS_MIN)]
    found = falls(Shares(pages=400, read=400, records=0, rejected=400), before)
    assert fields(found) == {"yield", "accepted"}


def test_pages_that_are_gone_are_seen() -> None:
    chance = random.Random(4)
    before = [a_run(chance) for _ in range(5)]
    assert fields(falls(a_run(chance, pages=40), before)) == {"pages"}
    assert falls(a_run(chance, pages=380), before) == []


def test_a_table_that_shrinks_is_seen_though_it_is_one_page() -> None:
    before = [Shares(pages=1, read=1, records=400 + n, rejected=0) for n in range(5)]
    assert fields(falls(Shares(pages=1, read=1, records=90, rejected=0), before)) == {"yield"}
    assert falls(Shares(pages=1, read=1, records=380, rejected=0), before) == []


def test_nothing_is_said_of_pages_that_had_not_changed() -> None:
    chance = random.Random(5)
    before = [a_run(chance) for _ in range(5)]
    assert falls(Shares(pages=400, read=0, records=0, rejected=0), before) == []
    few = Shares(pages=400, read=3, records=2, rejected=1, filled={"list_price": 0})
    assert falls(few, before) == []


def test_a_short_past_says_nothing() -> None:
    chance = random.Random(6)
    before = [a_run(chance) for _ in range(RUNS_MIN - 1)]
    assert falls(a_run(chance, keeps=0.0, list_price=0.0), before) == []


def test_one_odd_run_in_the_past_neither_hides_nor_makes_a_fall() -> None:
    chance = random.Random(7)
    before = [a_run(chance) for _ in range(6)]
    before[2] = a_run(chance, list_price=0.1)
    assert falls(a_run(chance), before) == []
    assert fields(falls(a_run(chance, list_price=0.2), before)) == {"list_price"}


def test_a_source_that_always_swings_is_not_drifting() -> None:
    chance = random.Random(8)
    before = [a_run(chance, phone=rate) for rate in (0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6)]
    assert falls(a_run(chance, phone=0.3), before) == []


def test_chance_alone_is_hardly_ever_a_fall() -> None:
    chance = random.Random(9)
    false = 0
    for _ in range(300):
        size = chance.choice((40, 100, 400))
        before = [a_run(chance, pages=size) for _ in range(chance.randint(3, 10))]
        false += bool(falls(a_run(chance, pages=size), before))
    assert false == 0


def test_small_runs_are_judged_together() -> None:
    chance = random.Random(10)

    def hour(**rates: float) -> Shares:
        few = a_run(chance, pages=9, **rates)
        return Shares(
            pages=400,
            read=few.read,
            records=few.records,
            rejected=few.rejected,
            filled=few.filled,
        )

    before = [hour() for _ in range(40)]
    usual = pooled([hour(), *before])
    assert all(group.read >= RECORDS_MIN for group in usual)
    assert sum(group.read for group in usual) > 41 * 9 - RECORDS_MIN
    assert falls(usual[0], usual[1:]) == []
    emptied = pooled([*(hour(list_price=0.0) for _ in range(4)), *before])
    assert fields(falls(emptied[0], emptied[1:])) == {"list_price"}
    assert pooled([hour()]) == []


def test_fill_counts_what_is_there_and_no_invented_contact() -> None:
    whole = SourceRecord(
        source="s",
        source_id="1",
        list_price=1,
        contact=Contact(phone="+15125550100", latitude=30.0, longitude=-97.0),
    )
    invented = SourceRecord(
        source="s", source_id="2", contact=Contact(phone="+15125550101", is_invented=True)
    )
    filled = fill_of([whole, invented])
    assert filled["list_price"] == filled["phone"] == filled["coordinates"] == 1
    assert filled["remarks"] == 0
