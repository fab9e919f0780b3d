"""Buyers' and partners' own files: handed in, checked at once, listed when an admin approves."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from engine.adapters.postgres import uploads
from engine.adapters.postgres.idempotency import Stored
from engine.adapters.upload_check import Checked, CheckFailed
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided, refused
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import ERRORS_MAX, Problem, invalid, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fields import PageQuery
from serve_apps.api.schemas.uploads import (
    Upload,
    UploadDecision,
    UploadsPage,
    UploadState,
)

routes = Routes("uploads")
admin_routes = Routes("admin")

UPLOAD_BYTES_MAX = 10 * 1024 * 1024
MEDIA_TYPES = ("text/csv", "application/json", "application/geo+json", "application/x-ndjson")

FileName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
MappingName = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class UploadQuery(BaseModel):
    """The market in which the rows stand, and the mapping that reads them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    market: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    mapping: MappingName | None = None
    filename: FileName | None = None


class AdminUploadsQuery(PageQuery):
    """Uploads, of one state if given."""

    state: UploadState | None = None


@routes.add(
    "POST",
    "/v1/uploads",
    key="optional",
    answers={202: Upload},
    problems=("upload-limit",),
    raw_body=MEDIA_TYPES,
    body_max=UPLOAD_BYTES_MAX,
)
async def upload(
    call: CurrentCall, query: Annotated[UploadQuery, Query()], request: Request
) -> Answer:
    """Hand in a file of at most 10 MiB and 20,000 rows: the body, as its Content-Type says.

    It is read and checked at once by the mapping named, else by the one that knows its
    columns. Nothing is listed until an admin approves; an admin's own file is approved.
    """
    media_type = _media_type(request)
    if query.market not in call.deps.markets:
        raise invalid("query.market", f"there are {', '.join(call.deps.markets)}")
    if not call.body:
        raise invalid("body", "is empty; send the file itself")
    upload_id = secrets.token_urlsafe(12)
    user_id = call.user.user_id
    document = uploads.document_of(
        call.body,
        upload_id=upload_id,
        user_id=user_id,
        market=query.market,
        media_type=media_type,
        mapping=query.mapping,
        uploaded_us=time.time_ns() // 1000,
    )
    try:
        checked = await call.deps.upload_checks.check(document)
    except CheckFailed as failed:
        raise invalid("body", str(failed)) from failed
    if not checked.records:
        raise _unusable(checked)

    async def decide(connection: asyncpg.Connection) -> Stored:
        kept = await uploads.keep(
            connection,
            upload_id=upload_id,
            user_id=user_id,
            market=query.market,
            filename=query.filename,
            media_type=media_type,
            mapping=checked.mapping,
            content=call.body,
            counts=msgspec.to_builtins(checked),
        )
        if kept is None:
            return refused("upload-limit", "20 of your uploads wait for a decision already")
        if call.user.role == "admin":
            own = await _decide(connection, call, upload_id, approve=True, note=None)
            kept = own or kept
        return decided(202, _entry(kept))

    return await answer_once(call, decide)


@routes.add("GET", "/v1/uploads", answers={200: UploadsPage})
async def list_uploads(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """The caller's uploads, newest first."""
    return await _page(call, page, user_id=call.user.user_id)


@routes.add("GET", "/v1/uploads/{upload_id}", answers={200: Upload}, problems=("not-found",))
async def get_upload(call: CurrentCall) -> Answer:
    """One upload of the caller's."""
    upload_id = _upload_id(call)
    found = await uploads.one(call.deps.pool, upload_id, user_id=call.user.user_id)
    if found is None:
        raise not_found("you have no such upload")
    return answer(_entry(found))


@admin_routes.add("GET", "/v1/admin/uploads", access="admin", answers={200: UploadsPage})
async def list_all_uploads(
    call: CurrentCall, query: Annotated[AdminUploadsQuery, Query()]
) -> Answer:
    """Everybody's uploads, newest first."""
    return await _page(call, query, state=query.state)


@admin_routes.add(
    "POST",
    "/v1/admin/uploads/{upload_id}/decision",
    access="admin",
    key="optional",
    body=UploadDecision,
    answers={200: Upload},
    problems=("not-found", "upload-decided"),
)
async def decide_upload(call: CurrentCall) -> Answer:
    """Have a waiting upload's records listed by the next run of `upload`, or refuse it."""
    decision = call.parse(UploadDecision)
    upload_id = _upload_id(call)

    async def decide(connection: asyncpg.Connection) -> Stored:
        found = await uploads.one(connection, upload_id, user_id=None)
        if found is None:
            raise not_found("no such upload")
        made = await _decide(
            connection,
            call,
            upload_id,
            approve=decision.decision == "approve",
            note=decision.note,
        )
        if made is None:
            return refused("upload-decided", "this upload has been decided upon already")
        return decided(200, _entry(made))

    return await answer_once(call, decide)


async def _decide(
    connection: asyncpg.Connection, call: Call, upload_id: str, *, approve: bool, note: str | None
) -> uploads.Upload | None:
    return await uploads.decide(
        connection,
        upload_id,
        approve=approve,
        decided_by=call.user.user_id,
        note=note,
        run_id=secrets.token_urlsafe(12),
    )


async def _page(
    call: Call,
    page: PageQuery,
    *,
    user_id: str | None = None,
    state: Literal["waiting", "approved", "rejected", "taken"] | None = None,
) -> Answer:
    identity = f"uploads {user_id} {state}"
    position = decode_cursor(call.deps, identity, page.cursor)
    found = await uploads.newest(
        call.deps.pool,
        user_id=user_id,
        state=state,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    last = (
        (from_datetime(shown[-1].created_at), shown[-1].upload_id)
        if len(found) > page.limit
        else None
    )
    return answer(
        {
            "items": [_entry(each) for each in shown],
            "next_cursor": encode_cursor(call.deps, identity, last),
        }
    )


def _entry(upload: uploads.Upload) -> dict[str, Any]:
    """What its uploader and admins see: counts and reasons, no row's content."""
    entry = msgspec.structs.asdict(upload)
    del entry["media_type"]
    counts = entry["counts"]
    entry["errors"] = counts["errors"]
    entry["counts"] = {
        name: counts[name] for name in ("records", "rejected", "repeated", "by_reason")
    }
    return entry


def _media_type(request: Request) -> str:
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated not in MEDIA_TYPES:
        raise invalid("header.content-type", f"must be one of {', '.join(MEDIA_TYPES)}")
    return stated


def _upload_id(call: Call) -> str:
    if not is_id(call.params[0]):
        raise not_found("no such upload")
    return call.params[0]


def _unusable(checked: Checked) -> Problem:
    errors = [
        {
            "location": f"body.row {each.row}" if each.row else "body",
            "message": f"{each.reason}: {each.detail}",
        }
        for each in checked.errors[:ERRORS_MAX]
    ]
    return Problem("validation", "no row of the file can be used", errors=errors)
