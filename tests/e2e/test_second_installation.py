"""A second installation beside the first: its canaries, its limits, and how it is lost and found.

The tests run in the order in which they stand: the last ones kill and stop it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import psutil
import pytest
import redis

from aiqleads.client.feed import channels
from aiqleads.client.feed.messages import LeadEvent, Snapshot
from tests.e2e import canary_world
from tests.e2e.buyer import Buyer, People, assert_problem, new_key
from tests.e2e.canary_world import MARKET, QUESTIONS, canaries_in
from tests.e2e.conftest import http_client, stop_and_check
from tests.e2e.feed_reader import WAIT_SECONDS, FeedReader, feed
from tests.e2e.own_installation import OwnInstallation

BASIC_LIMIT = 30
RETURNS_WITHIN_SECONDS = 30.0
KINDS = ["lead.held", "lead.released"]
_PRO = {"plan": "pro"}


@pytest.fixture(scope="module")
def second(market: OwnInstallation, short_directory: Path) -> Iterator[OwnInstallation]:
    place = short_directory / "s"
    place.mkdir()
    captures = place / "captures"
    canaries = canary_world.write_captures(captures)
    assert canaries >= 2
    installation = OwnInstallation(
        place,
        {
            "AIQLEADS_CAPTURES": str(captures),
            "AIQLEADS_LOG_LEVEL": "DEBUG",
            "AIQLEADS_RATE_LIMIT_BASIC": str(BASIC_LIMIT),
            "AIQLEADS_RATE_LIMIT_PRO": "0",
            "AIQLEADS_RATE_LIMIT_ANONYMOUS": "0",
            "AIQLEADS_RATE_LIMIT_ENTERPRISE": "0",
        },
    )
    try:
        installation.succeed("up")
        yield installation
    finally:
        stop_and_check(installation)


@pytest.fixture
async def people(second: OwnInstallation) -> AsyncIterator[People]:
    """Its people; the admin, who has a basic plan like everyone new, is freed of its limit."""
    async with http_client(second) as http:
        people = People(second, http)
        admin = await people.admin()
        user = await http.get(
            "/v1/admin/users", params={"email": second.admin_email}, headers=admin.headers
        )
        if user.status_code == 200:
            admin.user_id = user.json()["items"][0]["user_id"]
            await people.change(admin, **_PRO)
        yield people


async def test_no_canary_is_told_to_who_does_not_own_it(people: People) -> None:
    owner = await people.buyer(credits=1_000, plan="pro")
    other = await people.buyer(credits=1_000, plan="pro")
    answers: list[str] = []
    base_url = people.installation.base_url
    async with (
        feed(base_url, other.access_token) as reader,
        feed(base_url, other.access_token) as journal,
    ):
        await reader.snapshot(MARKET)
        await journal.subscribe(f"market:{MARKET}", since=0)
        leads = await other.everything("/v1/leads", market=MARKET)
        planted = [lead for lead in leads if lead["postal_code"] and _stands_at_canary(lead)]
        assert len(planted) >= 2
        bought, spare = planted[0]["lead_id"], planted[1]["lead_id"]

        order = await _buy_as_owner(owner, bought)
        answers += await _what_another_gets(other, bought, spare)
        await owner.hold(spare)
        newest = await other.seq(MARKET)
        for each in (reader, journal):
            await each.until(lambda each=each: (each.seq or 0) >= newest)
            answers += [str(frame) for frame in each.frames]
    for question in QUESTIONS:
        found = await other.get("/v1/leads", q=question)
        assert found.json()["total"] == 0, question
        answers.append(found.text)
    admin = await people.admin()
    answers += [str(await admin.read(path)) for path in ("/v1/admin/runs", "/v1/admin/users")]
    answers.append((await people.http.get("/metrics")).text)
    told = [answer for answer in answers if canaries_in(answer)]
    assert not told, [(canaries_in(answer), answer[:3000]) for answer in told]
    assert not re.findall(r"\b7(?:0000000|9000000)\d\d\b", "".join(answers)), "a source's id"
    assert canaries_in(str(order["contact"]))


async def test_no_canary_is_kept_outside_the_contacts(second: OwnInstallation) -> None:
    database, store = _url(second, "postgres"), _url(second, "redis")
    told = {
        **await _tables_that_tell(database),
        **_keys_that_tell(store),
        **_logs_that_tell(second),
    }
    assert told == {}


async def test_a_limit_is_told_after_401_and_before_403(people: People) -> None:
    buyer = await people.buyer()
    path = f"/v1/admin/wallets/{buyer.user_id}/grants"
    for _ in range(2 * BASIC_LIMIT + 1):
        answer = await buyer.get("/v1/wallet")
        if answer.status_code == 429:
            break
    assert_problem(answer, 429, "rate-limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["ratelimit-limit"] == str(BASIC_LIMIT)
    assert answer.headers["ratelimit-remaining"] == "0"
    # Not an admin, no key, a broken body: the limit is told first, being nobody before that.
    limited = await buyer.ask("POST", path, json={"credits": "many"})
    assert_problem(limited, 429, "rate-limited")
    nobody = await people.http.post(path, json={"credits": "many"})
    assert_problem(nobody, 401, "unauthorized")


async def test_trading_and_feed_go_on_without_redis(second: OwnInstallation) -> None:
    async with http_client(second) as http:
        buyer = await People(second, http).buyer(plan="pro")
        async with feed(second.base_url, buyer.access_token) as reader:
            await reader.snapshot("phoenix")
            _kill(second, "redis")
            await _hold_and_release(buyer, "phoenix", 5)
            await _read_until_now(buyer, reader)
            assert second.parts()["redis"]["healthy"] is False
            second.succeed("up")
            await _hold_and_release(buyer, "phoenix", 5)
            await _read_until_now(buyer, reader)
            assert second.parts()["redis"]["healthy"] is True


async def test_a_killed_replica_comes_back_and_its_readers_resume(second: OwnInstallation) -> None:
    async with http_client(second) as http:
        buyer = await People(second, http).buyer(plan="pro")
        async with (
            feed(second.base_url, buyer.access_token) as reader,
            buyer.client.feed(channels.market("phoenix")) as following,
        ):
            await reader.snapshot("phoenix")
            assert isinstance(await following.next(WAIT_SECONDS), Snapshot)
            _kill(second, "api")
            assert await reader.close_code() == 1006
            since = reader.seq
            await _hold_and_release_once_it_is_back(buyer, http)
            # It came back by itself, and nothing is missing.
            told = [await following.next(WAIT_SECONDS) for _ in range(2)]
            assert [e.type for e in told if isinstance(e, LeadEvent)] == KINDS
        async with feed(second.base_url, buyer.access_token) as reader:
            await reader.subscribe("market:phoenix", since=since)
            await _read_until_now(buyer, reader)
            assert [event["type"] for event in reader.events] == KINDS


async def test_kill_of_everything_loses_nothing(second: OwnInstallation) -> None:
    async with http_client(second) as http:
        people = People(second, http)
        buyer = await people.buyer(credits=1_000, plan="pro")
        leads = await buyer.everything("/v1/leads", market="dallas", lead_state="available")
        for lead in leads[:3]:
            answer = await buyer.buy(lead["lead_id"])
            assert answer.status_code == 201, answer.text
        assert (await buyer.hold(leads[3]["lead_id"], "3d")).status_code == 201
        key = new_key()
        last = await buyer.buy(leads[4]["lead_id"], key=key)
        before = await _belongings(buyer)

    second.kill_everything()
    assert second.command("status").returncode == 1
    second.succeed("up")
    assert second.command("status").returncode == 0

    async with http_client(second) as http:
        people = People(second, http)
        # Who was signed in still is: the secrets are those of the installation.
        buyer = Buyer(http, buyer.user_id, buyer.email, vars(buyer))
        assert await _belongings(buyer) == before
        again = await buyer.buy(leads[4]["lead_id"], key=key)
        assert again.json() == last.json()
        assert (await buyer.checkout()).status_code == 201
        async with feed(second.base_url, buyer.access_token) as reader:
            await reader.subscribe("market:dallas", since=before["seq"])
            sold = await reader.event("lead.sold", leads[3]["lead_id"])
            assert sold["seq"] == before["seq"] + 1
    second.succeed("doctor")


async def test_down_closes_sockets_and_leaves_the_other_installation_alone(
    second: OwnInstallation, market: OwnInstallation
) -> None:
    async with http_client(second) as http:
        buyer = await People(second, http).buyer()
        async with feed(second.base_url, buyer.access_token) as reader:
            await reader.snapshot("dallas")
            stopping = asyncio.create_task(asyncio.to_thread(second.succeed, "down"))
            assert await reader.close_code(60) == 1012
            await stopping
        with pytest.raises(httpx.ConnectError):
            await http.get("/healthz")
    assert second.processes() == []
    again = second.succeed("down")
    assert "nothing" in again.stderr
    assert second.command("status").returncode == 1
    assert market.command("status").returncode == 0


def _stands_at_canary(lead: dict[str, Any]) -> bool:
    """The rounded point, which is public, of the place where all canaries stand."""
    return (
        lead["latitude"] is not None
        and abs(lead["latitude"] - canary_world.LATITUDE) < 0.003
        and abs(lead["longitude"] - canary_world.LONGITUDE) < 0.003
    )


async def _buy_as_owner(owner: Buyer, lead_id: str) -> dict[str, Any]:
    answer = await owner.buy(lead_id)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()["orders"][0]
    contact = order["contact"]
    assert contact["name"] == canary_world.PERSON.name
    assert contact["email"] == canary_world.PERSON.email
    assert "5125550177" in re.sub(r"\D", "", contact["phone"])
    assert canary_world.STREET_NAME.split()[0] in contact["unparsed_address"]
    assert (contact["latitude"], contact["longitude"]) == pytest.approx(
        (canary_world.LATITUDE, canary_world.LONGITUDE), abs=1e-6
    )
    return order


async def _what_another_gets(other: Buyer, bought: str, spare: str) -> list[str]:
    """Everything that somebody else can ask for about these leads."""
    answers = [
        await other.get("/v1/leads", market=MARKET, limit=200),
        await other.get("/v1/leads", lead_state="sold,available,held", limit=200),
        await other.get("/v1/leads", facets="city,source,property_type,bedrooms_total"),
        await other.get(f"/v1/leads/{bought}"),
        await other.get(f"/v1/leads/{spare}"),
        await other.hold(spare),
        await other.hold(spare),
        await other.get("/v1/cart"),
        await other.ask("POST", f"/v1/leads/{spare}/buy", key=new_key(), json={"max_price": 0}),
        await other.ask("DELETE", f"/v1/cart/items/{spare}"),
        await other.ask("DELETE", f"/v1/cart/items/{bought}"),
        await other.checkout(lead_ids=[bought]),
        await other.get("/v1/leads", q=canary_world.PERSON.name[:5], market="Zephyr"),
        await other.get("/v1/orders"),
        await other.get("/v1/wallet/entries"),
        await other.get("/v1/markets"),
    ]
    return [answer.text for answer in answers if "Zephyr" not in str(answer.url)]


def _kill(installation: OwnInstallation, part: str) -> None:
    process = psutil.Process(installation.parts()[part]["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=5)


async def _hold_and_release(buyer: Buyer, market: str, times: int) -> None:
    leads = await buyer.everything("/v1/leads", market=market, lead_state="available")
    for lead in leads[:times]:
        held = await buyer.hold(lead["lead_id"])
        assert held.status_code == 201, held.text
        released = await buyer.ask("DELETE", f"/v1/cart/items/{lead['lead_id']}")
        assert released.status_code == 204, released.text


async def _hold_and_release_once_it_is_back(buyer: Buyer, http: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + RETURNS_WITHIN_SECONDS
    while True:
        try:
            assert (await http.get("/readyz")).status_code == 200
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the replica did not come back"
            await asyncio.sleep(0.1)
    await _hold_and_release(buyer, "phoenix", 1)


async def _read_until_now(buyer: Buyer, reader: FeedReader) -> None:
    newest = await buyer.seq("phoenix")
    await reader.until(lambda: (reader.seq or 0) >= newest)


async def _belongings(buyer: Buyer) -> dict[str, Any]:
    orders = await buyer.everything("/v1/orders")
    for order in orders:
        # What others would pay for it now moves with the market; what was paid is the order's.
        del order["lead"]["price"]
    return {
        "orders": orders,
        "wallet": await buyer.read("/v1/wallet"),
        "entries": await buyer.everything("/v1/wallet/entries"),
        "cart": await buyer.read("/v1/cart"),
        "seq": await buyer.seq("dallas"),
    }


def _url(installation: OwnInstallation, service: str) -> str:
    record = msgspec.json.decode((installation.data_dir / "run" / f"{service}.json").read_bytes())
    url: str = record["url"]
    return url


async def _tables_that_tell(database_url: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(database_url)
    told: dict[str, list[str]] = {}
    try:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        names = {row["table_name"] for row in tables} - {"spatial_ref_sys"}
        assert {"contacts", "market_events", "commands", "source_records", "leads"} <= names
        for name in sorted(names):
            rows = await connection.fetch(f'SELECT t::text AS row FROM "{name}" t')
            found = {needle for row in rows for needle in canaries_in(_unpacked(row["row"]))}
            if name == "contacts":
                assert found, "the canaries never came in: the test shows nothing"
            elif found:
                told[f"table {name}"] = sorted(found)
    finally:
        await connection.close()
    return told


def _unpacked(row: str) -> str:
    """A row's text with its byte strings read as text too."""
    packed = re.findall(r"\\\\?x((?:[0-9a-f]{2})+)", row)
    return row + " ".join(bytes.fromhex(text).decode("latin-1") for text in packed)


def _keys_that_tell(redis_url: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    with redis.Redis.from_url(redis_url) as client:
        keys = list(client.scan_iter())
        assert f"feed:{MARKET}".encode() in keys
        for key in keys:
            kind = client.type(key)
            if kind == b"stream":
                content = str(client.xrange(key))
            elif kind == b"hash":
                content = str(client.hgetall(key))
            elif kind == b"string":
                content = str(client.get(key))
            elif kind == b"set":
                content = str(client.smembers(key))
            else:
                raise AssertionError(f"{key!r} is a {kind!r}: the test can't read it yet")
            if found := canaries_in(f"{key!r} {content}"):
                told[f"key {key!r}"] = found
    return told


def _logs_that_tell(installation: OwnInstallation) -> dict[str, list[str]]:
    """Every log of the services and of Ray's session."""
    record = msgspec.json.decode((installation.data_dir / "run" / "ray.json").read_bytes())
    folders = [installation.data_dir / "logs", Path(record["log"]).resolve()]
    folders += [path for path in installation.data_dir.rglob("log") if path.is_dir()]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    told = {}
    for path in files:
        if found := canaries_in(path.read_bytes().decode("latin-1")):
            told[f"log {path}"] = found
    return told
