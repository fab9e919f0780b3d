"""What reviewers see of leads that may be scams: how each was judged, and the teaser."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec

from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser

Asked = Literal["quarantined", "flagged"]

_SUSPECTS = f"{TEASER_TABLES} LEFT JOIN fraud_scores f ON f.lead_id = l.lead_id"
_JUDGED = (
    "f.verdict, f.probability, f.model, f.model_version, f.rules, f.reasons, f.scored_at,"
    " f.needs_rescoring, f.decision, f.decided_by, f.decided_at, f.decision_reason"
)
_ASKED: dict[Asked, str] = {
    "quarantined": "t.lead_state = 'quarantined'",
    "flagged": "t.lead_state IN ('available', 'held') AND f.standing = 'flagged'",
}


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A lead under suspicion. Without a verdict it was put into quarantine by hand."""

    lead_id: str
    market: str
    listed_at: datetime
    verdict: str | None
    probability: float | None
    model: str | None
    model_version: int | None
    rules: list[str]
    reasons: list[str]
    scored_at: datetime | None
    needs_rescoring: bool
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    lead: dict[str, Any]


async def page(
    connection: asyncpg.Pool,
    *,
    asked: Asked,
    market: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Suspect]:
    """Leads in quarantine, or those shown with their flag, listed last first, after
    (listed at, lead id)."""
    rows = await connection.fetch(
        f"SELECT {TEASER_COLUMNS}, {_JUDGED} FROM {_SUSPECTS} WHERE {_ASKED[asked]}"
        " AND ($1::text IS NULL OR l.market = $1)"
        " AND ($2::timestamptz IS NULL OR (l.listed_at, l.lead_id) < ($2, $3::text))"
        " ORDER BY l.listed_at DESC, l.lead_id DESC LIMIT $4",
        market,
        *(after or (None, None)),
        limit,
    )
    return [_suspect(row) for row in rows]


async def can_be_held(connection: asyncpg.Pool, lead_id: str) -> bool:
    """Whether a desk judges the lead and the book could quarantine it."""
    return await _is_judged(connection, lead_id, ["available", "held"])


async def can_be_approved(connection: asyncpg.Pool, lead_id: str) -> bool:
    """Whether a desk judges the lead and the book has it in quarantine."""
    return await _is_judged(connection, lead_id, ["quarantined"])


async def is_suspected(connection: asyncpg.Pool, lead_id: str) -> bool:
    """Whether the lead would be in quarantine if it were on offer."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM fraud_scores"
        " WHERE lead_id = $1 AND standing = 'quarantined')",
        lead_id,
    )
    return found


async def _is_judged(connection: asyncpg.Pool, lead_id: str, states: list[str]) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM fraud_scores f JOIN lead_trading t USING (lead_id)"
        " JOIN source_records r USING (lead_id) WHERE f.lead_id = $1"
        " AND t.lead_state = ANY($2) AND r.record IS NOT NULL)",
        lead_id,
        states,
    )
    return found


def _suspect(row: asyncpg.Record) -> Suspect:
    return Suspect(
        lead_id=row["lead_id"],
        market=row["market"],
        listed_at=row["listed_at"],
        verdict=row["verdict"],
        probability=row["probability"],
        model=row["model"],
        model_version=row["model_version"],
        rules=row["rules"] or [],
        reasons=row["reasons"] or [],
        scored_at=row["scored_at"],
        needs_rescoring=bool(row["needs_rescoring"]),
        decision=row["decision"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        decision_reason=row["decision_reason"],
        lead=teaser(row),
    )
