"""The feed as its readers meet it: past, present, and every way to be turned away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.buyer import Buyer, People
from tests.e2e.feed_reader import feed, without_price

MARKET = "las-vegas"


async def _trade(buyer: Buyer, times: int) -> list[str]:
    """Hold and release some leads: each two events."""
    leads = await buyer.everything("/v1/leads", market=MARKET, lead_state="available")
    traded = [lead["lead_id"] for lead in leads if lead["seats_left"] == lead["max_buyers"]][:times]
    for lead_id in traded:
        assert (await buyer.hold(lead_id)).status_code == 201
        answer = await buyer.ask("DELETE", f"/v1/cart/items/{lead_id}")
        assert answer.status_code == 204, answer.text
    return traded


async def test_since_brings_exactly_what_was_missed(people: People) -> None:
    buyer = await people.buyer()
    base_url = people.installation.base_url
    async with feed(base_url, buyer.access_token) as reader:
        await reader.snapshot(MARKET)
        seen_until = reader.seq
        before = dict(reader.leads)
    assert seen_until is not None
    traded = await _trade(buyer, 5)
    newest = seen_until + 2 * len(traded)
    async with feed(base_url, buyer.access_token) as reader:
        reader.leads = dict(before)
        await reader.subscribe(f"market:{MARKET}", since=seen_until)
        await reader.until(lambda: (reader.seq or 0) >= newest)
        kinds = [event["type"] for event in reader.events]
        assert kinds == ["lead.held", "lead.released"] * len(traded)
        caught_up = without_price(reader.leads)
        await _trade(buyer, 1)
        await reader.until(lambda: (reader.seq or 0) >= newest + 2)
        newest += 2
    async with feed(base_url, buyer.access_token) as fresh:
        await fresh.snapshot(MARKET)
        await fresh.until(lambda: fresh.seq == newest)
        assert without_price(fresh.leads) == caught_up


async def test_since_the_beginning_is_the_whole_journal(people: People) -> None:
    buyer = await people.buyer()
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.subscribe(f"market:{MARKET}", since=0)
        newest = await buyer.seq(MARKET)
        await reader.until(lambda: (reader.seq or 0) >= newest)
        assert reader.events[0]["type"] == "lead.listed"
        assert reader.events[0]["seq"] == 1
        from_events = without_price(reader.leads)
    async with feed(people.installation.base_url, buyer.access_token) as fresh:
        await fresh.snapshot(MARKET)
        await fresh.until(lambda: fresh.seq == newest)
        assert without_price(fresh.leads) == from_events


async def test_since_the_future_is_answered_by_a_snapshot(people: People) -> None:
    buyer = await people.buyer()
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.subscribe(f"market:{MARKET}", since=10**9)
        await reader.message("snapshot")
        newest = await buyer.seq(MARKET)
        # A snapshot may be a moment old; the events since then follow it.
        await reader.until(lambda: reader.seq == newest)
        assert reader.leads


async def test_events_carry_the_teaser_when_listed_and_five_fields_else(people: People) -> None:
    buyer = await people.buyer()
    await _trade(buyer, 1)
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.subscribe(f"market:{MARKET}", since=0)
        newest = await buyer.seq(MARKET)
        await reader.until(lambda: (reader.seq or 0) >= newest)
    teaser = await buyer.read(f"/v1/leads/{reader.events[0]['lead']['lead_id']}")
    for event in reader.events:
        if event["type"] in ("lead.listed", "lead.updated") and len(event["lead"]) > 5:
            assert set(teaser) - {"distance_m"} == set(event["lead"])
        else:
            assert len(event["lead"]) == 5, event


async def test_a_ticket_opens_one_socket(people: People) -> None:
    buyer = await people.buyer()
    answer = await buyer.ask("POST", "/v1/feed/tickets")
    assert answer.status_code == 201, answer.text
    ticket = answer.json()["ticket"]
    assert answer.json()["expires_in"] > 0
    base_url = people.installation.base_url
    async with feed(base_url, ticket=ticket, origin=base_url) as reader:
        await reader.send({"op": "ping"})
        await reader.message("pong")
    assert await _refusal(base_url, ticket=ticket) == 401


@pytest.mark.parametrize(
    ("token", "ticket", "status"),
    [(None, None, 401), ("nonsense", None, 401), (None, "nonsense", 401)],
)
async def test_who_is_nobody_gets_no_socket(
    people: People, token: str | None, ticket: str | None, status: int
) -> None:
    refused = await _refusal(people.installation.base_url, token, ticket=ticket)
    assert refused == status


async def test_a_page_of_another_site_gets_no_socket(people: People) -> None:
    buyer = await people.buyer()
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        refused = await _refusal(people.installation.base_url, buyer.access_token, origin=origin)
        assert refused == 403, origin


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "not json",
        "[]",
        "42",
        '"subscribe"',
        "{}",
        '{"op": "explode"}',
        '{"op": "subscribe"}',
        '{"op": "subscribe", "channel": "market:atlantis"}',
        '{"op": "subscribe", "channel": "market:austin\\u0000"}',
        '{"op": "subscribe", "channel": "market:austin", "since": -1}',
        '{"op": "subscribe", "channel": "market:austin", "since": 1e999}',
        '{"op": "subscribe", "channel": "market:austin", "since": "1"}',
        '{"op": "subscribe", "channel": {"a": 1}}',
        '{"op": "unsubscribe", "channel": "market:austin"}',
        "[" * 60_000,
        '{"op":' * 9_000,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        json.dumps({"op": "ping", "padding": "x" * 60_000}),
    ],
    ids=range(19),
)
async def test_garbage_is_answered_and_the_socket_lives_on(people: People, garbage: str) -> None:
    buyer = await people.buyer()
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.send(garbage)
        await reader.send({"op": "ping"})
        await reader.message("pong")
        for frame in reader.frames[:-1]:
            if frame["type"] == "error":
                _assert_tells_nothing(frame)
        await reader.snapshot(MARKET)


async def test_a_binary_message_is_refused_and_the_socket_lives_on(people: People) -> None:
    buyer = await people.buyer()
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.socket.send(b"\x00\xff\xfe" * 1000)
        _assert_tells_nothing(await reader.message("error"))
        await reader.send({"op": "ping"})
        await reader.message("pong")


async def test_a_message_over_64_kib_closes_with_1009(people: People) -> None:
    buyer = await people.buyer()
    async with feed(people.installation.base_url, buyer.access_token) as reader:
        await reader.send('{"op":"ping","padding":"' + "x" * 65_536 + '"}')
        assert await reader.close_code() == 1009


async def test_signing_out_closes_the_sockets_of_that_session_alone(people: People) -> None:
    buyer = await people.buyer()
    elsewhere = await people.sign_in(buyer.user_id, buyer.email)
    base_url = people.installation.base_url
    async with (
        feed(base_url, buyer.access_token) as reader,
        feed(base_url, elsewhere.access_token) as other,
    ):
        await reader.snapshot(MARKET)
        body = {"refresh_token": buyer.refresh_token}
        assert (await people.http.post("/v1/auth/logout", json=body)).status_code == 204
        assert await reader.close_code() == 4001
        await other.send({"op": "ping"})
        await other.message("pong")
    assert await _refusal(base_url, buyer.access_token) == 401


async def test_a_stolen_session_and_a_suspended_account_lose_their_sockets(people: People) -> None:
    base_url = people.installation.base_url
    stolen, suspended = await people.buyer(), await people.buyer()
    async with (
        feed(base_url, stolen.access_token) as one,
        feed(base_url, suspended.access_token) as two,
    ):
        body = {"refresh_token": stolen.refresh_token}
        assert (await people.http.post("/v1/auth/refresh", json=body)).status_code == 200
        assert (await people.http.post("/v1/auth/refresh", json=body)).status_code == 401
        await people.change(suspended, status="suspended")
        assert await one.close_code() == 4001
        assert await two.close_code() == 4001


async def _refusal(base_url: str, token: str | None = None, **more: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with feed(base_url, token, **more):
            pass
    status: int = refused.value.response.status_code
    return status


def _assert_tells_nothing(frame: dict[str, Any]) -> None:
    problem = frame["problem"]
    assert problem["type"] in ("validation", "not-found")
    assert problem["detail"]
    for word in ("Traceback", "File ", "site-packages", "asyncpg"):
        assert word not in str(frame)
