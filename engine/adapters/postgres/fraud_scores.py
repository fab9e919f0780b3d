"""How leads were judged, what reviewers decided, and the labels that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.verdict import Decision, Facts, Kept, Verdict

_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(Facts).decode

_WRITE = (
    "INSERT INTO fraud_scores AS f (market, lead_id, verdict, standing, is_provisional,"
    " probability, model, model_version, rules, reasons, features, feature_schema,"
    " needs_rescoring, decision, decided_facts)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    " ON CONFLICT (lead_id) DO UPDATE SET"
    " verdict = excluded.verdict, standing = excluded.standing,"
    " is_provisional = excluded.is_provisional, probability = excluded.probability,"
    " model = excluded.model, model_version = excluded.model_version, rules = excluded.rules,"
    " reasons = excluded.reasons, features = excluded.features,"
    " feature_schema = excluded.feature_schema, needs_rescoring = excluded.needs_rescoring,"
    " decision = excluded.decision, decided_facts = excluded.decided_facts,"
    " decided_by = CASE WHEN excluded.decision IS NULL THEN NULL ELSE f.decided_by END,"
    " decided_at = CASE WHEN excluded.decision IS NULL THEN NULL ELSE f.decided_at END,"
    " decision_reason = CASE WHEN excluded.decision IS NULL THEN NULL"
    " ELSE f.decision_reason END, scored_at = now()"
)
_JUDGED = "features, feature_schema, verdict, probability, model, model_version"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as it was judged. `probability`, `model` and `model_version` are of the model that
    scored it, None together if none did; `features` are (features,) of `feature_schema`."""

    verdict: Verdict
    standing: Verdict
    is_provisional: bool
    probability: float | None
    model: str | None
    model_version: int | None
    rules: Sequence[str]
    reasons: Sequence[str]
    features: NDArray[np.float32]
    feature_schema: int
    needs_rescoring: bool
    decision: Decision | None
    facts: Facts | None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer says of a lead, and why. `is_scam` is what a model is to learn of it,
    None for nothing."""

    decision: Decision
    by: str
    reason: str
    is_scam: bool | None


async def kept(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> dict[str, Kept]:
    """What is known of these leads from before, locked until the transaction ends: a
    reviewer's word must not come in between."""
    rows = await connection.fetch(
        "SELECT lead_id, standing, is_provisional, decision, decided_facts FROM fraud_scores"
        " WHERE lead_id = ANY($1) ORDER BY lead_id FOR UPDATE",
        lead_ids,
    )
    return {
        row[0]: Kept(
            standing=row[1],
            is_provisional=row[2],
            decision=row[3],
            facts=None if row[4] is None else _decode_facts(row[4]),
        )
        for row in rows
    }


async def write(connection: asyncpg.Connection, market: str, scores: Mapping[str, Score]) -> None:
    """In place of how these leads were judged before; a decision that is None is forgotten."""
    await connection.executemany(
        _WRITE,
        [
            (
                *(market, lead_id, each.verdict, each.standing, each.is_provisional),
                *(each.probability, each.model, each.model_version),
                *(list(each.rules), list(each.reasons)),
                *(each.features.tolist(), each.feature_schema, each.needs_rescoring),
                *(each.decision, None if each.facts is None else _encode(each.facts)),
            )
            for lead_id, each in scores.items()
        ],
    )


async def went_into(connection: asyncpg.Connection, goes: str, stays: str) -> None:
    """What reviewers found of a lead is known of the one it went into. A lead that takes in
    one that was held or a scam is held itself until somebody has looked at it; an approval is
    about the lead that was looked at, and goes with it."""
    await connection.execute("UPDATE fraud_labels SET lead_id = $2 WHERE lead_id = $1", goes, stays)
    await connection.execute(
        "INSERT INTO fraud_scores AS f (lead_id, market, verdict, standing, rules, reasons,"
        " needs_rescoring, decision, decided_by, decided_at, decision_reason)"
        " SELECT $2, market, 'clear', 'clear', '{}', '{}', true, 'held', decided_by, decided_at,"
        " decision_reason FROM fraud_scores"
        " WHERE lead_id = $1 AND decision IN ('rejected', 'held')"
        " ON CONFLICT (lead_id) DO UPDATE SET decision = excluded.decision,"
        " decided_by = excluded.decided_by, decided_at = excluded.decided_at,"
        " decision_reason = excluded.decision_reason, decided_facts = NULL"
        " WHERE f.decision IS NULL",
        goes,
        stays,
    )
    await connection.execute("DELETE FROM fraud_scores WHERE lead_id = $1", goes)


