"""What admins see and do of sources, runs and refused records."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from engine.adapters.postgres import runs, source_state
from engine.adapters.postgres.fetched_pages import FetchedPage, known_pages, note_pages
from engine.adapters.postgres.runs import PageFailure
from engine.intake.drift import Shares
from tests.serve_apps.api.world import World, assert_problem


@pytest.fixture
def pool(world: World) -> asyncpg.Pool:
    assert world.replica.deps is not None
    return world.replica.deps.pool


@pytest.fixture(autouse=True)
async def forgotten(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "TRUNCATE source_state, ingest_runs, run_errors, fetched_pages, source_records"
    )


async def a_run(pool: asyncpg.Pool, run_id: str, source: str, market: str) -> None:
    await source_state.take_lease(pool, source, market, run_id)
    shares = Shares(pages=40, read=40, records=38, rejected=2, filled={"list_price": 19})
    await runs.note_progress(
        pool,
        run_id,
        counts={"new": 38, "rejected": 2},
        pages=40,
        records=38,
        errors=0,
        shares=shares,
        finished=True,
    )
    await pool.execute("UPDATE source_state SET lease_owner = NULL, lease_until = NULL")


async def a_rejected(pool: asyncpg.Pool, source_id: str, **more: Any) -> None:
    given = {
        "market": "austin",
        "source": "craigslist",
        "reason": "no-title",
        "detail": "call 512-555-0147 or jo@example.com",
    } | more
    await pool.execute(
        "INSERT INTO source_records (market, source, source_id, content_hash, rejected_because,"
        " rejected_detail) VALUES ($1, $2, $3, $4, $5, $6)",
        given["market"],
        given["source"],
        source_id,
        f"hash-{source_id}",
        given["reason"],
        given["detail"],
    )


async def test_only_admins_may(world: World) -> None:
    buyer = await world.buyer()
    for path in ("sources", "runs", "runs/x", "runs/x/errors", "records"):
        assert_problem(await buyer.get(f"/v1/admin/{path}"), 403, "forbidden")
    body = {"source": "craigslist", "market": "austin"}
    assert_problem(await buyer.post("/v1/admin/runs", body), 403, "forbidden")
    review = "/v1/admin/records/austin/craigslist/1/review"
    assert_problem(await buyer.post(review, {"decision": "dismiss"}), 403, "forbidden")
    answered = await buyer.request("PATCH", "/v1/admin/sources/craigslist", json={"paused": True})
    assert_problem(answered, 403, "forbidden")


async def test_sources_say_whether_they_are_on_and_what_they_gave(
    world: World, pool: asyncpg.Pool
) -> None:
    await a_run(pool, "run-1", "fsbo", "dallas")
    await pool.execute(
        "UPDATE source_state SET drift = $1",
        {
            "since": "2026-05-01T00:00:00.000000Z",
            "falls": [{"field": "list_price", "was": 0.9, "now": 0.1}],
        },
    )
    admin = await world.admin()
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await admin.get("/v1/admin/sources", limit=7, **cursor)).json()
        assert len(page["items"]) <= 7
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    keys = [(each["source"], each["market"]) for each in seen]
    assert keys == sorted(set(keys))
    assert ("austin", "austin") in keys
    assert ("austin", "dallas") not in keys
    assert "upload" not in {source for source, _ in keys}
    told = dict(zip(keys, seen, strict=True))
    fsbo = told["fsbo", "dallas"]
    assert fsbo["on"] is False
    assert "address" in fsbo["why_off"]
    assert fsbo["drift"]["falls"] == [{"field": "list_price", "was": 0.9, "now": 0.1}]
    assert fsbo["last_run"]["run_id"] == "run-1"
    assert fsbo["last_run"]["fill"]["list_price"] == 0.5
    assert told["zillow", "austin"]["licence_noted"] is False
    assert told["zillow", "austin"]["last_run"] is None


async def test_a_source_is_paused_in_one_market_or_in_all(world: World, pool: asyncpg.Pool) -> None:
    admin = await world.admin()

    async def patch(source: str, **body: Any) -> Any:
        return await admin.request("PATCH", f"/v1/admin/sources/{source}", json=body)

    [one] = (await patch("fsbo", paused=True, market="austin")).json()["items"]
    assert (one["market"], one["paused"]) == ("austin", True)
    assert {state.paused for state in (await source_state.states(pool)).values()} == {True}
    items = (await patch("fsbo", paused=True)).json()["items"]
    assert len(items) == 4
    items = (await patch("fsbo", paused=False)).json()["items"]
    assert not any(item["paused"] for item in items)
    assert_problem(await patch("gazette", paused=True), 404, "not-found")
    assert_problem(await patch("austin", paused=True, market="dallas"), 422, "validation")
    assert_problem(await patch("fsbo"), 422, "validation")


async def test_accepted_drift_is_drift_no_more(world: World, pool: asyncpg.Pool) -> None:
    await a_run(pool, "run-2", "fsbo", "austin")
    drift = {"since": "2026-05-01T00:00:00.000000Z", "falls": []}
    await pool.execute("UPDATE source_state SET drift = $1", drift)
    admin = await world.admin()
    answered = await admin.request(
        "PATCH", "/v1/admin/sources/fsbo", json={"drift": "accepted", "market": "austin"}
    )
    assert answered.json()["items"][0]["drift"] is None
    state = (await source_state.states(pool))["fsbo", "austin"]
    assert await runs.past_shares(pool, "fsbo", "austin", drift=state.drift) == ([], [])


async def test_a_run_is_asked_for_once(world: World, pool: asyncpg.Pool) -> None:
    admin = await world.admin()
    body = {"source": "craigslist", "market": "austin"}
    assert_problem(await admin.post("/v1/admin/runs", body), 409, "source-off")
    unknown = await admin.post("/v1/admin/runs", body | {"source": "gazette"})
    assert "craigslist" in assert_problem(unknown, 422, "validation")["errors"][0]["message"]
    elsewhere = await admin.post("/v1/admin/runs", body | {"market": "atlantis"})
    assert_problem(elsewhere, 422, "validation")
    body["source"] = "upload"
    asked = await admin.post("/v1/admin/runs", body, key="once")
    assert asked.status_code == 202
    run_id = asked.json()["run_id"]
    assert (await admin.post("/v1/admin/runs", body, key="once")).json() == asked.json()
    assert (await admin.post("/v1/admin/runs", body, key="again")).json()["run_id"] == run_id
    run = (await admin.get(f"/v1/admin/runs/{run_id}")).json()
    assert (run["state"], run["finished_at"]) == ("waiting", None)


async def test_runs_are_found_by_source_and_market(world: World, pool: asyncpg.Pool) -> None:
    for number, (source, market) in enumerate(
        [("fsbo", "austin"), ("fsbo", "dallas"), ("zillow", "austin"), ("fsbo", "austin")]
    ):
        await a_run(pool, f"run-{number}", source, market)
    admin = await world.admin()

    async def ids(**query: Any) -> list[str]:
        page = (await admin.get("/v1/admin/runs", **query)).json()
        return [run["run_id"] for run in page["items"]]

    assert await ids() == ["run-3", "run-2", "run-1", "run-0"]
    assert await ids(source="fsbo") == ["run-3", "run-1", "run-0"]
    assert await ids(source="fsbo", market="austin") == ["run-3", "run-0"]
    first = (await admin.get("/v1/admin/runs", market="austin", limit=2)).json()
    assert await ids(market="austin", limit=2, cursor=first["next_cursor"]) == ["run-0"]
    run = (await admin.get("/v1/admin/runs/run-3")).json()
    assert (run["state"], run["pages"], run["records"]) == ("finished", 40, 38)
    assert run["fill"]["accepted"] == 0.95
    assert_problem(await admin.get("/v1/admin/runs/none"), 404, "not-found")


async def test_errors_of_a_run_come_in_pages(world: World, pool: asyncpg.Pool) -> None:
    await a_run(pool, "run-9", "fsbo", "austin")
    failed = [PageFailure(f"http://a.example/{n}", "timeout", "no answer") for n in range(5)]
    await runs.note_errors(pool, "run-9", failed, before=0)
    admin = await world.admin()
    first = (await admin.get("/v1/admin/runs/run-9/errors", limit=3)).json()
    assert [error["number"] for error in first["items"]] == [1, 2, 3]
    rest = await admin.get("/v1/admin/runs/run-9/errors", limit=3, cursor=first["next_cursor"])
    assert [error["url"] for error in rest.json()["items"]] == [
        "http://a.example/3",
        "http://a.example/4",
    ]
    assert rest.json()["next_cursor"] is None
    assert_problem(await admin.get("/v1/admin/runs/none/errors"), 404, "not-found")


async def test_refused_records_are_reviewed(world: World, pool: asyncpg.Pool) -> None:
    for number in range(4):
        await a_rejected(pool, f"post/{number}" if number == 3 else str(number))
    await a_rejected(pool, "z", source="zillow", reason="no-place", market="dallas")
    admin = await world.admin()

    async def ids(**query: Any) -> list[str]:
        page = (await admin.get("/v1/admin/records", **query)).json()
        return [record["source_id"] for record in page["items"]]

    assert await ids() == ["0", "1", "2", "post/3", "z"]
    assert await ids(reason="no-place") == ["z"]
    assert await ids(source="craigslist", market="dallas") == []
    first = (await admin.get("/v1/admin/records", limit=3)).json()
    assert await ids(limit=3, cursor=first["next_cursor"]) == ["post/3", "z"]
    review = "/v1/admin/records/austin/craigslist/1/review"
    done = (await admin.post(review, {"decision": "dismiss", "note": "an empty post"})).json()
    assert done["reviewed_at"] is not None
    assert done["review_note"] == "an empty post"
    assert await ids(market="austin") == ["0", "2", "post/3"]
    assert await ids(market="austin", state="rejected") == ["0", "1", "2", "post/3"]
    missing = "/v1/admin/records/austin/craigslist/none/review"
    assert_problem(await admin.post(missing, {"decision": "dismiss"}), 404, "not-found")


async def test_a_retried_record_is_read_again_by_the_next_run(
    world: World, pool: asyncpg.Pool
) -> None:
    await a_rejected(pool, "7")
    urls = ["http://a.example/7", "http://a.example/8"]
    pages = [FetchedPage(urls[0], '"7"', None, "hash-7"), FetchedPage(urls[1], '"8"', None, "8")]
    await note_pages(pool, "craigslist", "austin", "run-1", pages)
    admin = await world.admin()
    answered = await admin.post(
        "/v1/admin/records/austin/craigslist/7/review", {"decision": "retry"}
    )
    assert answered.json()["reviewed_at"] is None
    assert set(await known_pages(pool, "craigslist", "austin", urls)) == {urls[1]}
    await a_rejected(pool, "row-3")
    await admin.post("/v1/admin/records/austin/craigslist/row-3/review", {"decision": "retry"})
    assert await known_pages(pool, "craigslist", "austin", urls) == {}


async def test_no_answer_tells_how_to_reach_anybody(world: World, pool: asyncpg.Pool) -> None:
    await a_rejected(pool, "1")
    admin = await world.admin()
    page = (await admin.get("/v1/admin/records")).json()
    one = await admin.post("/v1/admin/records/austin/craigslist/1/review", {"decision": "dismiss"})
    for told in (json.dumps(page), one.text):
        assert "0147" not in told
        assert "jo@" not in told
