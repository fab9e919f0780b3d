"""Accounts and sessions over HTTP."""

from __future__ import annotations

import asyncio
import time

import jwt
import pytest

from engine.adapters.postgres.accounts import ensure_admin
from tests.serve_apps.api.world import (
    ADMIN_EMAIL,
    PASSWORD,
    Caller,
    World,
    assert_problem,
    eventually,
    running,
    world_settings,
)


async def test_register_sign_in_and_read_the_profile(world: World) -> None:
    made = await world.register(
        email="Ann@Example.com", phone="+15125550100", preferred_market="austin"
    )
    assert made.status_code == 201, made.text
    account = made.json()
    assert account["plan"] == "basic"
    assert account["role"] == "buyer"
    assert account["email"] == "Ann@Example.com"
    assert "password" not in made.text

    tokens = await world.sign_in("ann@example.COM")
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == world.settings.access_token_seconds
    caller = Caller(world.http, account["user_id"], tokens)
    assert (await caller.get("/v1/me")).json() == account
    assert_problem(await world.register(email="ANN@example.com"), 409, "email-taken")


async def test_wrong_credentials_are_alike(world: World) -> None:
    await world.register(email="bob@example.com")
    for email, password in (("bob@example.com", "wrong"), ("nobody@example.com", PASSWORD)):
        answered = await world.http.post(
            "/v1/auth/login", json={"email": email, "password": password}
        )
        problem = assert_problem(answered, 401, "invalid-credentials")
        assert problem["detail"] == "no account has this e-mail and password"


@pytest.mark.parametrize(
    "form",
    [
        {"email": "not an e-mail"},
        {"email": "a@example.com\u0000"},
        {"password": "short"},
        {"full_name": ""},
        {"full_name": "nul\u0000"},
        {"phone": "555-0100"},
        {"preferred_market": "atlantis"},
        {"role": "admin"},
        {"full_name": 7},
    ],
)
async def test_a_bad_registration_says_what_is_wrong(world: World, form: dict[str, str]) -> None:
    problem = assert_problem(await world.register(**form), 422, "validation")
    assert next(iter(form)) in problem["errors"][0]["location"]


async def test_bodies_that_are_no_objects(world: World) -> None:
    for content in (b"", b"[]", b"nul", b'{"email":"\\ud800@example.com"}', b"\xff", b"[" * 5000):
        answered = await world.http.post("/v1/auth/login", content=content)
        assert_problem(answered, 422, "validation")
    answered = await world.http.post("/v1/auth/login", content=b"x" * 70_000)
    assert "65536" in assert_problem(answered, 422, "validation")["detail"]


async def test_refresh_rotates_and_reuse_ends_the_family(world: World) -> None:
    buyer = await world.buyer()
    first = buyer.tokens["refresh_token"]
    rotated = await world.http.post("/v1/auth/refresh", json={"refresh_token": first})
    assert rotated.status_code == 200, rotated.text
    fresh = Caller(world.http, buyer.user_id, rotated.json())
    assert (await fresh.get("/v1/wallet")).status_code == 200

    reused = await world.http.post("/v1/auth/refresh", json={"refresh_token": first})
    assert_problem(reused, 401, "token-reused")
    assert_problem(await fresh.get("/v1/wallet"), 401, "unauthorized")
    newest = await world.http.post(
        "/v1/auth/refresh", json={"refresh_token": fresh.tokens["refresh_token"]}
    )
    assert_problem(newest, 401, "token-reused")


async def test_an_invented_refresh_token_ends_nobodys_session(world: World) -> None:
    buyer = await world.buyer()
    family = buyer.tokens["refresh_token"].split(".")[0]
    for invented in (f"{family}.guess.guess", "x", f"{family}.", "\u00e9"):
        answered = await world.http.post("/v1/auth/refresh", json={"refresh_token": invented})
        assert_problem(answered, 401, "unauthorized")
    assert (await buyer.get("/v1/wallet")).status_code == 200


async def test_of_concurrent_refreshes_one_wins(world: World) -> None:
    buyer = await world.buyer()
    body = {"refresh_token": buyer.tokens["refresh_token"]}
    answers = await asyncio.gather(
        *(world.http.post("/v1/auth/refresh", json=body) for _ in range(4))
    )
    assert sorted(answered.status_code for answered in answers) == [200, 401, 401, 401]


