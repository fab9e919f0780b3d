"""Checking how a contest for a lead was decided, with nothing but what the market published.

The rule: claims are ranked by the priority of the buyer's plan (highest first), then contests
won lately (fewest first), then by draw (lowest first), a claim by hand before a standing order;
the seats go to the first buyers in that order, one each. A draw is SHA-256 of seed and claim,
and the seed was fixed before anyone claimed: its SHA-256 was told before. `priority` and `wins`
are facts of other buyers that you have to take as told.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise

from aiqleads.client.answers.claims import ClaimRound, Claims, RankedClaim

WON = "won"


def claim_id(user_id: str, lead_id: str) -> str:
    """Under this id a buyer's claims on a lead are published."""
    return _hex(f"{user_id}:{lead_id}")


def draw(seed: str, claim: str) -> str:
    """What breaks ties between claims: the lowest is best."""
    return _hex(f"{seed}:{claim}")


def commitment(seed: str) -> str:
    """What is told of a seed before it is revealed."""
    return _hex(seed)


def verify(record: Claims, told: str | None = None) -> list[str]:
    """What is wrong with the contests of a lead, in words; nothing if all is well.

    `told` is a commitment that you saw before a contest, in the feed's `lead.listed` or in an
    earlier record: one of the contests, or the next, must be bound by it.
    """
    return list(_problems(record, told))


def _problems(record: Claims, told: str | None) -> Iterator[str]:
    for decided in record.rounds:
        for problem in _problems_of_round(decided):
            yield f"round {decided.round}: {problem}"
    for before, after in pairwise(record.rounds):
        if after.round != before.round + 1:
            yield f"round {after.round} follows round {before.round}"
        elif after.commitment != before.next_commitment:
            yield f"round {after.round} is not bound by what round {before.round} committed to"
    if record.rounds and record.commitment not in (None, record.rounds[-1].next_commitment):
        yield "the next contest is not bound by what the last one committed to"
    bound = {decided.commitment for decided in record.rounds} | {record.commitment}
    bound |= {decided.next_commitment for decided in record.rounds}
    if told is not None and told not in bound:
        yield f"no contest is bound by the commitment told before, {told}"


def _problems_of_round(decided: ClaimRound) -> Iterator[str]:
    if decided.commitment is None:
        yield "nothing was told of its seed before, so it may have been chosen"
    elif commitment(decided.seed) != decided.commitment:
        yield "the seed is not the one committed to"
    for claim in decided.claims:
        if draw(decided.seed, claim.claim_id) != claim.draw:
            yield f"the draw of rank {claim.rank} does not follow from the seed"
    if [claim.rank for claim in decided.claims] != list(range(1, len(decided.claims) + 1)):
        yield "ranks are not 1, 2, 3 and so on"
    for above, below in pairwise(decided.claims):
        if _order(above) > _order(below):
            yield f"rank {below.rank} is better than rank {above.rank}"
    yield from _problems_of_seats(decided)
    yield from _problems_of_buyers(decided)


def _problems_of_seats(decided: ClaimRound) -> Iterator[str]:
    """One buyer may claim in several ways, but is one buyer, and wins one seat."""
    winners: set[str] = set()
    for claim in decided.claims:
        has_one = claim.claim_id in winners
        is_first = not has_one and len(winners) < decided.seats
        if is_first:
            winners.add(claim.claim_id)
        if is_first and claim.result != WON:
            yield f"rank {claim.rank} was passed over while a seat was free"
        elif claim.result == WON and has_one:
            yield f"rank {claim.rank} is a second seat for one buyer"
        elif claim.result == WON and not is_first:
            yield f"rank {claim.rank} won when all {decided.seats} seats were gone"


def _problems_of_buyers(decided: ClaimRound) -> Iterator[str]:
    facts: dict[str, tuple[int, int]] = {}
    for claim in decided.claims:
        told = claim.priority, claim.wins
        if facts.setdefault(claim.claim_id, told) != told:
            yield f"rank {claim.rank} is of a buyer who was ranked otherwise before"


def _order(claim: RankedClaim) -> tuple[int, int, str, bool]:
    return -claim.priority, claim.wins, claim.draw, claim.kind == "standing"


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()
