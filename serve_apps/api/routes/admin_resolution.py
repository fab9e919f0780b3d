"""What admins see of entity resolution, and how they take a wrong merge apart."""

from __future__ import annotations

from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import Query

from actors.desks import DeskUnavailable
from engine.adapters.postgres import lead_records
from engine.adapters.postgres.idempotency import Stored
from engine.adapters.postgres.lead_records import KeptRecord
from engine.intake.quality import agreement_of, quality_of_lead
from engine.intake.survivorship import survive
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import not_found, unavailable
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.resolution import LeadMergesPage, LeadRecords, MergesQuery, UndoneMerge

routes = Routes("admin")


@routes.add("GET", "/v1/admin/merges", access="admin", answers={200: LeadMergesPage})
async def list_merges(call: CurrentCall, page: Annotated[MergesQuery, Query()]) -> Answer:
    """Leads found to be one, newest first."""
    identity = f"merges {page.market}"
    position = decode_cursor(call.deps, identity, page.cursor)
    found = await lead_records.merges(
        call.deps.pool,
        market=page.market,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    more = len(found) > page.limit
    last = (from_datetime(shown[-1].merged_at), shown[-1].merge_id) if more else None
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "POST",
    "/v1/admin/merges/{merge_id}/undo",
    access="admin",
    key="optional",
    answers={200: UndoneMerge},
    problems=("not-found", "unavailable"),
)
async def undo_merge(call: CurrentCall) -> Answer:
    """Take a merge apart: what went is offered again under a new id."""
    (merge_id,) = call.params
    market = None
    if is_id(merge_id):
        market = await lead_records.market_of_merge(call.deps.pool, merge_id)
    if market is None:
        raise not_found("no such merge")

    async def decide(_connection: asyncpg.Connection) -> Stored:
        try:
            split = await call.deps.undo_merge(market, merge_id, call.user.user_id)
        except DeskUnavailable as error:
            raise unavailable(str(error)) from error
        if split is None:
            raise not_found("this merge only links two sold leads: there is nothing to undo")
        return decided(200, split._asdict())

    return await answer_once(call, decide)


@routes.add(
    "GET",
    "/v1/admin/leads/{lead_id}/records",
    access="admin",
    answers={200: LeadRecords},
    problems=("not-found",),
)
async def list_records(call: CurrentCall) -> Answer:
    """What each source says of a lead, and which of them holds for each field."""
    (lead_id,) = call.params
    kept = await lead_records.records_of(call.deps.pool, lead_id) if is_id(lead_id) else []
    if not kept:
        raise not_found("no such lead, or no record of it is kept")
    said = [each.stated for each in kept]
    agreement = agreement_of([each.listing for each in said])
    survivors = survive([each.claim() for each in said])
    return answer(
        {
            "lead_id": lead_id,
            "quality": quality_of_lead([each.quality for each in said], agreement).parts(),
            "origin": {name: " ".join(key) for name, key in survivors.origin.items()},
            "items": [_shown(each) for each in kept],
        }
    )


def _shown(kept: KeptRecord) -> dict[str, Any]:
    stated = kept.stated
    return {
        "source": stated.source,
        "source_id": stated.source_id,
        "trust": stated.trust,
        "language": kept.language,
        "licence": kept.licence,
        "fetched_at": kept.fetched_at,
        "first_seen_at": kept.first_seen_at,
        "last_seen_at": kept.last_seen_at,
        "listing": msgspec.to_builtins(stated.listing),
        "quality": stated.quality,
        "notes": {
            name: {"rule": note.rule, "confidence": note.confidence}
            for name, note in stated.notes.items()
        },
    }
