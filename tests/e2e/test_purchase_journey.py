"""From signing up to reading the contact, and what nobody else gets to see of it."""

from __future__ import annotations

from typing import Any

import pytest

from aiqleads.client.errors import AlreadyBought
from tests.e2e.buyer import Buyer, People, assert_problem, new_key
from tests.e2e.feed_reader import THIN, feed, thin, without_price

AUSTIN = "30.2672,-97.7431"
CONTACT = ("name", "phone", "email", "unparsed_address", "latitude", "longitude", "source_url")


async def test_a_buyer_finds_holds_and_buys_a_lead_and_nobody_else_learns_of_it(
    people: People,
) -> None:
    buyer, other = await people.buyer(credits=500), await people.buyer()
    base_url = people.installation.base_url
    async with (
        feed(base_url, buyer.access_token) as mine,
        feed(base_url, other.access_token) as theirs,
    ):
        snapshot = await mine.snapshot("austin")
        await theirs.snapshot("austin")
        last_flags = [f["last"] for f in mine.frames if f["type"] == "snapshot"]
        assert last_flags == [False] * (len(last_flags) - 1) + [True]
        assert all(set(lead) == set(THIN) for lead in snapshot.values())
        assert await _offered(buyer, "austin") == without_price(snapshot)

        teaser = await _nearest_lead(buyer)
        lead_id = teaser["lead_id"]
        assert thin(teaser) == snapshot[lead_id]

        held = await buyer.hold(lead_id)
        assert held.status_code == 201, held.text
        event = await mine.event("lead.held", lead_id)
        assert event["lead"]["seats_left"] == teaser["seats_left"] - 1
        assert set(event["lead"]) == set(THIN)
        cart = await buyer.read("/v1/cart")
        assert [item["lead_id"] for item in cart["items"]] == [lead_id]
        assert cart["total_credits"] == held.json()["price"]

        before = await buyer.balance()
        bought = await buyer.checkout()
        assert bought.status_code == 201, bought.text
        [order] = bought.json()["orders"]
        assert bought.json()["refused"] == []
        assert bought.json()["wallet"]["balance"] == before - order["price"]
        await mine.event("lead.sold", lead_id)
        await theirs.event("lead.sold", lead_id)

        await _assert_contact_is_the_owners(buyer, order)
        await _assert_hidden_from(other, lead_id, order)
        secrets = _secrets(order["contact"])
        for reader in (mine, theirs):
            for frame in reader.frames:
                assert not [secret for secret in secrets if secret in str(frame)]
                assert buyer.user_id not in str(frame)
                assert order["order_id"] not in str(frame)

        async with feed(base_url, other.access_token) as fresh:
            await fresh.snapshot("austin")
            # A snapshot may be a moment old; the events since then follow it.
            await fresh.until(lambda: fresh.seq == theirs.seq)
        assert without_price(fresh.leads) == without_price(theirs.leads)


async def test_a_program_does_the_same_with_the_client(people: People) -> None:
    buyer = (await people.buyer(credits=500)).client
    async with buyer.view("austin") as view:
        found = buyer.search(market="austin", near=(30.2672, -97.7431), radius_m=5000)
        lead = next(lead for lead in await found.all() if lead.lead_state == "available")
        assert (lead.price, lead.seats_left) == (
            view.leads[lead.lead_id].price,
            view.leads[lead.lead_id].seats_left,
        )
        held = await buyer.hold(lead.lead_id)
        await view.until(
            lambda view: view.leads[lead.lead_id].seats_left == lead.seats_left - 1, 15
        )
        assert [item.held_until for item in (await buyer.cart()).items] == [held.held_until]
        purchase = await buyer.checkout()
        [order] = await buyer.orders().all()
        assert order.order_id == purchase.orders[0].order_id
        assert order.contact == purchase.orders[0].contact
        assert order.contact is not None
        assert order.contact.name
        assert sum(entry.amount for entry in await buyer.entries().all()) == (
            purchase.wallet.balance
        )
    with pytest.raises(AlreadyBought):
        await buyer.buy(lead.lead_id)


async def test_what_stays_readable_of_a_sold_lead(people: People) -> None:
    buyer, other = await people.buyer(credits=500), await people.buyer()
    [lead, *_] = [
        lead for lead in await other.everything("/v1/leads", market="austin")
        if lead["max_buyers"] == 1
    ]  # fmt: skip
    bought = await buyer.buy(lead["lead_id"])
    assert bought.status_code == 201, bought.text
    seen = await other.read(f"/v1/leads/{lead['lead_id']}")
    assert seen["lead_state"] == "sold"
    assert seen["seats_left"] == 0
    listed = await other.everything("/v1/leads", market="austin")
    assert lead["lead_id"] not in {each["lead_id"] for each in listed}
    sold = await other.everything("/v1/leads", market="austin", lead_state="sold")
    assert lead["lead_id"] in {each["lead_id"] for each in sold}
    assert_problem(await other.buy(lead["lead_id"]), 409, "lead-unavailable")
    assert_problem(await other.hold(lead["lead_id"]), 409, "lead-unavailable")
    assert_problem(await buyer.buy(lead["lead_id"]), 409, "already-bought")


