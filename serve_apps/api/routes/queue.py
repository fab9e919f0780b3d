"""The line for a lead whose seats are all taken."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from engine.adapters.postgres import queue_places
from engine.adapters.postgres.queue_places import Place, SeatsInUse
from engine.market.answers import Queued
from engine.market.commands import Join, Leave
from engine.market.expected_seat import expected_at
from engine.market.instant import rfc3339
from engine.market.rules import SECOND_US
from serve_apps.api.answers import Answer, NoContent, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fields import PageQuery
from serve_apps.api.schemas.queue import OwnQueuePlace, QueuePage, QueuePlace
from serve_apps.api.trading import submit

routes = Routes("queue")


@routes.add(
    "POST",
    "/v1/leads/{lead_id}/queue",
    key="optional",
    answers={201: QueuePlace},
    problems=(
        "not-found",
        "lead-unavailable",
        "seat-available",
        "already-queued",
        "already-held",
        "already-bought",
        "queue-full",
    ),
)
async def join(call: CurrentCall) -> Answer:
    """Wait in line; when a seat comes free it is offered to the first for a short time."""
    lead_id = call.params[0]
    market = await call.deps.leads.market_of(lead_id)
    reply = await submit(call, market, Join(lead_id, call.user.user_id))
    queued = reply.answer
    assert isinstance(queued, Queued)
    seats = await queue_places.seats_in_use(call.deps.pool, lead_id)
    return answer(
        {
            "lead_id": lead_id,
            "position": queued.position,
            "waiting": queued.waiting,
            "expected_at": _expected(call, seats, queued.position),
        },
        201,
    )


@routes.add(
    "GET", "/v1/leads/{lead_id}/queue", answers={200: OwnQueuePlace}, problems=("not-found",)
)
async def get_place(call: CurrentCall) -> Answer:
    """The caller's place, or the seat offered to them; not found for who is not in line."""
    lead_id = call.params[0]
    found = (
        await queue_places.one(call.deps.pool, call.user.user_id, lead_id)
        if is_id(lead_id)
        else None
    )
    if found is None:
        raise not_found("you are not in line for this lead")
    return answer(_entry(call, found))


@routes.add(
    "DELETE",
    "/v1/leads/{lead_id}/queue",
    key="optional",
    answers={204: None},
    problems=("not-found", "not-queued"),
)
async def leave(call: CurrentCall) -> NoContent:
    """Leave the line, or decline the seat offered: it goes to the next."""
    lead_id = call.params[0]
    market = await call.deps.leads.market_of(lead_id)
    await submit(call, market, Leave(lead_id, call.user.user_id))
    return NoContent()


@routes.add("GET", "/v1/queue", answers={200: QueuePage})
async def list_places(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """The seats offered to the caller and their places in line."""
    user_id = call.user.user_id
    identity = f"queue {user_id}"
    after = decode_cursor(call.deps, identity, page.cursor)
    found = await queue_places.of_user(
        call.deps.pool,
        user_id,
        after=(after[0], after[1], after[2]) if after else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    return answer(
        {
            "items": [{**_entry(call, place), "lead": place.lead} for place in shown],
            "next_cursor": encode_cursor(
                call.deps, identity, shown[-1].key if len(found) > page.limit else None
            ),
        }
    )


def _entry(call: Call, place: Place) -> dict[str, Any]:
    offer = place.offer
    return {
        "lead_id": place.lead_id,
        "position": place.position,
        "waiting": place.waiting,
        "expected_at": None if offer else _expected(call, place.seats, place.position),
        "offer": offer and {"price": offer.price, "offered_until": rfc3339(offer.offered_until)},
    }


def _expected(call: Call, seats: SeatsInUse, position: int) -> str | None:
    offer_us = call.deps.settings.offer_seconds * SECOND_US
    at = expected_at(seats.deadlines, position, offer_us, seats.at)
    return None if at is None else rfc3339(at)
