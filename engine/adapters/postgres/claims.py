"""Contests for seats, with what anyone needs to check them; no buyer is named."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

ROUNDS_MAX = 50

# A commitment stands with every listing, and after it with every contest.
_COMMITMENT = (
    "coalesce((SELECT r.next_commitment FROM claim_rounds r WHERE r.lead_id = t.lead_id"
    " ORDER BY r.round DESC LIMIT 1), (SELECT e.event->>'commitment' FROM market_events e"
    " WHERE e.lead_id = t.lead_id AND e.event->>'commitment' <> ''"
    " ORDER BY e.position DESC LIMIT 1)) AS commitment"
)


class RankedClaim(msgspec.Struct, frozen=True):
    """One claim as it was ranked. `claim_id` and `draw` are hex; see `engine.market.claims`."""

    rank: int
    claim_id: str
    kind: str
    priority: int
    wins: int
    draw: str
    result: str
    is_yours: bool


class Round(msgspec.Struct, frozen=True):
    """A contest for `seats` seats, decided in µs since the epoch; its best claims, best first.

    `commitment` is what was told of its seed before, None if nothing was.
    """

    round: int
    seats: int
    seed: str
    commitment: str | None
    next_commitment: str
    decided_at: int
    claims: list[RankedClaim]


class Contests(msgspec.Struct, frozen=True):
    """`decide_at` (µs) is when claims that arrive now are decided, None if as they come;
    `commitment` is to the seed of the contest to come. Of the rounds, the last 50 in order."""

    decide_at: int | None
    commitment: str | None
    rounds: list[Round]


async def of_lead(pool: asyncpg.Pool, lead_id: str, user_id: str) -> Contests | None:
    """As `user_id` may see them; None if there is no such lead, or it is in quarantine."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        lead = await connection.fetchrow(
            f"SELECT nullif(t.decide_at, 0) AS decide_at, {_COMMITMENT} FROM lead_trading t"
            " WHERE t.lead_id = $1 AND t.lead_state <> 'quarantined'",
            lead_id,
        )
        if lead is None:
            return None
        # The seed of the first contest was committed to with the listing before it.
        rounds = await connection.fetch(
            "SELECT r.round, r.seats, r.seed, coalesce(lag(r.next_commitment) OVER"
            " (ORDER BY r.round), (SELECT e.event->>'commitment' FROM market_events e"
            " WHERE e.lead_id = r.lead_id AND e.at <= r.decided_at"
            " AND e.event->>'commitment' <> '' ORDER BY e.position LIMIT 1)) AS commitment,"
            " r.next_commitment, r.decided_at FROM claim_rounds r WHERE r.lead_id = $1"
            " ORDER BY r.round DESC LIMIT $2",
            lead_id,
            ROUNDS_MAX,
        )
        entries = await connection.fetch(
            "SELECT c.round, c.rank, c.claim_id, c.kind, c.priority, c.wins, c.draw, c.result,"
            " c.user_id = $2 AS is_yours FROM claims c WHERE c.lead_id = $1"
            " AND c.round >= $3 ORDER BY c.round, c.rank",
            lead_id,
            user_id,
            rounds[-1]["round"] if rounds else 0,
        )
    claims: dict[int, list[RankedClaim]] = {row["round"]: [] for row in rounds}
    for row in entries:
        claims[row["round"]].append(RankedClaim(*tuple(row)[1:]))
    return Contests(
        lead["decide_at"], lead["commitment"], [_round(row, claims) for row in rounds[::-1]]
    )


def _round(row: Any, claims: dict[int, list[RankedClaim]]) -> Round:
    return Round(
        row["round"],
        row["seats"],
        row["seed"],
        row["commitment"],
        row["next_commitment"],
        row["decided_at"],
        claims[row["round"]],
    )
