"""An honest contest passes; one that was tampered with in any one way does not."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from hashlib import sha256

import msgspec
import pytest

from aiqleads.client.answers.claims import ClaimRound, Claims, RankedClaim
from aiqleads.client.claims import claim_id, commitment, draw, verify

NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
replace = msgspec.structs.replace
Tamper = Callable[[Claims], Claims]


def test_the_published_formulas() -> None:
    assert claim_id("u1", "l1") == sha256(b"u1:l1").hexdigest()
    assert draw("5eed", "c1") == sha256(b"5eed:c1").hexdigest()
    assert commitment("5eed") == sha256(b"5eed").hexdigest()


def seed(number: int) -> str:
    return sha256(f"secret {number}".encode()).hexdigest()


def decided(number: int, seats: int, claims: list[RankedClaim]) -> ClaimRound:
    """A contest decided by the rule, written here in other words."""
    found = sorted(claims, key=lambda c: c.kind == "standing")
    found.sort(key=lambda c: int(c.draw, 16))
    found.sort(key=lambda c: c.wins)
    found.sort(key=lambda c: c.priority, reverse=True)
    winners = list(dict.fromkeys(claim.claim_id for claim in found))[:seats]
    ranked = []
    for rank, claim in enumerate(found, start=1):
        won = claim.claim_id in winners
        if won:
            winners.remove(claim.claim_id)
        ranked.append(replace(claim, rank=rank, result="won" if won else "lost"))
    return ClaimRound(
        round=number,
        seats=seats,
        seed=seed(number),
        commitment=commitment(seed(number)),
        next_commitment=commitment(seed(number + 1)),
        decided_at=NOW,
        claims=tuple(ranked),
    )


def claim(number: int, buyer: str, kind: str, priority: int, wins: int) -> RankedClaim:
    claimed = claim_id(buyer, "lead")
    return RankedClaim(
        rank=0, claim_id=claimed, kind=kind, priority=priority, wins=wins,
        draw=draw(seed(number), claimed), result="",
    )  # fmt: skip


def contests(chance: int, rounds: int = 3) -> Claims:
    """Rounds of buyers who claim by hand, by standing order, or both; more than there are seats."""
    rng = random.Random(chance)
    found = []
    for number in range(rounds):
        claims = []
        for buyer in range(rng.randrange(4, 12)):
            priority, wins = rng.randrange(3), rng.randrange(3)
            kinds = rng.choice([["buy"], ["hold"], ["standing"], ["buy", "standing"]])
            claims += [claim(number, f"u{buyer}", kind, priority, wins) for kind in kinds]
        found.append(decided(number, rng.randrange(1, 3), claims))
    return Claims(
        lead_id="lead", commitment=commitment(seed(rounds)), rounds=tuple(found), decide_at=None
    )


@pytest.mark.parametrize("chance", range(100))
def test_honest_contests_pass(chance: int) -> None:
    record = contests(chance)
    assert verify(record) == []
    for number in range(4):
        assert verify(record, commitment(seed(number))) == []


def test_what_was_told_must_bind_a_contest() -> None:
    assert verify(contests(1), commitment("another seed"))
    assert verify(Claims(lead_id="lead", commitment="c"), "c") == []
    assert verify(Claims(lead_id="lead"), "c")


def of_round(change: Callable[[ClaimRound], ClaimRound]) -> Tamper:
    return lambda record: replace(
        record, rounds=(record.rounds[0], change(record.rounds[1]), *record.rounds[2:])
    )


def of_claims(change: Callable[[list[RankedClaim]], list[RankedClaim]]) -> Tamper:
    return of_round(lambda decided: replace(decided, claims=tuple(change(list(decided.claims)))))


def _swapped(claims: list[RankedClaim]) -> list[RankedClaim]:
    """The first two that differ in rank change places, and numbers."""
    one, two = claims[0], next(c for c in claims if c.claim_id != claims[0].claim_id)
    claims[one.rank - 1] = replace(two, rank=one.rank)
    claims[two.rank - 1] = replace(one, rank=two.rank)
    return claims


def _given_to_the_last(claims: list[RankedClaim]) -> list[RankedClaim]:
    winner = next(i for i, c in enumerate(claims) if c.result == "won")
    claims[winner] = replace(claims[winner], result="lost")
    claims[-1] = replace(claims[-1], result="won")
    return claims


def _all_win(claims: list[RankedClaim]) -> list[RankedClaim]:
    return [replace(c, result="won") for c in claims]


def _better_draw(claims: list[RankedClaim]) -> list[RankedClaim]:
    claims[0] = replace(claims[0], draw="0" * 64)
    return claims


def _left_out(claims: list[RankedClaim]) -> list[RankedClaim]:
    return claims[1:]


def _favoured_once(claims: list[RankedClaim]) -> list[RankedClaim]:
    """One buyer's second claim is ranked by another priority."""
    return [*claims, replace(claims[0], rank=len(claims) + 1, priority=-1, result="lost")]


TAMPERED: dict[str, Tamper] = {
    "another seed": of_round(lambda d: replace(d, seed=seed(77))),
    "another commitment": of_round(lambda d: replace(d, commitment=commitment(seed(77)))),
    "no commitment": of_round(lambda d: replace(d, commitment=None)),
    "seed and commitment": of_round(
        lambda d: replace(d, seed=seed(77), commitment=commitment(seed(77)))
    ),
    "another next": of_round(lambda d: replace(d, next_commitment="c")),
    "another last": lambda r: replace(r, commitment=commitment("x")),
    "a round left out": lambda r: replace(r, rounds=(r.rounds[0], r.rounds[2])),
    "swapped": of_claims(_swapped),
    "given to the last": of_claims(_given_to_the_last),
    "all win": of_claims(_all_win),
    "better draw": of_claims(_better_draw),
    "left out": of_claims(_left_out),
    "favoured once": of_claims(_favoured_once),
    "more seats": of_round(lambda d: replace(d, seats=d.seats + 1)),
    "fewer seats": of_round(lambda d: replace(d, seats=d.seats - 1)),
}


@pytest.mark.parametrize("chance", range(30))
@pytest.mark.parametrize("tampered", TAMPERED)
def test_tampered_contests_do_not_pass(tampered: str, chance: int) -> None:
    record = contests(chance)
    changed = TAMPERED[tampered](record)
    assert changed != record
    problems = verify(changed)
    assert problems
    assert all(isinstance(problem, str) and problem for problem in problems)
