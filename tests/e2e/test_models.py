"""Served models as a buyer, a reviewer and an ML engineer meet them, while the market trades."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from models_ml.bundle import unpack
from models_ml.recommend.model import packaged, packed, read
from models_ml.served import PARTS_BYTES_MAX
from tests.e2e.buyer import Buyer, People, assert_problem
from tests.e2e.feed_reader import FeedReader, feed

MARKET = "austin"
SOCKETS = 20
WAIT_SECONDS = 90.0
FRAUD_REPLICA = "ServeReplica:fraud"


async def until(what: Callable[[], Awaitable[Any]], seconds: float = WAIT_SECONDS) -> Any:
    """What it says, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := await what()):
        assert time.monotonic() < deadline, f"{what} was never true"
        await asyncio.sleep(0.2)
    return found


# --- recommendations -------------------------------------------------------------------


async def test_what_is_recommended_is_on_offer_and_says_why(people: People) -> None:
    buyer = await people.buyer(credits=500)

    async def ranked() -> Any:
        page = await buyer.read("/v1/recommendations", market=MARKET, limit=20)
        return page if page["model"]["name"] == "recommender" else None

    page = await until(ranked)
    assert len(page["items"]) == 20
    assert all(item["lead_state"] == "available" and item["reasons"] for item in page["items"])
    bought, held = (item["lead_id"] for item in page["items"][:2])
    assert (await buyer.buy(bought)).status_code == 201
    assert (await buyer.hold(held)).status_code == 201
    after = await buyer.read("/v1/recommendations", market=MARKET, limit=50)
    assert {bought, held}.isdisjoint(item["lead_id"] for item in after["items"])
    similar = await buyer.read(f"/v1/leads/{bought}/similar", limit=5)
    assert similar["items"]
    assert {bought, held}.isdisjoint(item["lead_id"] for item in similar["items"])


# --- versions ----------------------------------------------------------------------------


class Load(NamedTuple):
    """Who ranked each answer. An answer that is none ends the caller, and with it the test."""

    rankers: list[tuple[str, int | None]]


@contextlib.asynccontextmanager
async def reading(buyers: list[Buyer]) -> AsyncIterator[Load]:
    load = Load([])

    async def read(buyer: Buyer) -> None:
        lead = (await buyer.read("/v1/leads", market=MARKET, limit=1))["items"][0]["lead_id"]
        for path in itertools.cycle(("/v1/recommendations", f"/v1/leads/{lead}/similar")):
            model = (await buyer.read(path, limit=5))["model"]
            load.rankers.append((model["name"], model["version"]))

    tasks = [asyncio.create_task(read(buyer)) for buyer in buyers]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def change(admin: Buyer, action: str, **form: Any) -> None:
    """A change to the recommender, and every replica has taken it in."""
    path = f"/v1/admin/models/recommender/{action}"
    answer = await admin.ask("POST", path, json=form)
    assert answer.status_code == 200, answer.text
    change_id = answer.json()["change_id"]

    async def followed() -> bool:
        replicas = (await recommender(admin))["replicas"]
        return bool(replicas) and all(each["change_id"] >= change_id for each in replicas)

    await until(followed)


async def recommender(admin: Buyer) -> dict[str, Any]:
    models = (await admin.read("/v1/admin/models"))["items"]
    found: dict[str, Any] = next(each for each in models if each["name"] == "recommender")
    return found


def another_ranking() -> bytes:
    """A bundle of the recommender like no other."""
    found = read(unpack(packaged(), PARTS_BYTES_MAX))
    fresh_days = found.settings.fresh_days + secrets.randbelow(1_000) / 10_000 + 0.01
    return packed(msgspec.structs.replace(found.settings, fresh_days=fresh_days), found.metadata)


def register(people: People, folder: Path, content: bytes) -> int:
    file = folder / "ranking.bundle"
    file.write_bytes(content)
    told = people.installation.succeed("models", "register", "recommender", str(file), "--json")
    number: int = json.loads(told.stdout)["version"]
    return number


async def test_versions_change_under_readers_and_sockets(people: People, tmp_path: Path) -> None:
    admin = await people.admin()
    first = (await recommender(admin))["live"]
    second = register(people, tmp_path, another_ranking())
    buyers = [await people.buyer() for _ in range(4)]
    base_url = people.installation.base_url
    async with contextlib.AsyncExitStack() as stack:
        readers: list[FeedReader] = []
        for _ in range(SOCKETS):
            readers.append(await stack.enter_async_context(feed(base_url, admin.access_token)))
            await readers[-1].snapshot(MARKET)
        load = await stack.enter_async_context(reading(buyers))
        for action, form, might in (
            ("canary", {"version": second, "share": 0.5}, {first, second}),
            ("rollback", {}, {first}),
            ("promote", {"version": second}, {second}),
            ("rollback", {}, {first}),
        ):
            await change(admin, action, **form)
            # What was asked before the change may still be on its way.
            await asyncio.sleep(0.5)
            load.rankers.clear()
            await asyncio.sleep(0.5)
            assert load.rankers
            answered = {version for name, version in load.rankers if name == "recommender"}
            assert answered <= might, (action, answered)
        lead = (await buyers[0].read("/v1/leads", market=MARKET, limit=1))["items"][0]["lead_id"]
        assert (await buyers[0].hold(lead)).status_code == 201
        for reader in readers:
            # Open still, and without a gap.
            await reader.event("lead.held", lead)
    assert (await recommender(admin))["live"] == first


