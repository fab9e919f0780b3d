"""What is checked before any handler, in which order, and how refusals look."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from tests.serve_apps.api.world import (
    CANARY,
    World,
    assert_problem,
    eventually,
    running,
    world_settings,
)


async def test_refusals_come_in_the_contracts_order(database_url: str, redis_url: str) -> None:
    settings = world_settings(database_url, redis_url)
    async with running(settings) as world:
        buyer = await world.buyer()
        path = f"/v1/admin/wallets/{buyer.user_id}/grants"
        bad = b"{not json"
        nobody = await world.http.post(path, content=bad)
        assert_problem(nobody, 401, "unauthorized")
        assert_problem(await buyer.request("POST", path, content=bad), 403, "forbidden")
        admin = await world.admin()
        keyless = await admin.request("POST", path, content=bad)
        assert_problem(keyless, 400, "idempotency-key-required")
        keyed = await admin.request("POST", path, "k", content=bad)
        assert_problem(keyed, 422, "validation")
    async with running(settings.model_copy(update={"rate_limit_basic": 1})) as world:
        buyer.http = world.http
        await buyer.get("/v1/me")
        assert_problem(await buyer.request("POST", path, content=bad), 429, "rate-limited")


async def test_unknown_routes_and_methods_are_problems(world: World) -> None:
    assert_problem(await world.http.get("/nowhere"), 404, "not-found")
    assert_problem(await world.http.get("/v1/leads/"), 404, "not-found")
    assert_problem(await world.http.get("/v1/leads//buy"), 404, "not-found")
    wrong = await world.http.delete("/v1/checkout")
    assert_problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["allow"] == "POST"


async def test_unknown_query_parameters_are_named(world: World) -> None:
    buyer = await world.buyer()
    for path in ("/v1/wallet", "/v1/leads", "/v1/orders", "/v1/markets"):
        problem = assert_problem(await buyer.get(path, colour="red"), 422, "validation")
        assert problem["errors"][0]["location"] == "query.colour"


@pytest.mark.parametrize("key", ["", "k" * 256, "\u00e9"])
async def test_bad_idempotency_keys(world: World, key: str) -> None:
    buyer = await world.buyer()
    answered = await world.http.post(
        "/v1/checkout",
        headers=[
            (b"authorization", f"Bearer {buyer.tokens['access_token']}".encode()),
            (b"idempotency-key", key.encode()),
        ],
    )
    assert_problem(answered, 400, "idempotency-key-required")


async def test_limits_are_counted_over_all_replicas(database_url: str, redis_url: str) -> None:
    settings = world_settings(database_url, redis_url, rate_limit_basic=4)
    async with running(settings) as here, running(settings) as there:
        buyer = await here.buyer()
        remaining = []
        for world in (here, there, here, there):
            buyer.http = world.http
            answered = await buyer.get("/v1/wallet")
            assert answered.headers["ratelimit-limit"] == "4"
            assert 0 < int(answered.headers["ratelimit-reset"]) <= 60
            remaining.append(int(answered.headers["ratelimit-remaining"]))
        assert remaining == [3, 2, 1, 0]
        refused = await buyer.get("/v1/wallet")
        assert_problem(refused, 429, "rate-limited")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        other = await here.buyer()
        assert (await other.get("/v1/wallet")).status_code == 200
        assert "ratelimit-limit" not in (await here.http.get("/healthz")).headers


async def test_the_anonymous_are_limited_by_address(database_url: str, redis_url: str) -> None:
    settings = world_settings(database_url, redis_url, rate_limit_anonymous=2)
    async with running(settings) as world:
        statuses = [(await world.http.get("/v1/plans")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        spoofed = await world.http.get("/v1/plans", headers={"x-forwarded-for": "10.1.1.1"})
        assert_problem(spoofed, 429, "rate-limited")


async def test_without_redis_each_replica_counts_for_itself(world: World) -> None:
    from engine.adapters.local.ports import free_port

    away = f"redis://127.0.0.1:{free_port()}/0"
    limits = {"rate_limit_basic": 2}
    settings = world.settings.model_copy(update={"redis_url": away, **limits})
    other = World(settings)
    other.books = world.books
    await other.replica.start()
    try:
        other.http.base_url = httpx.URL(f"http://127.0.0.1:{other.replica.port}")
        buyer = await world.buyer()
        buyer.http = other.http
        began = asyncio.get_running_loop().time()
        statuses = [(await buyer.get("/v1/wallet")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert asyncio.get_running_loop().time() - began < 2
    finally:
        await other.http.aclose()
        await other.replica.stop()


async def test_an_unforeseen_error_is_logged_without_what_was_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deps = world.replica.deps
    assert deps is not None
    buyer = await world.buyer()

    async def fail() -> None:
        raise RuntimeError(f"about {CANARY}")

    monkeypatch.setattr(deps.board, "entries", fail)
    with caplog.at_level(logging.INFO):
        problem = assert_problem(await world.http.get("/v1/markets"), 500, "internal")
        await buyer.buy("nowhere", max_price=1)
    assert problem["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert CANARY not in caplog.text
    assert buyer.tokens["access_token"] not in caplog.text


async def test_a_book_that_is_away_is_unavailable(world: World) -> None:
    buyer = await world.buyer(credits=100)
    lead_id = await world.lead()
    deps = world.replica.deps
    assert deps is not None
    deps.market_client._patience = 0.3
    await world.books["austin"].stop()
    away = await buyer.buy(lead_id, key="again")
    assert_problem(away, 503, "unavailable")
    assert int(away.headers["retry-after"]) >= 1


async def test_garbage_on_the_socket(world: World) -> None:
    port = world.replica.port
    for junk in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(junk)
        answered = await reader.read(65536)
        assert answered.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in answered
        writer.close()
    assert (await world.http.get("/healthz")).json() == {"status": "ok"}


async def test_a_client_that_leaves_breaks_nothing(world: World) -> None:
    buyer = await world.buyer(credits=100)
    lead_id = await world.lead()
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.replica.port)
        writer.write(
            f"POST /v1/leads/{lead_id}/buy HTTP/1.1\r\nhost: x\r\nidempotency-key: gone\r\n"
            f"authorization: Bearer {buyer.tokens['access_token']}\r\n"
            "content-length: 2\r\n\r\n{}".encode()
        )
        await writer.drain()
        writer.close()
        reader.feed_eof()
    assert (await buyer.buy(lead_id, key="gone")).status_code == 201
    assert await buyer.balance() == 90
    deps = world.replica.deps
    assert deps is not None
    await eventually(lambda: deps.traffic.in_flight == 0)


async def test_a_stopping_replica_finishes_what_it_began(database_url: str, redis_url: str) -> None:
    async with running(world_settings(database_url, redis_url)) as world:
        buyer = await world.buyer(credits=100)
        lead_id = await world.lead()
        carry = world.transport

        async def slow(market: str, payload: bytes) -> bytes:
            await asyncio.sleep(0.8)
            return await carry(market, payload)

        deps = world.replica.deps
        assert deps is not None
        deps.market_client._transport = slow
        buying = asyncio.create_task(buyer.buy(lead_id))
        await eventually(lambda: deps.traffic.in_flight > 0)
        stopping = asyncio.create_task(world.replica.stop())
        await asyncio.sleep(0.1)
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(base_url=world.http.base_url) as newcomer:
                await newcomer.get("/healthz")
        bought = await buying
        assert bought.status_code == 201
        assert bought.headers["connection"] == "close"
        await stopping


async def test_health_readiness_and_metrics(world: World) -> None:
    world.replica.check_health()
    assert (await world.http.get("/readyz")).json()["status"] == "ready"
    await world.http.get("/v1/plans")
    text = (await world.http.get("/metrics")).text
    assert 'route="GET /v1/plans",status="200"' in text
    assert "aiqleads_feed_sockets" in text
    assert world.replica._server is not None
    world.replica._server.servers[0].close()
    with pytest.raises(RuntimeError, match="listener"):
        world.replica.check_health()