async def decide(connection: asyncpg.Connection, market: str, lead_id: str, word: Word) -> bool:
    """Enter a reviewer's word on a lead, and the label that comes of it, with the features and
    the score that were judged. False if the same was decided already."""
    same = await connection.fetchval(
        "SELECT true FROM fraud_scores WHERE lead_id = $1 AND decision = $2"
        " AND decision_reason = $3 AND decided_by = $4 FOR UPDATE",
        *(lead_id, word.decision, word.reason, word.by),
    )
    if same:
        return False
    if word.is_scam is not None:
        await label(connection, market, lead_id, word)
    await connection.execute(
        "INSERT INTO fraud_scores (lead_id, market, verdict, standing, rules, reasons,"
        " needs_rescoring, decision, decided_by, decided_at, decision_reason)"
        " VALUES ($1, $2, 'clear', 'clear', '{}', '{}', true, $3, $4, now(), $5)"
        " ON CONFLICT (lead_id) DO UPDATE SET decision = excluded.decision,"
        " decided_by = excluded.decided_by, decided_at = excluded.decided_at,"
        " decision_reason = excluded.decision_reason, decided_facts = NULL",
        *(lead_id, market, word.decision, word.by, word.reason),
    )
    return True


async def label(connection: asyncpg.Connection, market: str, lead_id: str, word: Word) -> None:
    """Keep what a reviewer found for training, with what was known of the lead just then."""
    await connection.execute(
        "INSERT INTO fraud_labels (lead_id, market, is_scam, reason, decided_by,"
        f" {_JUDGED}) SELECT $1, $2, $3, $4, $5, {_JUDGED}"
        " FROM (SELECT 1) one LEFT JOIN fraud_scores ON lead_id = $1",
        *(lead_id, market, word.is_scam, word.reason, word.by),
    )


async def as_the_book_has_it(connection: asyncpg.Connection, lead_id: str) -> None:
    """Note that a lead is in quarantine if it is, whoever put it there: it can be let go."""
    await connection.execute(
        "WITH hidden AS (SELECT lead_id FROM lead_trading"
        " WHERE lead_id = $1 AND lead_state = 'quarantined'), score AS ("
        " UPDATE fraud_scores f SET standing = 'quarantined' FROM hidden"
        " WHERE f.lead_id = hidden.lead_id)"
        " UPDATE lead_identities i SET offered = 'listed' FROM hidden"
        " WHERE i.lead_id = hidden.lead_id",
        lead_id,
    )


async def not_quarantined(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> None:
    """The book could not take the quarantine of these: they are to be judged again."""
    await connection.execute(
        "UPDATE fraud_scores SET standing = 'flagged', needs_rescoring = true"
        " WHERE lead_id = ANY($1)",
        lead_ids,
    )


# --- leads to be judged again -----------------------------------------------------------


async def waiting(connection: asyncpg.Connection, market: str, limit: int) -> list[str]:
    """Leads to be judged again."""
    rows = await connection.fetch(
        "SELECT lead_id FROM fraud_scores WHERE market = $1 AND needs_rescoring"
        " ORDER BY lead_id LIMIT $2",
        market,
        limit,
    )
    return [row[0] for row in rows]


async def count_waiting(connection: asyncpg.Connection, market: str) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM fraud_scores WHERE market = $1 AND needs_rescoring", market
    )
    return count


async def ask_again(
    connection: asyncpg.Connection, market: str, lead_ids: Sequence[str] | None
) -> int:
    """Have these leads of the market, or all of them, judged again; how many they are."""
    done: str = await connection.execute(
        "UPDATE fraud_scores SET needs_rescoring = true WHERE market = $1"
        " AND ($2::text[] IS NULL OR lead_id = ANY($2)) AND NOT needs_rescoring",
        market,
        lead_ids,
    )
    return int(done.split()[-1])


async def judged_enough(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> None:
    """These need not be judged again: nothing is kept of them that could be."""
    await connection.execute(
        "UPDATE fraud_scores SET needs_rescoring = false WHERE lead_id = ANY($1)", lead_ids
    )
