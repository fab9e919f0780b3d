"""Who may serve as what, whatever is wished in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rollout.roles import (
    ROLES,
    Decision,
    Known,
    Refusal,
    Roles,
    Wish,
    decide,
    falls_to_canary,
)

VERSIONS = range(1, 6)
WISHES = st.builds(
    Wish,
    st.sampled_from(["promote", "canary", "shadow", "rollback", "retire", "refused"]),
    st.one_of(st.none(), st.integers(0, 6)),
    st.sampled_from([0.0, 0.05, 0.5, 0.9]),
    st.sampled_from([None, *ROLES]),
)


@given(st.lists(WISHES, max_size=30))
def test_one_live_version_whatever_is_wished(wishes: list[Wish]) -> None:
    roles, retired, past = Roles(), set[int](), list[int]()
    for wish in wishes:
        before = next((each for each in reversed(past) if each not in retired), None)
        known = Known(set(VERSIONS) - retired, retired, before)
        decided = decide(roles, wish, known)
        if isinstance(decided, Refusal):
            assert decided.reason
            continue
        held = [decided.roles.of(role) for role in ROLES if decided.roles.of(role) is not None]
        assert len(held) == len(set(held)), "a version has one role at most"
        assert not retired & set(held), "a retired version serves nobody"
        assert (decided.roles.share > 0) == (decided.roles.canary is not None)
        if roles.live is not None and wish.action != "refused":
            assert decided.roles.live is not None, "only what can't be used leaves none live"
        if wish.action == "retire":
            assert decided.from_version is not None
            retired.add(decided.from_version)
        if wish.action == "promote" and roles.live is not None:
            past.append(roles.live)
        roles = decided.roles


def _decided(roles: Roles, wish: Wish, before: int | None = None) -> Roles:
    decided = decide(roles, wish, Known(set(VERSIONS), set(), before))
    assert isinstance(decided, Decision), decided
    return decided.roles


def test_a_canary_that_is_promoted_is_no_canary_any_more() -> None:
    roles = _decided(Roles(live=1, canary=2, share=0.1, shadow=3), Wish("promote", 2))
    assert roles == Roles(live=2, shadow=3)


def test_a_rollback_ends_the_canary_first() -> None:
    roles = Roles(live=2, canary=3, share=0.1)
    assert _decided(roles, Wish("rollback"), before=1) == Roles(live=2)
    assert _decided(roles, Wish("rollback", role="live"), before=1) == Roles(
        live=1, canary=3, share=0.1
    )


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish("promote", 9), "no version 9"),
        (Wish("promote", 1), "live already"),
        (Wish("canary", 2, share=0.9), "at most 0.5"),
        (Wish("canary", 2), "above 0"),
        (Wish("canary", 1, share=0.1), "live already"),
        (Wish("retire", 1), "promote another first"),
        (Wish("retire", 3), "is shadow"),
        (Wish("rollback", role="live"), "no usable version was live before"),
        (Wish("rollback", role="canary"), "no version is canary"),
        (Wish("refused", 2, role="live"), "version 2 is not live"),
    ],
)
def test_what_can_not_be_is_refused_with_the_reason(wish: Wish, reason: str) -> None:
    known = Known(set(VERSIONS), set(), None)
    decided = decide(Roles(live=1, shadow=3), wish, known)
    assert isinstance(decided, Refusal)
    assert reason in decided.reason


def test_what_can_not_be_used_makes_room_for_the_version_before() -> None:
    roles = Roles(live=2, shadow=3)
    assert _decided(roles, Wish("refused", 2, role="live"), before=1) == Roles(live=1, shadow=3)
    assert _decided(roles, Wish("refused", 2, role="live")) == Roles(shadow=3)


def test_the_canary_s_share_is_by_subject_and_grows_by_adding() -> None:
    subjects = [f"lead-{number}" for number in range(20_000)]
    small = {each for each in subjects if falls_to_canary("fraud", 7, each, 0.05)}
    large = {each for each in subjects if falls_to_canary("fraud", 7, each, 0.2)}
    other = {each for each in subjects if falls_to_canary("fraud", 8, each, 0.05)}
    # Of 20,000 at 5 %: a thousand, give or take six times 31.
    assert abs(len(small) - 1_000) < 190
    assert small < large
    assert len(small & other) < 200, "another version is tried on other leads"
