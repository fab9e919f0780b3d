"""A request may be sent again: with its key it is answered as the first time."""

from __future__ import annotations

import asyncio

from tests.e2e.buyer import People, assert_problem, new_key


async def test_a_repeated_buy_is_answered_alike_and_paid_once(people: People) -> None:
    buyer = await people.buyer(credits=500)
    [lead, *_] = await buyer.everything("/v1/leads", market="las-vegas", sort="price")
    key, path = new_key(), f"/v1/leads/{lead['lead_id']}/buy"
    answers = await asyncio.gather(
        *(buyer.ask("POST", path, key=key, json={"max_price": 200}) for _ in range(5))
    )
    answers.append(await buyer.ask("POST", path, key=key, json={"max_price": 200}))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(await buyer.everything("/v1/orders")) == 1
    # Compared as parsed JSON: spaces and order of members are no difference.
    spaced = await buyer.ask(
        "POST", path, key=key, content=b'{ "max_price" :200 }',
    )  # fmt: skip
    assert spaced.text == answers[0].text
    other = await buyer.ask("POST", path, key=key, json={"max_price": 201})
    assert_problem(other, 422, "idempotency-mismatch")
    assert_problem(await buyer.ask("POST", path, json={}), 400, "idempotency-key-required")
    assert_problem(await buyer.buy(lead["lead_id"]), 409, "already-bought")


async def test_a_repeated_checkout_is_answered_alike(people: People) -> None:
    buyer = await people.buyer(credits=500)
    leads = await buyer.everything("/v1/leads", market="las-vegas", lead_state="available")
    for lead in leads[:3]:
        assert (await buyer.hold(lead["lead_id"])).status_code == 201
    key = new_key()
    answers = await asyncio.gather(*(buyer.checkout(key=key) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.text for answer in answers}) == 1
    assert len(answers[0].json()["orders"]) == 3
    later = await buyer.checkout(key=key)
    assert later.text == answers[0].text
    mismatch = await buyer.checkout(key=key, lead_ids=[leads[0]["lead_id"]])
    assert_problem(mismatch, 422, "idempotency-mismatch")
    assert_problem(
        await buyer.ask("POST", "/v1/checkout", json={}), 400, "idempotency-key-required"
    )


async def test_a_decided_refusal_is_repeated_even_when_it_would_succeed_now(
    people: People,
) -> None:
    buyer = await people.buyer()
    leads = await buyer.everything("/v1/leads", market="las-vegas", lead_state="available")
    dear = max(leads, key=lambda lead: lead["price"])
    key = new_key()
    first = await buyer.buy(dear["lead_id"], key=key)
    assert_problem(first, 402, "insufficient-credits")
    await people.grant(buyer, 500)
    assert_problem(await buyer.buy(dear["lead_id"], key=key), 402, "insufficient-credits")
    assert (await buyer.buy(dear["lead_id"])).status_code == 201


async def test_a_repeated_grant_gives_once(people: People) -> None:
    buyer, admin = await people.buyer(), await people.admin()
    before = await buyer.balance()
    path, key = f"/v1/admin/wallets/{buyer.user_id}/grants", new_key()
    answers = await asyncio.gather(
        *(
            admin.ask("POST", path, key=key, json={"credits": 7, "reason": "thanks"})
            for _ in range(3)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert await buyer.balance() == before + 7
    other = await admin.ask("POST", path, key=key, json={"credits": 8, "reason": "thanks"})
    assert_problem(other, 422, "idempotency-mismatch")
    keyless = await admin.ask("POST", path, json={"credits": 7, "reason": "thanks"})
    assert_problem(keyless, 400, "idempotency-key-required")


async def test_keys_of_two_buyers_and_of_two_paths_are_apart(people: People) -> None:
    one, two = await people.buyer(credits=500), await people.buyer(credits=500)
    leads = await one.everything("/v1/leads", market="las-vegas", lead_state="available")
    shared = [lead for lead in leads if lead["seats_left"] >= 2][:2]
    key = new_key()
    for buyer in (one, two):
        for lead in shared:
            answer = await buyer.buy(lead["lead_id"], key=key)
            assert answer.status_code == 201, answer.text
    assert len(await one.everything("/v1/orders")) == 2
    assert len(await two.everything("/v1/orders")) == 2


async def test_what_is_wrong_is_told_in_the_contracts_order(people: People) -> None:
    """401 before 403 before 400 before 422; 429 has a test where limits are on."""
    buyer, admin = await people.buyer(), await people.admin()
    path, wrong = f"/v1/admin/wallets/{buyer.user_id}/grants", {"credits": "many"}
    assert_problem(await people.http.post(path, json=wrong), 401, "unauthorized")
    assert_problem(await buyer.ask("POST", path, json=wrong), 403, "forbidden")
    keyless = await admin.ask("POST", path, json=wrong)
    assert_problem(keyless, 400, "idempotency-key-required")
    problem = assert_problem(
        await admin.ask("POST", path, key=new_key(), json=wrong), 422, "validation"
    )
    assert {error["location"] for error in problem["errors"]} == {"body.credits", "body.reason"}
    unknown = await buyer.get("/v1/leads", market="austin", colour="red")
    assert_problem(unknown, 422, "validation")
    assert_problem(await buyer.get("/v1/leads/no-such-lead"), 404, "not-found")
