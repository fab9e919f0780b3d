"""Checking how a contest for a lead was decided, with nothing but what the market published.

The rule: claims are ranked by the priority of the buyer's plan (highest first), then contests
won lately (fewest first), then by draw (lowest first), a claim by hand before a standing order;
seats go to the best that nothing else is against. A draw is SHA-256 of seed and claim, and the
seed was fixed before anyone claimed: its SHA-256 was told before. `priority` and `wins` are
facts of other buyers that you have to take as told.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from aiqleads.client.answers.claims import ClaimRound, Claims, RankedClaim

WON = "won"
# What a claim is refused with that was ranked too low; any other refusal is its buyer's own.
_RANKED_TOO_LOW = frozenset({"lead-unavailable", "outranked"})


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
    for before, after in zip(record.rounds, record.rounds[1:], strict=False):
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
    for above, below in zip(decided.claims, decided.claims[1:], strict=False):
        if _order(above) > _order(below):
            yield f"rank {below.rank} is better than rank {above.rank}"
    yield from _problems_of_seats(decided)
    yield from _problems_of_buyers(decided)


def _problems_of_seats(decided: ClaimRound) -> Iterator[str]:
    won = 0
    for claim in decided.claims:
        if claim.result == WON:
            won += 1
        elif claim.result in _RANKED_TOO_LOW and won < decided.seats:
            yield f"rank {claim.rank} was passed over while a seat was free"
    if won > decided.seats:
        yield f"{won} won {decided.seats} seats"


def _problems_of_buyers(decided: ClaimRound) -> Iterator[str]:
    """One buyer may claim in several ways, but is one buyer, and wins one seat."""
    facts: dict[str, tuple[int, int]] = {}
    winners: set[str] = set()
    for claim in decided.claims:
        if facts.setdefault(claim.claim_id, (claim.priority, claim.wins)) != (
            claim.priority,
            claim.wins,
        ):
            yield f"rank {claim.rank} is of a buyer who was ranked otherwise before"
        if claim.result == WON:
            if claim.claim_id in winners:
                yield f"rank {claim.rank} is a second seat for one buyer"
            winners.add(claim.claim_id)


def _order(claim: RankedClaim) -> tuple[int, int, str, bool]:
    return -claim.priority, claim.wins, claim.draw, claim.kind == "standing"


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()
