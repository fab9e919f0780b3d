"""Files that buyers hand in: checked at once, seen by their uploader, listed when approved."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from engine.adapters.postgres import source_state, uploads
from serve_apps.api import gate
from serve_apps.api.routes.uploads import UPLOAD_BYTES_MAX
from tests.serve_apps.api.world import CANARY, Caller, World, assert_problem

HEADER = "id,street_address,city,state,zip,price,contact_phone\n"
GOOD = (
    HEADER
    + f"1,12 Oak St,Austin,TX,78701,350000,{CANARY}\n"
    + f"2,14 Oak St,Austin,TX,78701,{CANARY},\n"
    + f"2,14 Oak St,Austin,TX,78701,{CANARY},\n"
    + f",Unknown,Austin,TX,78701,1,{CANARY}\n"
    + "4,{CANARY}\n"
    + f"5,1 Strip Blvd,Las Vegas,NV,89101,1,{CANARY}\n"
)


@pytest.fixture
async def buyer(world: World) -> Caller:
    return await world.buyer()


async def send(
    caller: Caller,
    content: str | bytes = GOOD,
    key: str | None = None,
    media_type: str = "text/csv; charset=utf-8",
    **params: Any,
) -> httpx.Response:
    return await caller.request(
        "POST",
        "/v1/uploads",
        key,
        params={"market": "austin", **params},
        content=content.encode() if isinstance(content, str) else content,
        headers={"content-type": media_type},
    )


async def test_a_file_is_checked_at_once(buyer: Caller) -> None:
    answered = await send(buyer, filename="mine.csv")
    assert answered.status_code == 202, answered.text
    upload = answered.json()
    assert upload["state"] == "waiting"
    assert upload["mapping"] == "reso-columns"
    assert upload["filename"] == "mine.csv"
    assert upload["counts"] == {
        "records": 2,
        "rejected": 3,
        "repeated": 1,
        "by_reason": {"no-place": 1, "ragged-row": 1, "out-of-market": 1},
    }
    assert [(each["row"], each["reason"]) for each in upload["errors"]] == [
        (5, "no-place"),
        (6, "ragged-row"),
        (7, "out-of-market"),
    ]
    assert CANARY not in answered.text
    assert "Oak" not in answered.text


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/json", [{"ListingKey": "k", "UnparsedAddress": "1 A St, Austin, TX 78701"}]),
        (
            "application/geo+json",
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "id": 7,
                        "geometry": {"type": "Point", "coordinates": [-97.74, 30.27]},
                        "properties": {"parcel_number": "0207"},
                    }
                ],
            },
        ),
    ],
)
async def test_other_formats(buyer: Caller, media_type: str, content: Any) -> None:
    answered = await send(buyer, json.dumps(content), media_type=media_type)
    assert answered.status_code == 202, answered.text
    assert answered.json()["counts"]["records"] == 1


async def test_what_can_t_be_uploaded(buyer: Caller) -> None:
    async def refused(words: str, *content: Any, **more: Any) -> None:
        problem = assert_problem(await send(buyer, *content, **more), 422, "validation")
        assert words in problem["detail"] + json.dumps(problem["errors"])
        assert CANARY not in json.dumps(problem)

    await refused("header.content-type", media_type="application/pdf")
    await refused("is empty", "")
    await refused("query.market: there are", market="atlantis")
    await refused("mapping", mapping="No Such!")
    await refused("unknown-mapping", mapping="none-such")
    await refused("no row of the file can be used", HEADER + f",Unknown,,,,,{CANARY}\n")
    await refused("unknown-table", f"colour,{CANARY}\nred,1\n")
    await refused("broken-json", '{"a": ', media_type="application/json")
    await refused("query.market", market=None)
    await refused(f"at most {UPLOAD_BYTES_MAX} bytes", b"x" * (UPLOAD_BYTES_MAX + 1))


async def test_a_large_file_is_taken_whole(buyer: Caller) -> None:
    row = "9,16 Oak St,Austin,TX,78701,1," + "x" * 60_000 + "\n"
    answered = await send(buyer, HEADER + row * 150)
    assert answered.status_code == 202, answered.text
    assert answered.json()["counts"]["repeated"] == 149


async def test_only_so_many_files_at_a_time(buyer: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(gate.LARGE_BODIES_MAX + 1):
        assert_problem(await send(buyer, media_type="text/plain"), 422, "validation")
    monkeypatch.setattr(gate, "LARGE_BODIES_MAX", 0)
    answered = await send(buyer)
    assert_problem(answered, 503, "unavailable")
    assert answered.headers["retry-after"]


async def test_a_repeat_with_its_key_is_one_upload(buyer: Caller) -> None:
    first, again = [await send(buyer, key="k1") for _ in range(2)]
    assert first.json() == again.json()
    assert_problem(await send(buyer, GOOD + "\n", key="k1"), 422, "idempotency-mismatch")
    listed = (await buyer.get("/v1/uploads")).json()
    assert [each["upload_id"] for each in listed["items"]] == [first.json()["upload_id"]]


async def test_an_upload_is_its_uploader_s(world: World, buyer: Caller) -> None:
    upload_id = (await send(buyer)).json()["upload_id"]
    stranger = await world.buyer()
    mine = await buyer.get(f"/v1/uploads/{upload_id}")
    assert mine.status_code == 200
    assert_problem(await stranger.get(f"/v1/uploads/{upload_id}"), 404, "not-found")
    assert (await stranger.get("/v1/uploads")).json()["items"] == []
    assert_problem(await stranger.get("/v1/admin/uploads"), 403, "forbidden")
    decision = await stranger.post(
        f"/v1/admin/uploads/{upload_id}/decision", {"decision": "approve"}
    )
    assert_problem(decision, 403, "forbidden")


async def test_pages_of_uploads(buyer: Caller) -> None:
    sent = [(await send(buyer)).json()["upload_id"] for _ in range(3)]
    first = (await buyer.get("/v1/uploads", limit=2)).json()
    second = (await buyer.get("/v1/uploads", limit=2, cursor=first["next_cursor"])).json()
    shown = [each["upload_id"] for each in (*first["items"], *second["items"])]
    assert shown == sent[::-1]
    assert second["next_cursor"] is None


async def test_an_approved_upload_waits_for_the_next_run(world: World, buyer: Caller) -> None:
    admin = await world.admin()
    upload_id = (await send(buyer)).json()["upload_id"]
    waiting = (await admin.get("/v1/admin/uploads", state="waiting")).json()["items"]
    assert upload_id in [each["upload_id"] for each in waiting]
    path = f"/v1/admin/uploads/{upload_id}/decision"
    answered = await admin.post(path, {"decision": "approve", "note": "known partner"})
    assert answered.status_code == 200, answered.text
    assert answered.json()["state"] == "approved"
    assert_problem(await admin.post(path, {"decision": "reject"}), 409, "upload-decided")
    assert_problem(
        await admin.post("/v1/admin/uploads/none/decision", {"decision": "reject"}),
        404,
        "not-found",
    )
    assert world.replica.deps is not None
    pool = world.replica.deps.pool
    state = (await source_state.states(pool))["upload", "austin"]
    assert state.asked == answered.json()["run_id"]
    [document] = [each async for own, each in uploads.approved(pool, "austin") if own == upload_id]
    assert document.content == GOOD.encode()
    assert document.licence == f"upload:{buyer.user_id}"
    assert document.source == "upload"
    await uploads.note_taken(pool, [upload_id], "run-1")
    assert (await buyer.get(f"/v1/uploads/{upload_id}")).json()["state"] == "taken"
    assert upload_id not in [own async for own, _ in uploads.approved(pool, "austin")]
    kept = await pool.fetchval("SELECT content FROM uploads WHERE upload_id = $1", upload_id)
    assert kept is None


async def test_a_rejected_upload_is_gone(world: World, buyer: Caller) -> None:
    admin = await world.admin()
    upload_id = (await send(buyer)).json()["upload_id"]
    answered = await admin.post(
        f"/v1/admin/uploads/{upload_id}/decision", {"decision": "reject", "note": "not yours"}
    )
    assert answered.json()["state"] == "rejected"
    assert answered.json()["note"] == "not yours"
    assert world.replica.deps is not None
    pool = world.replica.deps.pool
    kept = await pool.fetchval("SELECT content FROM uploads WHERE upload_id = $1", upload_id)
    assert kept is None


async def test_an_admin_s_own_file_is_approved(world: World) -> None:
    answered = await send(await world.admin())
    assert answered.status_code == 202, answered.text
    assert answered.json()["state"] == "approved"
    assert answered.json()["run_id"]


async def test_a_buyer_has_so_many_waiting(world: World, buyer: Caller) -> None:
    assert world.replica.deps is not None
    first = (await send(buyer)).json()["upload_id"]
    await world.replica.deps.pool.execute(
        "INSERT INTO uploads (upload_id, user_id, market, media_type, state, counts)"
        " SELECT upload_id || '-' || n, user_id, market, media_type, state, counts"
        " FROM uploads, generate_series(2, $2) n WHERE upload_id = $1",
        first,
        uploads.WAITING_PER_USER_MAX,
    )
    assert_problem(await send(buyer), 409, "upload-limit")
