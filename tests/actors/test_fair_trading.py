"""Claims, lines, fees and standing orders through a real book and its database."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import pytest
import redis.asyncio as redis

from actors.lead_book import LeadBook
from engine.adapters.redis import user_stream
from engine.market import commands as c
from engine.market.answers import Bought, Done, Held, Queued, StandingKept
from engine.market.buyer_events import BuyerEvent
from engine.market.claims import claim_id_of, commitment_of, draw_of, fill_order_id
from engine.market.commands import Refused
from engine.market.listing import Listing
from engine.market.plan import parse_plans
from engine.market.standing_terms import StandingFilter, StandingTerms
from tests.actors.trading_house import TradingHouse, until

WINDOW_US = 150_000
FEES = parse_plans(
    """
    [plan.basic]
    terms = ["15m", "1h"]
    holds_max = 5
    hold_value_max = 100
    discount_percent = 0
    hold_fee_percent = { "15m" = 10, "1h" = 25 }
    """
)


def terms(price_max: int = 50, **more: Any) -> StandingTerms:
    return StandingTerms(name="mine", price_max=price_max, **more)


async def place(house: TradingHouse, user_id: str, wanted: StandingTerms) -> str:
    standing_order_id = f"standing-{secrets.token_hex(6)}"
    kept = await house.said(c.PlaceStanding(standing_order_id, user_id, wanted))
    assert kept == StandingKept(standing_order_id, 1)
    return standing_order_id


async def bought(house: TradingHouse) -> set[tuple[str, str]]:
    return {(row["lead_id"], row["user_id"]) for row in await house.orders()}


async def sold(house: TradingHouse, lead_id: str, *user_ids: str) -> None:
    async def all_there() -> bool:
        return {(lead_id, user_id) for user_id in user_ids} <= await bought(house)

    await until(all_there)


async def restarted(house: TradingHouse, **options: Any) -> LeadBook:
    await house.books[-1].stop()
    return await house.book(**options)


# --- claims ------------------------------------------------------------------------------


async def test_the_better_plan_wins_a_new_lead_however_late_it_asks(house: TradingHouse) -> None:
    await house.book(claim_window_us=WINDOW_US)
    basic, pro = await house.buyer(), await house.buyer(plan="pro")
    lead_id = await house.lead()
    first = asyncio.create_task(house.buy(lead_id, basic))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(house.said(c.Hold(lead_id, pro, "15m")))
    refused, held = await first, await second
    assert isinstance(held, Held)
    assert isinstance(refused, Refused)
    assert refused.code == "lead-unavailable"
    assert f"/v1/leads/{lead_id}/claims" in refused.detail
    (contest,) = await house.pool.fetch("SELECT * FROM claim_rounds WHERE lead_id = $1", lead_id)
    listed = await house.pool.fetchval(
        "SELECT public->'claims'->>'commitment' FROM market_events"
        " WHERE lead_id = $1 AND event->>'type' = 'listed'",
        lead_id,
    )
    assert listed == commitment_of(contest["seed"])
    claims = await house.pool.fetch(
        "SELECT * FROM claims WHERE lead_id = $1 ORDER BY rank", lead_id
    )
    assert [(row["user_id"], row["result"]) for row in claims] == [(pro, "won"), (basic, "lost")]
    for row in claims:
        assert row["claim_id"] == claim_id_of(row["user_id"], lead_id)
        assert row["draw"] == draw_of(contest["seed"], row["claim_id"])
    await house.audit()


async def test_claims_of_equals_go_by_wins_then_by_the_draw(house: TradingHouse) -> None:
    await house.book(claim_window_us=WINDOW_US)
    buyers = [await house.buyer() for _ in range(4)]
    won: list[str] = []
    for _ in range(4):
        lead_id = await house.lead()
        said = await asyncio.gather(*(house.buy(lead_id, user_id) for user_id in buyers))
        won += [user for user, answer in zip(buyers, said, strict=True) if type(answer) is Bought]
    # Who has won waits until the others have.
    assert sorted(won) == sorted(buyers)
    await restarted(house, claim_window_us=WINDOW_US)
    await house.audit()


async def test_a_claim_without_rivals_is_answered_after_the_window(house: TradingHouse) -> None:
    await house.book(claim_window_us=WINDOW_US)
    ann = await house.buyer(credits=5)
    lead_id = await house.lead()
    began = time.monotonic()
    refused = await house.buy(lead_id, ann)
    assert refused.code == "insufficient-credits"  # What needs no contest is told at once.
    assert isinstance(await house.buy(await house.lead(price=3), ann), Bought)
    assert time.monotonic() - began >= WINDOW_US / 1e6
    assert await house.pool.fetchval("SELECT count(*) FROM claims WHERE user_id = $1", ann) == 0
    await house.audit()


async def test_a_book_that_dies_in_the_window_collects_the_claims_again(
    house: TradingHouse,
) -> None:
    await house.book(claim_window_us=400_000)
    basic, pro = await house.buyer(), await house.buyer(plan="pro")
    lead_id = await house.lead()
    asked = [asyncio.create_task(house.buy(lead_id, user)) for user in (basic, pro)]
    await asyncio.sleep(0.05)
    await house.book(claim_window_us=400_000)
    answers = await asyncio.gather(*asked)
    assert [type(answer) for answer in answers].count(Bought) == 1
    assert len(await house.orders()) == 1
    await house.audit()


async def test_a_lead_withdrawn_in_the_window_is_told_to_who_claimed_it(
    house: TradingHouse,
) -> None:
    await house.book(claim_window_us=WINDOW_US)
    ann = await house.buyer()
    lead_id = await house.lead()
    asked = asyncio.create_task(house.buy(lead_id, ann))
    await asyncio.sleep(0.02)
    await house.said(c.Withdraw(lead_id, "gone"))
    assert (await asked).code == "lead-unavailable"
    await house.audit()


# --- lines -------------------------------------------------------------------------------


async def test_a_seat_that_comes_free_is_kept_for_the_first_in_line(house: TradingHouse) -> None:
    await house.book()
    ann, bob, cyd = [await house.buyer() for _ in range(3)]
    lead_id = await house.lead(price=10)
    await house.said(c.Hold(lead_id, ann, "15m"))
    assert await house.said(c.Join(lead_id, bob)) == Queued(lead_id, 1, 1)
    assert await house.said(c.Join(lead_id, cyd)) == Queued(lead_id, 2, 2)
    assert (await house.said(c.Join(lead_id, cyd))).code == "already-queued"
    await restarted(house)
    assert await house.said(c.Release(lead_id, ann)) == Done()
    assert (await house.said(c.Hold(lead_id, ann, "15m"))).code == "lead-unavailable"
    offer = await house.pool.fetchrow("SELECT * FROM seats WHERE lead_id = $1", lead_id)
    assert (offer["user_id"], offer["is_offer"]) == (bob, True)
    assert (await house.buy(lead_id, bob, from_cart=True)).code == "not-in-cart"
    await house.audit()
    await restarted(house)
    assert await house.said(c.Leave(lead_id, bob)) == Done()
    assert (await house.said(c.Hold(lead_id, bob, "15m"))).code == "lead-unavailable"
    assert isinstance(await house.said(c.Hold(lead_id, cyd, "15m")), Held)
    assert isinstance(await house.buy(lead_id, cyd, from_cart=True), Bought)
    await house.audit()


async def test_an_offer_that_runs_out_goes_to_the_next_in_line(house: TradingHouse) -> None:
    await house.book(offer_us=50_000)
    ann, bob, cyd = [await house.buyer() for _ in range(3)]
    lead_id = await house.lead()
    await house.said(c.Hold(lead_id, ann, "15m"))
    for user_id in (bob, cyd):
        await house.said(c.Join(lead_id, user_id))
    await house.said(c.Release(lead_id, ann))

    async def is_free() -> bool:
        state = "SELECT lead_state FROM lead_trading WHERE lead_id = $1"
        return await house.pool.fetchval(state, lead_id) == "available"

    await until(is_free)
    offered = await house.pool.fetch(
        "SELECT event->>'type' AS type, event->>'user_id' AS user_id FROM market_events"
        " WHERE lead_id = $1 AND event->>'type' IN ('offered', 'queue_left') ORDER BY position",
        lead_id,
    )
    assert [tuple(row) for row in offered] == [
        ("offered", bob), ("queue_left", bob), ("offered", cyd), ("queue_left", cyd),
    ]  # fmt: skip
    await house.audit()


async def test_a_sale_of_the_last_seat_ends_the_line(house: TradingHouse) -> None:
    await house.book()
    ann, bob = await house.buyer(), await house.buyer()
    lead_id = await house.lead()
    await house.said(c.Hold(lead_id, ann, "15m"))
    await house.said(c.Join(lead_id, bob))
    await house.buy(lead_id, ann)
    line = "SELECT count(*) FROM queue_places WHERE lead_id = $1"
    assert await house.pool.fetchval(line, lead_id) == 0
    assert (await house.said(c.Leave(lead_id, bob))).code == "not-queued"
    await house.audit()


# --- fees and limits ---------------------------------------------------------------------


async def test_fees_are_charged_credited_and_given_back(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.actors.trading_house.PLANS", FEES)
    await house.book()
    ann = await house.buyer(credits=100)
    one, two, three = [await house.lead(price=20) for _ in range(3)]
    assert isinstance(await house.said(c.Hold(one, ann, "15m")), Held)
    assert await house.balance(ann) == 98
    assert isinstance(await house.said(c.Extend(one, ann, "1h")), Held)
    assert await house.balance(ann) == 95
    await house.said(c.Hold(two, ann, "1h"))
    await house.said(c.Hold(three, ann, "15m"))
    assert await house.balance(ann) == 88
    await restarted(house)
    await house.said(c.Withdraw(two, "gone"))
    assert await house.balance(ann) == 93
    await house.said(c.Release(three, ann))
    assert await house.balance(ann) == 93
    answer = await house.buy(one, ann)
    assert isinstance(answer, Bought)
    assert (answer.price, answer.balance) == (20, 78)
    assert await house.balance(ann) == 78
    moved = await house.pool.fetch(
        "SELECT reason, sum(amount)::int8 FROM transfers WHERE $1 IN (debit_account,"
        " credit_account) GROUP BY reason",
        f"user:{ann}",
    )
    assert dict(moved) == {
        "hold-fee": 12, "hold-fee-credit": 5, "hold-fee-refund": 5, "purchase": 20
    }  # fmt: skip
    await house.audit()


async def test_what_a_buyer_holds_is_bounded_in_value(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.actors.trading_house.PLANS", FEES)
    await house.book()
    ann = await house.buyer(credits=1_000)
    assert isinstance(await house.said(c.Hold(await house.lead(price=60), ann, "15m")), Held)
    refused = await house.said(c.Hold(await house.lead(price=41), ann, "15m"))
    assert (refused.code, "101" in refused.detail) == ("hold-limit", True)
    assert isinstance(await house.said(c.Hold(await house.lead(price=40), ann, "15m")), Held)
    await house.audit()


# --- standing orders ---------------------------------------------------------------------


@pytest.mark.parametrize("window_us", [0, WINDOW_US])
async def test_a_standing_order_buys_what_is_listed(house: TradingHouse, window_us: int) -> None:
    await house.book(claim_window_us=window_us)
    ann = await house.buyer(credits=100)
    order_id = await place(house, ann, terms(filter=StandingFilter(q="park", source=("zillow",))))
    await place(house, await house.buyer(), terms(filter=StandingFilter(q="palace")))
    lead_id = await house.lead(price=10)
    await sold(house, lead_id, ann)
    (order,) = await house.orders()
    assert order["standing_order_id"] == order_id
    assert order["order_id"] == fill_order_id(order_id, lead_id)
    assert await house.balance(ann) == 90
    row = await house.pool.fetchrow("SELECT * FROM standing_orders WHERE user_id = $1", ann)
    assert (row["bought"], row["spent"]) == (1, 10)
    await house.audit()
    await restarted(house, claim_window_us=window_us)
    await house.audit()


async def test_a_standing_order_buys_when_the_price_comes_down(house: TradingHouse) -> None:
    await house.book()
    ann = await house.buyer(credits=100)
    lead_id = await house.lead(price=60)
    await place(house, ann, terms(price_max=50))
    await house.said(c.Reprice((lead_id,), (51,), "demand"))
    await asyncio.sleep(0.1)
    assert await bought(house) == set()
    await house.said(c.Reprice((lead_id,), (50,), "demand"))
    await sold(house, lead_id, ann)
    assert await house.balance(ann) == 50
    await house.audit()


async def test_a_tick_that_no_book_lived_to_match_is_matched_by_the_next(
    house: TradingHouse,
) -> None:
    book = await house.book()
    ann = await house.buyer(credits=100)
    lead_id = await house.lead(price=60)
    await place(house, ann, terms(price_max=50))
    # Dies between the commit of the tick and its matching.
    book._is_something_due = lambda: False  # type: ignore[method-assign]
    book._book.deciding = lambda now, limit=0: []  # type: ignore[method-assign,assignment]
    await house.said(c.Reprice((lead_id,), (40,), "demand"))
    await house.book()
    await sold(house, lead_id, ann)
    await house.audit()


async def test_caps_budgets_and_balances_are_never_overshot(house: TradingHouse) -> None:
    await house.book(claim_window_us=20_000)
    capped, limited, poor = [await house.buyer(credits=c_) for c_ in (1_000, 1_000, 25)]
    await place(house, capped, terms(per_day=2))
    await place(house, limited, terms(budget=35))
    await place(house, poor, terms())
    listed = [
        c.ListLead(f"lead-{secrets.token_hex(6)}", 10, 3, Listing(sources=("zillow",)))
        for _ in range(6)
    ]
    await asyncio.gather(*(house.said(command) for command in listed))

    async def all_spent() -> bool:
        counts = [await house.balance(user) for user in (capped, limited, poor)]
        return counts == [980, 970, 5]

    await until(all_spent)
    await asyncio.sleep(0.1)
    assert await all_spent()
    await house.audit()


async def test_a_changed_paused_or_cancelled_standing_order(house: TradingHouse) -> None:
    await house.book()
    ann = await house.buyer()
    order_id = await place(house, ann, terms(price_max=5))
    assert await house.said(c.ChangeStanding(order_id, ann, terms(), 1)) == StandingKept(
        order_id, 2
    )
    stale = await house.said(c.ChangeStanding(order_id, ann, terms(), 1))
    assert stale.code == "changed-meanwhile"
    other = await house.buyer()
    assert (await house.said(c.CancelStanding(order_id, other))).code == "not-found"
    paused = c.ChangeStanding(order_id, ann, terms(is_paused=True), 2)
    assert await house.said(paused) == StandingKept(order_id, 3)
    await house.lead()
    assert await house.said(c.CancelStanding(order_id, ann)) == Done()
    await house.lead()
    await asyncio.sleep(0.1)
    assert await bought(house) == set()
    for _ in range(5):
        await place(house, ann, terms())
    one_more = await house.said(c.PlaceStanding("one-more", ann, terms()))
    assert one_more.code == "standing-order-limit"
    await house.audit()


# --- what buyers are told ------------------------------------------------------------------


async def test_buyers_are_told_of_their_own(house: TradingHouse) -> None:
    told: list[BuyerEvent] = []
    ready = asyncio.Event()
    following = asyncio.create_task(user_stream.follow(house.redis_url, told.extend, ready.set))
    await ready.wait()
    await house.book()
    ann, bob = await house.buyer(100), await house.buyer(100)
    lead_id = await house.lead(price=10)
    await house.said(c.Hold(lead_id, ann, "15m"))
    await house.said(c.Join(lead_id, bob))
    await house.said(c.Release(lead_id, ann))
    await house.buy(lead_id, bob)

    def kinds(user_id: str) -> list[str]:
        return [event.type for event in told if event.user_id == user_id]

    await until(lambda: "wallet.changed" in kinds(bob))
    following.cancel()
    assert kinds(ann) == ["hold.started", "hold.ended"]
    assert kinds(bob) == ["queue.offered", "order.created", "wallet.changed"]
    assert told[-1].body == {"balance": 90}
    async with redis.from_url(house.redis_url) as client:
        assert await client.xlen(user_stream.KEY) > 0
