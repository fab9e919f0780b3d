"""How contests for a lead's seats were decided."""

from __future__ import annotations

from aiqleads.client.answers.fields import Answer, Instant


class RankedClaim(Answer, frozen=True, kw_only=True):
    """A claim as it was ranked. `claim_id` stands for its buyer in this lead alone; `result` is
    `won` or `lost`."""

    rank: int
    claim_id: str
    kind: str
    priority: int
    wins: int
    draw: str
    result: str
    is_yours: bool = False


class ClaimRound(Answer, frozen=True, kw_only=True):
    """A contest: more buyers claimed the lead than `seats` were free. Its best 100 claims.

    `commitment` was told before it, None if nothing was; `seed` is revealed with it.
    """

    round: int
    seats: int
    seed: str
    commitment: str | None
    next_commitment: str
    decided_at: Instant
    claims: tuple[RankedClaim, ...]


class Claims(Answer, frozen=True, kw_only=True):
    """The contests of a lead, oldest first. `decide_at` is when claims that arrive now are
    decided, None for as they come; `commitment` is to the seed of the next contest."""

    lead_id: str
    decide_at: Instant | None = None
    commitment: str | None = None
    rounds: tuple[ClaimRound, ...] = ()
