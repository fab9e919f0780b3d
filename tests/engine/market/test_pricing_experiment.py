"""Lots and what comes of them: who is on trial, and how sure a difference is."""

from __future__ import annotations

import random

import pytest

from engine.market.pricing.comparison import LEADS_MIN, LeadOutcome, difference_of, outcome_of
from engine.market.pricing.lots import is_on_trial


def _lead(revenue: int) -> LeadOutcome:
    return LeadOutcome("lead", revenue, int(revenue > 0), 1, revenue == 0)


def test_lots_follow_from_the_lead_and_fall_as_often_as_asked() -> None:
    ids = [f"lead-{number}" for number in range(20_000)]
    drawn = [id_ for id_ in ids if is_on_trial("decay@1:0.3", id_, 0.3)]
    assert len(drawn) / len(ids) == pytest.approx(0.3, abs=0.01)
    assert drawn == [id_ for id_ in ids if is_on_trial("decay@1:0.3", id_, 0.3)]
    # Another experiment draws anew.
    again = {id_ for id_ in ids if is_on_trial("other", id_, 0.3)}
    assert len(again & set(drawn)) / len(drawn) == pytest.approx(0.3, abs=0.03)
    assert not any(is_on_trial("x", id_, 0.0) for id_ in ids[:100])


def test_outcomes() -> None:
    found = outcome_of([_lead(30), _lead(0), _lead(0), _lead(10)])
    assert found == (4, 2, 10.0, 0.5)
    assert outcome_of([]) == (0, 0, None, None)


def test_few_leads_tell_no_difference() -> None:
    few, many = [_lead(1)] * (LEADS_MIN - 1), [_lead(1)] * LEADS_MIN
    assert difference_of(few, many) is None
    assert difference_of(many, many) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_difference_as_often_as_it_says() -> None:
    rng, held = random.Random(5), 0
    for _ in range(400):
        control = [_lead(int(rng.expovariate(1 / 20))) for _ in range(120)]
        trial = [_lead(int(rng.expovariate(1 / 20)) + 5) for _ in range(80)]
        found = difference_of(control, trial)
        assert found is not None
        held += found.low <= 5 <= found.high
    assert 0.91 < held / 400 < 0.98