async def test_logout_ends_access_tokens_on_every_replica(
    database_url: str, redis_url: str
) -> None:
    settings = world_settings(database_url, redis_url)
    async with running(settings) as here, running(settings) as there:
        buyer = await here.buyer()
        elsewhere = Caller(there.http, buyer.user_id, buyer.tokens)
        assert (await elsewhere.get("/v1/wallet")).status_code == 200
        out = await here.http.post(
            "/v1/auth/logout", json={"refresh_token": buyer.tokens["refresh_token"]}
        )
        assert out.status_code == 204
        assert_problem(await buyer.get("/v1/wallet"), 401, "unauthorized")
        deadline = time.monotonic() + 3
        while (await elsewhere.get("/v1/wallet")).status_code != 401:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_a_change_of_plan_reaches_a_replica_that_lost_its_notifications(
    world: World,
) -> None:
    buyer = await world.buyer()
    assert (await buyer.get("/v1/me/subscription")).json()["plan"] == "basic"
    deps = world.replica.deps
    assert deps is not None
    await deps.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'api accounts' AND datname = current_database()"
    )
    await eventually(lambda: not deps.accounts.listening)
    await deps.pool.execute("UPDATE users SET plan = 'pro' WHERE user_id = $1", buyer.user_id)
    assert (await buyer.get("/v1/me/subscription")).json()["plan"] == "pro"


async def test_forged_and_expired_tokens(world: World) -> None:
    buyer = await world.buyer()
    secret = world.settings.jwt_secret.get_secret_value()
    claims = jwt.decode(buyer.tokens["access_token"], secret, algorithms=["HS256"])
    old = jwt.encode(claims | {"exp": int(time.time()) - 1}, secret, algorithm="HS256")
    forged = jwt.encode(claims, "f" * 40, algorithm="HS256")
    unsigned = jwt.encode(claims, None, algorithm="none")
    bare = jwt.encode({"sub": buyer.user_id, "exp": claims["exp"]}, secret, algorithm="HS256")
    for token in (old, forged, unsigned, bare, "x", "\u00e9" * 10):
        answered = await world.http.get(
            "/v1/me", headers={"authorization": f"Bearer {token}".encode()}
        )
        assert_problem(answered, 401, "unauthorized")
        assert answered.headers["www-authenticate"].startswith("Bearer")


async def test_patching_the_profile(world: World) -> None:
    buyer = await world.buyer()
    changed = await buyer.request(
        "PATCH", "/v1/me", json={"full_name": "B. Yer", "phone": "+15125550123"}
    )
    assert changed.json()["full_name"] == "B. Yer"
    cleared = await buyer.request("PATCH", "/v1/me", json={"phone": None})
    assert cleared.json()["phone"] is None
    assert cleared.json()["full_name"] == "B. Yer"
    nameless = await buyer.request("PATCH", "/v1/me", json={"full_name": None})
    assert_problem(nameless, 422, "validation")


async def test_suspending_ends_sessions_and_refuses_sign_in(world: World) -> None:
    admin = await world.admin()
    made = (await world.register(email="eve@example.com")).json()
    eve = Caller(world.http, made["user_id"], await world.sign_in("eve@example.com"))
    path = f"/v1/admin/users/{made['user_id']}"
    patched = await admin.request("PATCH", path, json={"status": "suspended"})
    assert patched.json()["status"] == "suspended"
    assert_problem(await eve.get("/v1/me"), 401, "unauthorized")
    answered = await world.http.post(
        "/v1/auth/login", json={"email": "eve@example.com", "password": PASSWORD}
    )
    assert_problem(answered, 403, "forbidden")


async def test_the_first_admin_is_made_once(world: World) -> None:
    admin = await world.admin()
    assert await ensure_admin(world.settings.database_url, ADMIN_EMAIL, "another one") == (
        admin.user_id
    )
    await world.sign_in(ADMIN_EMAIL, "another one")
    await ensure_admin(world.settings.database_url, ADMIN_EMAIL, PASSWORD)


async def test_welcome_credits_pay_for_two_median_leads(database_url: str, redis_url: str) -> None:
    settings = world_settings(database_url, redis_url, welcome_credits=None)
    async with running(settings) as world:
        assert world.replica.deps is not None
        await world.replica.deps.pool.execute("TRUNCATE lead_trading")
        await (await world.buyer()).get("/v1/wallet")
        for price in (10, 30, 1000):
            await world.lead(price=price)
        newcomer = await world.buyer()
        assert await newcomer.balance() == 60
        entries = (await newcomer.get("/v1/wallet/entries")).json()["items"]
        assert [entry["reason"] for entry in entries] == ["welcome"]
