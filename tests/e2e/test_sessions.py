"""Signing in and out, and tokens that were stolen."""

from __future__ import annotations

from tests.e2e.buyer import PASSWORD, Buyer, People, assert_problem


async def _refresh(people: People, token: str) -> Buyer:
    answer = await people.http.post("/v1/auth/refresh", json={"refresh_token": token})
    assert answer.status_code == 200, answer.text
    return Buyer(people.http, "", "", answer.json())


async def test_a_reused_refresh_token_ends_its_family_and_no_other(people: People) -> None:
    first = await people.buyer()
    elsewhere = await people.sign_in(first.user_id, first.email)
    second = await _refresh(people, first.refresh_token)
    third = await _refresh(people, second.refresh_token)
    for session in (first, second, third):
        await session.read("/v1/me")
    reused = await people.http.post("/v1/auth/refresh", json={"refresh_token": first.refresh_token})
    assert_problem(reused, 401, "token-reused")
    for session in (first, second, third):
        assert_problem(await session.get("/v1/me"), 401, "unauthorized")
    dead = await people.http.post("/v1/auth/refresh", json={"refresh_token": third.refresh_token})
    assert dead.status_code == 401
    await elsewhere.read("/v1/me")
    await _refresh(people, elsewhere.refresh_token)


async def test_signing_out_ends_the_access_token_too(people: People) -> None:
    buyer = await people.buyer()
    body = {"refresh_token": buyer.refresh_token}
    out = await people.http.post("/v1/auth/logout", json=body)
    assert out.status_code == 204, out.text
    assert_problem(await buyer.get("/v1/me"), 401, "unauthorized")
    assert (await people.http.post("/v1/auth/refresh", json=body)).status_code == 401


async def test_wrong_credentials_and_taken_addresses(people: People) -> None:
    _, email = await people.register()
    wrong = {"email": email, "password": "not the one"}
    known = await people.http.post("/v1/auth/login", json=wrong)
    assert_problem(known, 401, "invalid-credentials")
    nobody = {"email": "nobody@e2e.example", "password": PASSWORD}
    unknown = await people.http.post("/v1/auth/login", json=nobody)
    assert assert_problem(unknown, 401, "invalid-credentials")["detail"] == known.json()["detail"]
    for taken in (email, email.upper()):
        form = {"email": taken, "password": PASSWORD, "full_name": "Other"}
        assert_problem(await people.http.post("/v1/auth/register", json=form), 409, "email-taken")


async def test_a_suspended_account_can_do_nothing(people: People) -> None:
    buyer = await people.buyer()
    await people.change(buyer, status="suspended")
    answer = await buyer.get("/v1/me")
    assert answer.status_code in (401, 403), answer.text
    form = {"email": buyer.email, "password": PASSWORD}
    assert_problem(await people.http.post("/v1/auth/login", json=form), 403, "forbidden")


async def test_a_new_admin_may_and_a_former_one_may_not(people: People) -> None:
    buyer = await people.buyer()
    assert_problem(await buyer.get("/v1/admin/users"), 403, "forbidden")
    await people.change(buyer, role="admin")
    await buyer.read("/v1/admin/users")
    await people.change(buyer, role="buyer")
    assert_problem(await buyer.get("/v1/admin/users"), 403, "forbidden")
