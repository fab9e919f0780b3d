"""What holds of leads that may be scams, worked out inside a desk's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import msgspec

from actors.fraud_evidence import FraudEvidence
from actors.judging import MODEL, Judged, LeadJudge
from engine.adapters.postgres import fraud_scores
from engine.adapters.postgres.fraud_scores import Score
from engine.intake.fraud.verdict import (
    Decision,
    Kept,
    Review,
    decision_that_holds,
    facts_of,
    is_provisional,
    standing_of,
)
from engine.market.listing import Listing
from models_ml.fraud import listing_features

if TYPE_CHECKING:
    from models_ml.fraud.advertisements import Advertisement

_NEVER_JUDGED = Kept()
_REASONS_TOLD = 3


class Reviewed(NamedTuple):
    """The lead's listing with its flag, and what the book is to know."""

    listing: Listing
    review: Review


class LeadReview:
    """A desk's judge with what it knows."""

    def __init__(self, judge: LeadJudge, evidence: FraudEvidence) -> None:
        self.judge = judge
        self.evidence = evidence

    async def of(
        self,
        connection: asyncpg.Connection,
        leads: Mapping[str, Listing],
        advertisers: Mapping[str, Advertisement],
        *,
        only_by_model: bool = False,
    ) -> dict[str, Reviewed]:
        """Judge these leads and keep how; reviewers' decisions stand until the facts they were
        about change. Raises ModelUnavailable with `only_by_model`, and has kept nothing then.
        """
        kept = await fraud_scores.kept(connection, list(leads))
        for lead_id, listing in leads.items():
            before = kept.get(lead_id, _NEVER_JUDGED)
            self.evidence.compare_with(lead_id, listing, is_suspected=before.standing != "clear")
        judged = await self.judge.judge(
            self.evidence, leads, advertisers, only_by_model=only_by_model
        )
        scores = {
            lead_id: _score(judged[lead_id], kept.get(lead_id), listing)
            for lead_id, listing in leads.items()
        }
        await fraud_scores.write(connection, self.evidence.market, scores)
        found = {}
        for lead_id, listing in leads.items():
            score = scores[lead_id]
            is_suspected = score.standing != "clear"
            self.evidence.compare_with(lead_id, listing, is_suspected=is_suspected)
            was = kept.get(lead_id, _NEVER_JUDGED).standing
            found[lead_id] = Reviewed(
                msgspec.structs.replace(listing, fraud_flag=is_suspected),
                Review(
                    is_hidden=score.standing == "quarantined",
                    was_hidden=was == "quarantined",
                    because=_because(score),
                    is_rejected=score.decision == "rejected",
                ),
            )
        return found


def _score(judged: Judged, kept: Kept | None, listing: Listing) -> Score:
    facts = facts_of(listing)
    decision: Decision | None = decision_that_holds(kept, facts)
    standing = standing_of(judged.verdict, kept, decision, by_model=judged.by_model)
    # What the decision was about stays what was seen first after it.
    about = None if decision is None or kept is None else kept.facts or facts
    return Score(
        verdict=judged.verdict,
        standing=standing,
        is_provisional=is_provisional(standing, kept, decision, by_model=judged.by_model),
        probability=judged.probability,
        model=MODEL if judged.by_model else None,
        model_version=judged.version,
        rules=judged.rules,
        reasons=judged.reasons,
        features=judged.features,
        feature_schema=listing_features.SCHEMA,
        needs_rescoring=not judged.by_model,
        decision=decision,
        facts=about,
    )


def _because(score: Score) -> str:
    """For the journal: which rules and which model, without a word of the lead."""
    if score.decision is not None:
        return f"{score.decision} by a reviewer"
    told = list(score.rules[:_REASONS_TOLD])
    if score.probability is not None:
        told.append(f"{score.model} {score.model_version} gives {score.probability:.2f}")
    return f"suspected fraud: {', '.join(told)}"