async def test_a_spoilt_artefact_is_refused_and_the_old_version_stays(
    people: People, tmp_path: Path
) -> None:
    admin = await people.admin()
    before = (await recommender(admin))["live"]
    number = register(people, tmp_path, another_ranking())
    kept = people.installation.data_dir / "models" / "recommender"
    newest = max(kept.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes().replace(b"fresh_days", b"fresh_dayz"))
    async with reading([await people.buyer()]) as load:
        done = await asyncio.to_thread(
            people.installation.command, "models", "promote", "recommender", str(number)
        )
    assert done.returncode != 0
    assert "refused" in done.stdout + done.stderr
    assert (await recommender(admin))["live"] == before
    assert {version for name, version in load.rankers if name == "recommender"} == {before}


# --- scams -------------------------------------------------------------------------------

SCAM = "I am abroad on a mission. Send gift cards for the deposit and I will mail you the keys."


async def hand_in(people: People, remarks: str) -> None:
    """List a home like no other by an admin's file."""
    admin = await people.admin()
    street = f"{secrets.randbelow(9_000) + 100} {secrets.token_hex(3).title()} St"
    phone = f"512555{secrets.randbelow(9_000) + 1_000}"
    content = (
        "id,street_address,city,state,zip,price,contact_phone,remarks\n"
        f'{secrets.token_hex(4)},{street},Austin,TX,78701,350000,{phone},"{street}. {remarks}"\n'
    )
    answer = await people.http.post(
        "/v1/uploads",
        params={"market": MARKET, "filename": "homes.csv"},
        content=content.encode(),
        headers={**admin.headers, "Content-Type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text


async def suspects(people: People) -> dict[str, dict[str, Any]]:
    admin = await people.admin()
    found = await admin.everything("/v1/admin/quarantine", market=MARKET)
    return {each["lead_id"]: each for each in found}


async def test_without_its_model_the_intake_goes_on_and_marks_what_no_model_scored(
    people: People,
) -> None:
    buyer = await people.buyer(credits=500)
    known = await suspects(people)
    (lead,) = (await buyer.read("/v1/leads", market=MARKET, lead_state="available", limit=1))[
        "items"
    ]
    for process in people.installation.actors(FRAUD_REPLICA):
        process.kill()
    await hand_in(people, SCAM)

    async def new_suspect() -> Any:
        return {key: value for key, value in (await suspects(people)).items() if key not in known}

    ((lead_id, suspect),) = (await until(new_suspect)).items()
    # Rules stand without a model, and nothing claims that one scored it.
    assert "untraceable-payment-first" in suspect["rules"]
    if suspect["model_version"] is None:
        assert suspect["probability"] is None
        assert suspect["needs_rescoring"]
    assert_problem(await buyer.get(f"/v1/leads/{lead_id}"), 404, "not-found")
    # Trading does not wait for it.
    assert (await buyer.buy(lead["lead_id"])).status_code == 201

    async def rescored() -> Any:
        found = (await suspects(people))[lead_id]
        return found if found["model_version"] is not None else None

    found = await until(rescored)
    assert not found["needs_rescoring"]
    assert 0 <= found["probability"] <= 1

    asked = await asyncio.to_thread(
        people.installation.succeed, "models", "rescore", "--market", MARKET, "--json"
    )
    assert json.loads(asked.stdout)[MARKET] > 1

    async def scored_again() -> bool:
        now = (await suspects(people))[lead_id]
        return bool(now["scored_at"] > found["scored_at"]) and not now["needs_rescoring"]

    await until(scored_again)


async def test_a_reviewer_approves_one_suspect_and_rejects_another(people: People) -> None:
    admin, buyer = await people.admin(), await people.buyer()
    known = await suspects(people)
    for _ in range(2):
        await hand_in(people, SCAM)

    async def both() -> Any:
        found = [key for key in await suspects(people) if key not in known]
        return found if len(found) == 2 else None

    honest, scam = await until(both)
    for lead_id, word in ((honest, "approve"), (scam, "reject")):
        answer = await admin.ask(
            "POST", f"/v1/admin/quarantine/{lead_id}/{word}", json={"reason": "called them"}
        )
        assert answer.status_code == 200, answer.text
    shown = await buyer.read(f"/v1/leads/{honest}")
    assert (shown["lead_state"], shown["fraud_flag"]) == ("available", False)
    assert (await buyer.read(f"/v1/leads/{scam}"))["lead_state"] == "withdrawn"
    assert {honest, scam}.isdisjoint(await suspects(people))