async def test_a_checkout_buys_what_can_be_paid_and_lists_the_rest(people: People) -> None:
    buyer = await people.buyer()
    leads = await buyer.everything("/v1/leads", market="austin", sort="price")
    cheap, dear = leads[0], leads[-1]
    balance = await buyer.balance()
    assert cheap["price"] <= balance < cheap["price"] + dear["price"]
    for lead in (cheap, dear):
        assert (await buyer.hold(lead["lead_id"])).status_code == 201
    answer = await buyer.checkout()
    assert answer.status_code == 201, answer.text
    [order] = answer.json()["orders"]
    assert order["lead_id"] == cheap["lead_id"]
    [refused] = answer.json()["refused"]
    assert refused["lead_id"] == dear["lead_id"]
    assert refused["problem"]["type"] == "insufficient-credits"
    assert answer.json()["total_credits"] == order["price"]
    problem = assert_problem(await buyer.checkout(), 402, "insufficient-credits")
    assert [each["lead_id"] for each in problem["refused"]] == [dear["lead_id"]]
    missing = await buyer.checkout(lead_ids=[cheap["lead_id"]])
    assert missing.status_code == 409, missing.text
    released = await buyer.ask("DELETE", f"/v1/cart/items/{dear['lead_id']}")
    assert released.status_code == 204
    assert_problem(await buyer.checkout(), 409, "cart-empty")


async def test_holds_are_extended_released_and_not_begun_anew(people: People) -> None:
    buyer = await people.buyer(credits=500)
    [lead, *_] = await buyer.everything("/v1/leads", market="phoenix", sort="price")
    lead_id = lead["lead_id"]
    first = await buyer.hold(lead_id)
    assert first.status_code == 201, first.text
    assert_problem(await buyer.hold(lead_id), 409, "already-held")
    extend = f"/v1/cart/items/{lead_id}/extend"
    day = {"hold": "24h"}
    assert_problem(await buyer.ask("POST", extend, json=day), 403, "plan-required")
    assert_problem(await buyer.ask("POST", extend, json={"hold": "5m"}), 422, "validation")

    gone = await buyer.ask("DELETE", f"/v1/cart/items/{lead_id}")
    assert gone.status_code == 204
    assert gone.content == b""
    nothing = await buyer.ask("DELETE", f"/v1/cart/items/{lead_id}")
    assert_problem(nothing, 409, "not-in-cart")
    again = await buyer.hold(lead_id)
    assert again.status_code == 201, again.text
    assert again.json()["held_until"] == first.json()["held_until"]

    await people.change(buyer, plan="pro")
    longer = await buyer.ask("POST", extend, json=day)
    assert longer.status_code == 200, longer.text
    assert longer.json()["held_until"] > first.json()["held_until"]
    assert longer.json()["hold"] == "24h"
    week = await buyer.ask("POST", extend, json={"hold": "7d"})
    assert_problem(week, 403, "plan-required")


async def test_a_plans_discount_is_taken_off_at_hold_and_buy(people: People) -> None:
    buyer = await people.buyer(credits=500, plan="enterprise")
    leads = await buyer.everything("/v1/leads", market="phoenix", sort="price")
    held = await buyer.hold(leads[-1]["lead_id"])
    assert held.json()["price"] == leads[-1]["price"] * 80 // 100
    bought = await buyer.buy(leads[-2]["lead_id"])
    assert bought.json()["orders"][0]["price"] == leads[-2]["price"] * 80 // 100


async def _offered(buyer: Buyer, market: str) -> dict[str, dict[str, Any]]:
    leads = await buyer.everything("/v1/leads", market=market)
    return without_price({lead["lead_id"]: thin(lead) for lead in leads})


async def _nearest_lead(buyer: Buyer) -> dict[str, Any]:
    """A lead with free seats within 5 km of the centre; all found must lie there."""
    found = await buyer.read(
        "/v1/leads", market="austin", near=AUSTIN, radius_m=5000, sort="distance"
    )
    distances = [lead["distance_m"] for lead in found["items"]]
    assert distances
    assert distances == sorted(distances)
    assert distances[-1] <= 5000
    teaser: dict[str, Any] = next(
        lead for lead in found["items"] if lead["lead_state"] == "available"
    )
    assert not set(CONTACT[:4]) & set(teaser)
    return teaser


async def _assert_contact_is_the_owners(buyer: Buyer, order: dict[str, Any]) -> None:
    contact = order["contact"]
    assert set(CONTACT) <= set(contact)
    assert contact["name"]
    assert contact["phone"] or contact["email"]
    [listed] = await buyer.everything("/v1/orders")
    assert {name: listed[name] for name in order} == order
    assert listed == await buyer.read(f"/v1/orders/{order['order_id']}")
    entries = await buyer.everything("/v1/wallet/entries")
    assert sum(entry["amount"] for entry in entries) == await buyer.balance()
    [paid] = [entry for entry in entries if entry["amount"] < 0]
    assert paid["amount"] == -order["price"]
    assert paid["reference"] == order["order_id"]


async def _assert_hidden_from(other: Buyer, lead_id: str, order: dict[str, Any]) -> None:
    assert_problem(await other.get(f"/v1/orders/{order['order_id']}"), 404, "not-found")
    assert await other.everything("/v1/orders") == []
    assert (await other.read("/v1/cart"))["items"] == []
    seen = [await other.read(f"/v1/leads/{lead_id}")]
    seen += await other.everything("/v1/leads", market="austin", lead_state="available,held,sold")
    secrets = _secrets(order["contact"])
    assert not [secret for secret in secrets if secret in str(seen)]
    for secret in (order["contact"]["name"], order["contact"]["email"]):
        found = await other.read("/v1/leads", q=f'"{secret}"')
        assert found["total"] == 0, secret
    refused = await other.ask("DELETE", f"/v1/cart/items/{lead_id}")
    assert_problem(refused, 409, "not-in-cart")
    stolen = await other.checkout(key=new_key(), lead_ids=[lead_id])
    assert_problem(stolen, 409, "not-in-cart")


def _secrets(contact: dict[str, Any]) -> list[str]:
    return [str(contact[name]) for name in CONTACT if contact[name] is not None]
