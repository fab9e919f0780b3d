"""Contests for seats, open to anyone's check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_apps.api.schemas.fields import AnswerModel, Instant


class RankedClaim(AnswerModel):
    """A claim as it was ranked: highest priority, then fewest wins, then lowest draw."""

    rank: int = Field(ge=1)
    claim_id: str = Field(description="SHA-256 (hex) of user_id:lead_id")
    kind: Literal["buy", "hold", "standing"]
    priority: int = Field(description="of the buyer's plan")
    wins: int = Field(ge=0, description="contests won in this market in the 24 hours before")
    draw: str = Field(description="SHA-256 (hex) of seed:claim_id")
    result: Literal["won", "lost"]
    is_yours: bool


class ClaimRound(AnswerModel):
    """A contest: more buyers claimed the lead than it had free seats. Its best 100 claims."""

    round: int = Field(ge=0)
    seats: int = Field(ge=1, description="free when it was decided")
    seed: str = Field(description="hex, revealed with the decision")
    commitment: str | None = Field(
        description="SHA-256 (hex) of the seed's text, told before; null if nothing was told"
    )
    next_commitment: str = Field(description="to the seed of the next contest")
    decided_at: Instant
    claims: list[RankedClaim]


class Claims(AnswerModel):
    """The contests of a lead, oldest first, of more than 50 the last."""

    lead_id: str
    decide_at: Instant | None = Field(
        description="when claims that arrive now are decided; null if as they come"
    )
    commitment: str | None = Field(
        description="to the seed of the contest to come; null if none was made yet"
    )
    rounds: list[ClaimRound]
