"""What admins see and do of the intake: sources, their runs, and records that were refused."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import Query

from engine.adapters.postgres import rejected_records, runs, source_state
from engine.adapters.postgres.idempotency import Stored
from engine.adapters.postgres.rejected_records import RejectedRecord
from engine.adapters.sources.fetchers import why_off
from engine.intake.mask import mask_remarks
from engine.market.instant import from_datetime, to_datetime
from engine.source_directory import Source
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import Problem, invalid, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas import intake as schema
from serve_apps.api.schemas.fields import PageQuery

routes = Routes("admin")


@routes.add("GET", "/v1/admin/sources", access="admin", answers={200: schema.SourcesPage})
async def list_sources(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """Every source in every market that it serves: on or why not, its turn, and its drift."""
    position = decode_cursor(call.deps, "sources", page.cursor)
    after = tuple(position) if position else ("", "")
    keys = [key for key in sorted(_served(call)) if key > after]
    shown = keys[: page.limit]
    states = await source_state.states(call.deps.pool)
    last = await runs.last_runs(call.deps.pool, shown)
    items = [_source(call, key, states.get(key), last.get(key)) for key in shown]
    following = shown[-1] if len(keys) > page.limit else None
    return answer({"items": items, "next_cursor": encode_cursor(call.deps, "sources", following)})


@routes.add(
    "PATCH",
    "/v1/admin/sources/{source}",
    access="admin",
    key="optional",
    body=schema.SourcePatch,
    answers={200: schema.SourcesPage},
    problems=("not-found",),
)
async def patch_source(call: CurrentCall) -> Answer:
    """Pause a source or let it go on, or accept what it gives now as usual."""
    (name,) = call.params
    patch = call.parse(schema.SourcePatch)
    served = sorted(market for source, market in _served(call) if source == name)
    if not served:
        raise not_found("no such source")
    if patch.market is not None and patch.market not in served:
        raise invalid("body.market", f"{name} serves {', '.join(served)}")
    markets = served if patch.market is None else [patch.market]
    if patch.paused is None and patch.drift is None:
        raise invalid("body", "give paused or drift")

    async def decide(connection: asyncpg.Connection) -> Stored:
        if patch.paused is not None:
            await source_state.pause(connection, name, markets, paused=patch.paused)
        if patch.drift is not None:
            await source_state.accept_drift(connection, name, markets)
        states = await source_state.states(connection)
        keys = [(name, market) for market in markets]
        last = await runs.last_runs(connection, keys)
        items = [_source(call, key, states.get(key), last.get(key)) for key in keys]
        return decided(200, msgspec.to_builtins({"items": items, "next_cursor": None}))

    return await answer_once(call, decide)


@routes.add("GET", "/v1/admin/runs", access="admin", answers={200: schema.RunsPage})
async def list_runs(call: CurrentCall, query: Annotated[schema.RunsQuery, Query()]) -> Answer:
    """Runs of sources, newest first."""
    identity = f"runs {query.source} {query.market}"
    position = decode_cursor(call.deps, identity, query.cursor)
    found = await runs.newest(
        call.deps.pool,
        source=query.source,
        market=query.market,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    more = len(found) > query.limit
    last = (from_datetime(shown[-1].started_at), shown[-1].run_id) if more else None
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "POST",
    "/v1/admin/runs",
    access="admin",
    key="optional",
    body=schema.RunRequest,
    answers={202: schema.RunAsked},
    problems=("source-off",),
)
async def ask_for_run(call: CurrentCall) -> Answer:
    """Have the scheduler run a source in a market as soon as there is room."""
    asked = call.parse(schema.RunRequest)
    source = call.deps.sources.get(asked.source)
    if source is None:
        raise invalid("body.source", f"there are {', '.join(call.deps.sources)}")
    if asked.market not in call.deps.markets:
        raise invalid("body.market", f"there are {', '.join(call.deps.markets)}")
    reason = _why_off(call, source, asked.market)
    if reason is not None:
        raise Problem("source-off", f"{source.name} is off for {asked.market}: {reason}")
    run_id = secrets.token_urlsafe(12)

    async def decide(connection: asyncpg.Connection) -> Stored:
        waiting = await source_state.ask(connection, asked.source, asked.market, run_id)
        told = {"run_id": waiting, "source": asked.source, "market": asked.market}
        return decided(202, {**told, "state": "waiting"})

    return await answer_once(call, decide)


@routes.add(
    "GET",
    "/v1/admin/runs/{run_id}",
    access="admin",
    answers={200: schema.Run},
    problems=("not-found",),
)
async def get_run(call: CurrentCall) -> Answer:
    """One run of a source."""
    return answer(await _run(call))


@routes.add(
    "GET",
    "/v1/admin/runs/{run_id}/errors",
    access="admin",
    answers={200: schema.RunErrorsPage},
    problems=("not-found",),
)
async def list_run_errors(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """Pages that failed in a run, and why."""
    run_id = (await _run(call)).run_id
    identity = f"run errors {run_id}"
    position = decode_cursor(call.deps, identity, page.cursor)
    found = await runs.errors_of(
        call.deps.pool,
        run_id,
        after=position[0] if position else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    last = (shown[-1].number,) if len(found) > page.limit else None
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add("GET", "/v1/admin/records", access="admin", answers={200: schema.RejectedRecordsPage})
async def list_rejected(
    call: CurrentCall, query: Annotated[schema.RecordsQuery, Query()]
) -> Answer:
    """Records that could not be used, each with its reason."""
    identity = f"records {query.state} {query.source} {query.market} {query.reason}"
    position = decode_cursor(call.deps, identity, query.cursor)
    found = await rejected_records.page(
        call.deps.pool,
        state=query.state,
        source=query.source,
        market=query.market,
        reason=query.reason,
        after=(position[0], position[1], position[2]) if position else None,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    more = len(found) > query.limit
    last = (shown[-1].market, shown[-1].source, shown[-1].source_id) if more else None
    items = [_masked(each) for each in shown]
    return answer({"items": items, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "POST",
    "/v1/admin/records/{market}/{source}/{source_id}/review",
    access="admin",
    key="optional",
    body=schema.RecordReview,
    answers={200: schema.RejectedRecord},
    problems=("not-found",),
)
async def review_rejected(call: CurrentCall) -> Answer:
    """Settle a rejected record, or have its page read again."""
    market, source, source_id = call.params
    form = call.parse(schema.RecordReview)

    async def decide(connection: asyncpg.Connection) -> Stored:
        found = await rejected_records.review(
            connection,
            (market, source, source_id),
            decision=form.decision,
            by=call.user.user_id,
            note=form.note,
        )
        if found is None:
            raise not_found("no such rejected record")
        return decided(200, _masked(found))

    return await answer_once(call, decide)


def _served(call: Call) -> Iterator[tuple[str, str]]:
    """(source, market) of every source that a schedule runs, wherever it could."""
    for source in call.deps.sources.values():
        if source.fetch != "uploads":
            yield from ((source.name, slug) for slug in call.deps.markets if source.serves(slug))


def _why_off(call: Call, source: Source, market: str) -> str | None:
    return why_off(source, market, call.deps.settings)


def _source(
    call: Call,
    key: tuple[str, str],
    state: source_state.SourceState | None,
    last_run: runs.Run | None,
) -> dict[str, Any]:
    name, market = key
    source = call.deps.sources[name]
    reason = _why_off(call, source, market)
    drift = state.drift if state is not None else {}
    return {
        "source": name,
        "market": market,
        "on": reason is None,
        "why_off": reason,
        "paused": state is not None and state.paused,
        "every": source.every,
        "licence": source.licence,
        "licence_noted": name in call.deps.settings.source_licences,
        "next_run_at": state.next_run_at if state is not None else None,
        "failures": state.failures if state is not None else 0,
        "drift": {each: drift[each] for each in ("since", "falls")} if "falls" in drift else None,
        "last_run": last_run,
    }


async def _run(call: Call) -> runs.Run:
    run_id = call.params[0]
    found = await runs.one(call.deps.pool, run_id) if is_id(run_id) else None
    if found is None:
        raise not_found("no such run")
    return found


def _masked(record: RejectedRecord) -> RejectedRecord:
    """What a source says of a record may hold ways to reach its seller."""
    detail = None if record.detail is None else mask_remarks(record.detail, values=())
    return msgspec.structs.replace(record, detail=detail)
