"""Which lead each record goes to, given what it matches."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from engine.intake.assignment import Assignment, Candidate, Identity, Joint, assign

LISTED = {"old": Identity(1, "listed"), "young": Identity(2, "listed")}


def assigned(
    candidates: list[Candidate],
    identities: dict[str, Identity] | None = None,
    apart: list[tuple[str, str]] | None = None,
) -> Assignment:
    numbers = count(1)
    return assign(candidates, identities or {}, apart or [], lambda: f"new-{next(numbers)}")


def test_a_record_without_a_match_founds_a_lead() -> None:
    assert assigned([Candidate(None, ()), Candidate(None, ())]) == (
        ["new-1", "new-2"],
        ["new-1", "new-2"],
        [],
    )


def test_a_record_goes_to_its_match_here_or_in_the_same_batch() -> None:
    found = assigned([Candidate(None, (("old", 0.99),)), Candidate(None, ((0, 0.98),))], LISTED)
    assert found == (["old", "old"], [], [])


def test_a_record_that_matches_two_leads_joins_them_and_waits_with_the_older() -> None:
    found = assigned([Candidate(None, (("young", 0.999), ("old", 0.98)))], LISTED)
    assert found == (["old"], [], [Joint("old", "young", 0.98, False)])


def test_a_known_record_stays_with_its_lead_until_the_book_has_decided() -> None:
    found = assigned([Candidate("young", (("old", 0.98),))], LISTED)
    assert found == (["young"], [], [Joint("old", "young", 0.98, False)])


def test_a_lead_never_offered_is_absorbed_at_once_however_old() -> None:
    identities = {"old": Identity(1, "never"), "young": Identity(2, "listed")}
    found = assigned([Candidate("old", (("young", 0.98),))], identities)
    assert found == (["young"], [], [Joint("young", "old", 0.98, True)])


def test_what_was_taken_apart_is_not_joined_again() -> None:
    matches = (("young", 0.999), ("old", 0.98))
    found = assigned([Candidate(None, matches)], LISTED, [("old", "young")])
    assert found == (["young"], [], [])


def test_apart_holds_for_what_a_lead_was_joined_with() -> None:
    identities = {**LISTED, "third": Identity(3, "listed")}
    candidates = [
        Candidate(None, (("young", 0.99), ("third", 0.99))),
        Candidate(None, (("third", 0.99), ("old", 0.97))),
    ]
    found = assigned(candidates, identities, [("old", "young")])
    assert [(joint.stays, joint.goes) for joint in found.joints] == [("young", "third")]
    assert found.lead_ids == ["young", "young"]


edges = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20)


@given(edges, st.permutations(range(12)))
def test_the_order_of_arrival_changes_no_partition(
    pairs: list[tuple[int, int]], order: list[int]
) -> None:
    def partition(records: list[int]) -> set[frozenset[int]]:
        place = {record: at for at, record in enumerate(records)}
        matches: list[list[tuple[int, float]]] = [[] for _ in records]
        for one, other in {frozenset((a, b)) for a, b in pairs if a != b}:
            earlier, later = sorted((place[one], place[other]))
            matches[later].append((earlier, 0.99))
        found = assigned([Candidate(None, tuple(each)) for each in matches])
        leads: dict[str, set[int]] = {}
        for record, lead_id in zip(records, found.lead_ids, strict=True):
            leads.setdefault(lead_id, set()).add(record)
        return {frozenset(each) for each in leads.values()}

    assert partition(list(range(12))) == partition(order)
