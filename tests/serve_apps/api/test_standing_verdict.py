"""Why a standing order bought a lead or did not, over HTTP: from what was recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from engine.adapters.postgres import lead_journal
from engine.adapters.postgres.standing_verdict import MOMENTS_MAX
from engine.market import commands as c
from engine.market import events as e
from engine.market.instant import rfc3339, to_datetime
from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter, StandingTerms
from serve_apps.api.schemas.standing_outcomes import Verdict
from tests.serve_apps.api.shelf import Shelf
from tests.serve_apps.api.world import Caller, World, assert_problem

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
TERMS = StandingTerms(name="x", price_max=10)


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


async def why(buyer: Caller, standing_order_id: str, lead_id: str) -> dict[str, Any]:
    answered = await buyer.get(f"/v1/standing-orders/{standing_order_id}/leads/{lead_id}")
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    Verdict.model_validate(found)
    return found


def failed(found: dict[str, Any]) -> list[list[str]]:
    return [evaluation["rules_failed"] for evaluation in found["evaluations"]]


async def pay(shelf: Shelf, user_id: str, amount: int, at: int) -> None:
    """A grant at `at`; the wallet itself is what the test makes it."""
    await shelf.pool.execute(
        "INSERT INTO transfers (transfer_id, debit_account, credit_account, amount, reason,"
        " created_at) VALUES ($1, 'house:grants', $2, $3, 'test', $4)",
        f"{user_id}-{at}",
        f"user:{user_id}",
        amount,
        to_datetime(at),
    )
    await shelf.pool.execute(
        "UPDATE wallets SET balance = balance + $2 WHERE user_id = $1", user_id, amount
    )


async def test_every_moment_is_told_with_its_rules(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer(credits=50)
    terms = msgspec.structs.replace(TERMS, filter=StandingFilter(property_type=("Land",)))
    id_ = await shelf.standing(buyer.user_id, terms, START)
    lead_id = await shelf.lead(START + SECOND, price=12, listing=Listing(property_type="Farm"))
    await shelf.journal(e.LeadUpdated(lead_id, Listing(property_type="Land")), START + 2 * SECOND)
    await shelf.tick({lead_id: 11}, START + 3 * SECOND)
    paused = msgspec.structs.replace(TERMS, is_paused=True)
    await shelf.change(id_, paused, START + 4 * SECOND)
    await shelf.tick({lead_id: 9}, START + 5 * SECOND)

    assert await why(buyer, id_, lead_id) == {
        "standing_order_id": id_,
        "lead_id": lead_id,
        "outcome": "not-bought",
        "order_id": None,
        "is_cut": False,
        "evaluations": [
            {
                "at": rfc3339(START + SECOND),
                "because": "listed",
                "price": 12,
                "rules_failed": ["filter.property_type", "price", "credits"],
                "details": {
                    "filter.property_type": "its property_type is Farm; wanted: Land",
                    "price": "the price was 12; the top price is 10",
                    "credits": "it cost 12; your balance was 0",
                },
            },
            {
                "at": rfc3339(START + 3 * SECOND),
                "because": "price",
                "price": 11,
                "rules_failed": ["price", "credits"],
                "details": {
                    "price": "the price was 11; the top price is 10",
                    "credits": "it cost 11; your balance was 0",
                },
            },
            {
                "at": rfc3339(START + 5 * SECOND),
                "because": "price",
                "price": 9,
                "rules_failed": ["paused", "credits"],
                "details": {
                    "paused": "the order was paused",
                    "credits": "it cost 9; your balance was 0",
                },
            },
        ],
    }


async def test_means_are_those_of_then(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    await pay(shelf, buyer.user_id, 20, START + 5 * SECOND)
    terms = msgspec.structs.replace(TERMS, per_day=2, budget=25)
    id_ = await shelf.standing(buyer.user_id, terms, START)
    early, late, tomorrow = [
        await shelf.lead(at)
        for at in (START + 4 * SECOND, START + 20 * SECOND, START + 90_000 * SECOND)
    ]
    assert failed(await why(buyer, id_, early)) == [["credits"]]
    for at in (8, 9):
        bought = await shelf.lead(START + at * SECOND, price=10)
        await shelf.sell(bought, buyer.user_id, 10, START + at * SECOND, id_)
    assert (await why(buyer, id_, late))["evaluations"][0]["details"] == {
        "per_day": "2 were bought that day; at most 2 a day",
        "budget": "20 were spent and it cost 10; the budget is 25",
    }
    assert failed(await why(buyer, id_, tomorrow)) == [["budget"]]


async def test_text_and_merges(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    await pay(shelf, buyer.user_id, 20, START)
    terms = msgspec.structs.replace(TERMS, filter=StandingFilter(q="creek"))
    id_ = await shelf.standing(buyer.user_id, terms, START)
    plain = Listing(public_remarks="A house")
    lead_id = await shelf.lead(START + SECOND, listing=plain)
    said = Listing(public_remarks="By two creeks")
    await shelf.journal(e.LeadUpdated(lead_id, said), START + 2 * SECOND)
    await shelf.pool.execute(
        "UPDATE leads SET public_remarks = 'By two creeks' WHERE lead_id = $1", lead_id
    )
    mine = await shelf.lead(START - 9 * SECOND)
    await shelf.sell(mine, buyer.user_id, 10, START - 8 * SECOND)
    await shelf.tick({lead_id: 9}, START + 3 * SECOND)
    await shelf.journal(e.LeadWithdrawn(mine, "merged", lead_id), START + 4 * SECOND)
    await shelf.pool.execute("UPDATE leads SET merged_into = $2 WHERE lead_id = $1", mine, lead_id)
    await shelf.tick({lead_id: 8}, START + 20 * SECOND)
    assert failed(await why(buyer, id_, lead_id)) == [
        ["filter.q"],
        ["unknown"],
        ["already_bought"],
    ]


async def test_a_contest_lost_names_the_place_and_nobody(world: World, shelf: Shelf) -> None:
    buyer, rival = await world.buyer(), await world.buyer()
    await pay(shelf, buyer.user_id, 20, START)
    id_ = await shelf.standing(buyer.user_id, TERMS, START)
    lead_id = await shelf.lead(START + SECOND, decide_at=START + 2 * SECOND)
    entries = (
        e.ClaimEntry("a", "buy", rival.user_id, 1, 0, "0", "won"),
        e.ClaimEntry("b", "standing", buyer.user_id, 0, 0, "1", "lost", id_),
    )
    decided = e.ClaimsDecided(lead_id, 0, 1, "seed", "next", entries)
    await shelf.contest(decided, START + 2 * SECOND)
    await shelf.sell(lead_id, rival.user_id, 10, START + 2 * SECOND)
    found = await why(buyer, id_, lead_id)
    assert found["evaluations"] == [
        {
            "at": rfc3339(START + 2 * SECOND),
            "because": "listed",
            "price": 10,
            "rules_failed": ["outranked"],
            "details": {
                "outranked": "more claimed it than had seats (1); it came as number 2 of 2"
            },
        }
    ]
    assert rival.user_id not in str(found)


async def test_of_many_moments_the_last_are_told(
    world: World, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = await world.buyer()
    id_ = await shelf.standing(buyer.user_id, TERMS, START)
    lead_id = await shelf.lead(START + SECOND, price=99)
    for number in range(MOMENTS_MAX + 2):
        await shelf.tick({lead_id: 98 - number}, START + (2 + number) * SECOND)
    found = await why(buyer, id_, lead_id)
    assert found["is_cut"]
    prices = [evaluation["price"] for evaluation in found["evaluations"]]
    assert prices == [98 - number for number in range(2, MOMENTS_MAX + 2)]

    monkeypatch.setattr(lead_journal, "TICKS_MAX", 3)
    found = await why(buyer, id_, lead_id)
    assert found["is_cut"]
    assert [evaluation["price"] for evaluation in found["evaluations"]] == prices[-3:]


async def test_what_is_not_ones_own_is_not_found(world: World, shelf: Shelf) -> None:
    buyer, other = await world.buyer(), await world.buyer()
    id_ = await shelf.standing(buyer.user_id, TERMS, START)
    lead_id = await shelf.lead(START - SECOND)
    assert (await why(buyer, id_, lead_id))["outcome"] == "not-considered"
    assert (await why(buyer, id_, await world.lead()))["outcome"] == "not-considered"
    path = "/v1/standing-orders/{}/leads/{}"
    for caller, order, lead in (
        (other, id_, lead_id),
        (buyer, "nowhere", lead_id),
        (buyer, id_, "nowhere"),
        (buyer, id_, "no\u00e9"),
    ):
        assert_problem(await caller.get(path.format(order, lead)), 404, "not-found")
    await shelf.pool.execute(
        "UPDATE lead_trading SET lead_state = 'quarantined' WHERE lead_id = $1", lead_id
    )
    assert_problem(await buyer.get(path.format(id_, lead_id)), 404, "not-found")


async def test_what_a_book_decided_is_explained(world: World) -> None:
    buyer = await world.buyer(credits=15, plan="pro")
    land = Listing(property_type="Why")
    body = {"market": "austin", "price_max": 10, "filter": {"property_type": "Why"}}
    placed = (await buyer.post("/v1/standing-orders", body)).json()
    id_ = placed["standing_order_id"]
    bought, costly, late = [await world.lead(price=p, listing=land) for p in (10, 11, 9)]
    async with asyncio.timeout(10):
        while (await why(buyer, id_, late))["outcome"] == "not-considered":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await world.submit("austin", c.Reprice((costly,), (10,), "test"))

    first = await why(buyer, id_, bought)
    assert first["outcome"] == "bought"
    orders = (await buyer.get("/v1/orders")).json()["items"]
    assert [order["order_id"] for order in orders] == [first["order_id"]]
    assert failed(first) == [[]]
    assert failed(await why(buyer, id_, costly)) == [["price", "credits"], ["credits"]]
    second = await why(buyer, id_, late)
    assert (second["outcome"], failed(second)) == ("not-bought", [["credits"]])
    assert second["evaluations"][0]["details"] == {"credits": "it cost 8; your balance was 6"}

    await buyer.request("DELETE", f"/v1/standing-orders/{id_}")
    after = await world.lead(price=5, listing=land)
    assert (await why(buyer, id_, after))["outcome"] == "not-considered"
    assert (await why(buyer, id_, bought))["outcome"] == "bought"
