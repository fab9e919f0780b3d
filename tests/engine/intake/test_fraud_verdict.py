"""What holds of a lead: the model's word, the rules', and a reviewer's above both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.intake.fraud.verdict import (
    Decision,
    Facts,
    Kept,
    Thresholds,
    Verdict,
    decision_that_holds,
    differ,
    facts_of,
    is_provisional,
    standing_of,
    verdict_of,
)
from engine.market.listing import Listing

AT = Thresholds(0.5, 0.9)
TEXT = "A quiet house near the park with a new roof, a large kitchen and a garden for a family."
HOME = Listing(
    property_type="Residential Lease", postal_code="78701", list_price=2_000, public_remarks=TEXT
)


@pytest.mark.parametrize(
    ("probability", "suffices", "suspicious", "expected"),
    [
        (None, False, False, "clear"),
        (0.49, False, False, "clear"),
        (0.5, False, False, "flagged"),
        (0.89, False, False, "flagged"),
        (0.9, False, False, "quarantined"),
        (0.0, True, True, "quarantined"),
        (0.0, False, True, "flagged"),
        (None, False, True, "flagged"),
        (None, True, True, "quarantined"),
    ],
)
def test_the_graver_of_model_and_rules_counts(
    probability: float | None, suffices: bool, suspicious: bool, expected: Verdict
) -> None:
    found = verdict_of(probability, AT, suffices=suffices, is_suspicious=suspicious)
    assert found == expected


@pytest.mark.parametrize(
    ("changes", "material"),
    [
        ({"list_price": 2_300}, False),
        ({"list_price": 900}, True),
        ({"list_price": None}, True),
        ({"public_remarks": TEXT.replace("garden", "yard")}, False),
        ({"public_remarks": "Send the deposit by wire before you come and see it, I am abroad."},
         True),
        ({"public_remarks": None}, True),
        ({"postal_code": "78702"}, True),
        ({"property_type": "Residential"}, True),
        ({"bedrooms_total": 4, "quality": 0.9, "modification_timestamp": "2026"}, False),
    ],
)  # fmt: skip
def test_a_decision_stands_until_what_it_was_about_is_another_thing(
    changes: dict[str, object], material: bool
) -> None:
    before, after = facts_of(HOME), facts_of(replace(HOME, **changes))
    assert differ(before, after) is material
    assert differ(after, before) is material
    kept = Kept(decision="approved", facts=before)
    assert decision_that_holds(kept, after) == (None if material else "approved")


def test_a_decision_about_no_facts_yet_is_about_those_found_next() -> None:
    assert decision_that_holds(Kept(decision="held"), facts_of(HOME)) == "held"
    assert decision_that_holds(None, facts_of(HOME)) is None


class Told:
    """A lead over time, as the desk keeps it."""

    def __init__(self) -> None:
        self.kept: Kept | None = None

    def hears(self, verdict: Verdict, by_model: bool, facts: Facts) -> None:
        decision = decision_that_holds(self.kept, facts)
        standing = standing_of(verdict, self.kept, decision, by_model=by_model)
        self.kept = Kept(
            standing=standing,
            is_provisional=is_provisional(standing, self.kept, decision, by_model=by_model),
            decision=decision,
            facts=None if decision is None else facts,
        )

    def is_told(self, decision: Decision) -> None:
        self.kept = replace(self.kept or Kept(), decision=decision, facts=None)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["clear", "flagged", "quarantined"]), st.booleans()),
        st.sampled_from(["approved", "rejected", "held"]),
        st.just("rewritten"),
    ),
    max_size=30,
)


@given(STEPS)
def test_what_holds_is_the_last_decision_or_no_less_than_was_found(
    steps: list[object],
) -> None:
    """Played forward: a decision holds whatever is found, until the facts are others; without
    one, what a model quarantined stays hidden, and all else is as it was found last."""
    told, facts, decision, texts = Told(), facts_of(HOME), None, 0
    hidden_for_good = False
    for step in steps:
        if step == "rewritten":
            texts += 1
            words = " ".join(f"{'abcdefghij'[texts % 10] * (n + 2)}" for n in range(20))
            facts, decision = facts_of(replace(HOME, public_remarks=words)), None
            continue
        if isinstance(step, str):
            told.is_told(step)  # type: ignore[arg-type]
            decision, verdict, by_model = step, "clear", True
        else:
            verdict, by_model = step  # type: ignore[misc]
        before = told.kept.standing if told.kept else "clear"
        told.hears(verdict, by_model, facts)
        assert told.kept is not None
        if decision is not None:
            assert told.kept.standing == ("clear" if decision == "approved" else "quarantined")
            hidden_for_good = decision != "approved"
            continue
        hidden_for_good |= verdict == "quarantined" and by_model
        if hidden_for_good:
            assert told.kept.standing == "quarantined"
        elif before == "quarantined" and not by_model:
            assert told.kept.standing == "quarantined"
            assert told.kept.is_provisional
        else:
            assert told.kept.standing == verdict
