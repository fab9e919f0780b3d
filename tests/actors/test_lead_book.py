"""LeadBook on real servers: trading end to end, many buyers at once, and what the database
refuses even if a book had it wrong."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter

import asyncpg
import msgspec
import pytest

from actors.client import AWAY, BUSY
from actors.lead_book import INBOX_MAX
from engine.market import commands as c
from engine.market.answers import Bought, Done, Held, Request
from engine.market.listing import Listing
from tests.actors.trading_house import CANARY, PLANS, TradingHouse, trading_house, until, wavering

_encode = msgspec.msgpack.Encoder().encode


async def test_hold_extend_release_buy(house: TradingHouse) -> None:
    await house.book()
    ann, bob = await house.buyer(100, "pro"), await house.buyer(100)
    lead_id = await house.lead(price=15)

    held = await house.said(c.Hold(lead_id, ann, "15m"))
    assert isinstance(held, Held)
    assert held.price == 13
    assert (await house.buy(lead_id, bob)).code == "lead-unavailable"
    extended = await house.said(c.Extend(lead_id, ann, "24h"))
    gained = PLANS["pro"].terms_us["24h"] - PLANS["pro"].terms_us["15m"]
    assert extended == Held(lead_id, 13, "24h", held.held_until + gained)
    # The price is locked for who holds, and moves for others.
    assert await house.said(c.Reprice((lead_id,), (40,), "demand")) == Done()
    reply = await house.ask(c.Buy(lead_id, ann, "order-1", from_cart=True))
    assert isinstance(reply.answer, Bought)
    assert (reply.answer.price, reply.answer.balance) == (13, 87)
    assert reply.contact is not None
    assert reply.contact.phone == CANARY
    assert await house.balance(ann) == 87

    other = await house.lead(price=20)
    await house.said(c.Hold(other, bob, "15m"))
    assert await house.said(c.Release(other, bob)) == Done()
    assert (await house.said(c.Release(other, bob))).code == "not-in-cart"
    bought = await house.buy(other, bob)
    assert isinstance(bought, Bought)
    assert (await house.buy(other, bob)).code == "already-bought"
    await house.audit()
    await until(house.stream_is_complete)


async def test_a_repeat_is_answered_from_what_was_stored(house: TradingHouse) -> None:
    await house.book()
    ann, lead_id = await house.buyer(), await house.lead()
    command, id_ = c.Buy(lead_id, ann, "order-repeat"), secrets.token_bytes(16)
    first = await house.ask(command, command_id=id_, request_hash=b"body")
    assert await house.ask(command, command_id=id_, request_hash=b"body") == first
    # Another book, another process even, says the same.
    await house.books[-1].stop()
    await house.book()
    assert await house.ask(command, command_id=id_, request_hash=b"body") == first
    other = await house.said(command, command_id=id_, request_hash=b"other")
    assert other.code == "idempotency-mismatch"
    assert len(await house.orders()) == 1


async def test_200_buyers_and_3_seats_each_asking_three_times(house: TradingHouse) -> None:
    await house.book()
    lead_id = await house.lead(price=10, max_buyers=3)
    solvent = [await house.buyer(25) for _ in range(120)]
    broke = [await house.buyer(9) for _ in range(80)]
    before = await house.credits()
    orders = {user: f"order-{user}" for user in solvent + broke}
    asked = [
        (user, c.Buy(lead_id, user, orders[user]), user.encode()[-16:].rjust(16, b"."))
        for user in solvent + broke
    ] * 3
    random.Random(7).shuffle(asked)
    said = await asyncio.gather(
        *(house.said(command, command_id=id_, request_hash=b"body") for _, command, id_ in asked)
    )
    answers: dict[str, set[object]] = {}
    for (user, _, _), answer in zip(asked, said, strict=True):
        answers.setdefault(user, set()).add(answer)
    assert all(len(each) == 1 for each in answers.values()), "a repeat was answered otherwise"
    final = {user: each.pop() for user, each in answers.items()}
    winners = {user for user, answer in final.items() if isinstance(answer, Bought)}
    assert len(winners) == 3
    assert winners <= set(solvent)
    refused = Counter(answer.code for user, answer in final.items() if user not in winners)
    assert set(refused) <= {"lead-unavailable", "insufficient-credits"}
    assert {row["user_id"] for row in await house.orders()} == winners
    assert sorted(row["seat"] for row in await house.orders()) == [1, 2, 3]
    assert [await house.balance(user) for user in winners] == [15] * 3
    assert await house.credits() == before
    await house.audit()


async def test_random_load_folds_and_loads_alike(house: TradingHouse) -> None:
    book = await house.book()
    rng = random.Random(11)
    leads = [await house.lead(rng.randint(1, 30), rng.randint(1, 3)) for _ in range(12)]
    plans = ("basic", "pro", "enterprise")
    users = [await house.buyer(rng.choice((0, 50, 5_000)), rng.choice(plans)) for _ in range(15)]
    before = await house.credits()

    def command() -> c.Command:
        lead_id, user, term = rng.choice(leads), rng.choice(users), rng.choice(("15m", "3d", "7d"))
        return rng.choice(
            (
                c.Hold(lead_id, user, term),
                c.Hold(lead_id, user, "15m"),
                c.Extend(lead_id, user, term),
                c.Release(lead_id, user),
                c.Buy(lead_id, user, secrets.token_hex(8), from_cart=rng.random() < 0.5),
                c.Reprice((lead_id,), (rng.randint(1, 40),), "demand"),
                c.UpdateLead(lead_id, Listing(sources=("redfin",), list_price=rng.randint(1, 9))),
                c.Withdraw(lead_id, "gone", rng.choice((None, leads[0]))),
                c.Merge(lead_id, rng.choice(leads)),
                c.Relist(lead_id),
                c.Quarantine(lead_id, "odd"),
                c.Approve(lead_id),
                c.Approve(lead_id),
            )
        )

    for _ in range(12):
        await asyncio.gather(*(house.said(command()) for _ in range(60)))
    assert book.stats()["flushes"] > 12
    assert book.stats()["reloads"] == 0
    await house.audit()
    assert await house.credits() == before
    await until(house.stream_is_complete)
    # And a book that loads goes on where this one was.
    await book.stop()
    await house.book()
    await asyncio.gather(*(house.said(command()) for _ in range(60)))
    await house.audit()


async def test_holds_of_other_markets_count(
    house: TradingHouse, database_url: str, redis_url: str
) -> None:
    """The plan's limit is over all markets, and a hold that ends anywhere makes room."""
    await house.book()
    ann = await house.buyer(1_000)
    leads = [await house.lead() for _ in range(2)]
    limit = PLANS["basic"].holds_max
    async with trading_house(database_url, redis_url) as elsewhere:
        await elsewhere.book()
        others = [await elsewhere.lead() for _ in range(limit - 1)]
        for lead_id in others:
            assert isinstance(await elsewhere.said(c.Hold(lead_id, ann, "15m")), Held)
        assert isinstance(await house.said(c.Hold(leads[0], ann, "15m")), Held)
        assert (await house.said(c.Hold(leads[1], ann, "15m"))).code == "hold-limit"
        assert isinstance(await elsewhere.buy(others[0], ann), Bought)
        assert isinstance(await house.said(c.Hold(leads[1], ann, "15m")), Held)
        over = await elsewhere.said(c.Hold(await elsewhere.lead(), ann, "15m"))
        assert over.code == "hold-limit"
        # A book that loads counts alike.
        await house.books[-1].stop()
        await house.book()
        await house.said(c.Release(leads[0], ann))
        assert isinstance(await house.said(c.Hold(leads[0], ann, "15m")), Held)
        assert (await house.said(c.Hold(await house.lead(), ann, "15m"))).code == "hold-limit"
        await elsewhere.audit()
    await house.audit()


async def test_a_suspended_account_trades_nothing(house: TradingHouse) -> None:
    await house.book()
    ann, lead_id = await house.buyer(), await house.lead()
    await house.pool.execute("UPDATE users SET status = 'suspended' WHERE user_id = $1", ann)
    assert (await house.buy(lead_id, ann)).code == "forbidden"
    assert (await house.said(c.Hold(lead_id, ann, "15m"))).code == "forbidden"
    assert (await house.buy(lead_id, "nobody")).code == "forbidden"


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "INSERT INTO seats SELECT lead_id, seat, market, 'another', max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after, 'x' FROM seats WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO seats SELECT lead_id, 2, market, user_id, max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after, 'x' FROM seats WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO seats SELECT lead_id, 3, market, 'another', max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after, 'x' FROM seats WHERE lead_id = $1",
            asyncpg.CheckViolationError,
        ),
        (
            "INSERT INTO orders SELECT 'again', market, lead_id, user_id, 2, price, bought_at"
            " FROM orders WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO orders SELECT order_id, market, lead_id, user_id, 2, price, bought_at"
            " FROM orders WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO orders SELECT 'other', o.market, lead_id, u.user_id, seat, price,"
            " bought_at FROM orders o, users u WHERE lead_id = $1 AND u.user_id <> o.user_id",
            asyncpg.UniqueViolationError,
        ),
        (
            "UPDATE wallets SET balance = -1 WHERE user_id ="
            " (SELECT user_id FROM orders WHERE lead_id = $1)",
            asyncpg.CheckViolationError,
        ),
        (
            "INSERT INTO transfers SELECT 'again', debit_account, credit_account, 0, reason,"
            " reference, created_at FROM transfers WHERE reference ="
            " (SELECT order_id FROM orders WHERE lead_id = $1)",
            asyncpg.CheckViolationError,
        ),
        (
            "UPDATE lead_trading SET held = max_buyers WHERE lead_id = $1",
            asyncpg.CheckViolationError,
        ),
        (
            "INSERT INTO market_events SELECT market, position, NULL, at, lead_id, event, public"
            " FROM market_events WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO market_events SELECT market, 1000000 + position, feed_seq, at, lead_id,"
            " event, public FROM market_events WHERE lead_id = $1",
            asyncpg.UniqueViolationError,
        ),
        (
            "INSERT INTO commands SELECT * FROM commands WHERE market ="
            " (SELECT market FROM orders WHERE lead_id = $1)",
            asyncpg.UniqueViolationError,
        ),
    ],
    ids=[
        "double-seat", "two-seats-for-one", "seat-past-the-last", "double-order",
        "same-order-id", "order-of-a-sold-seat", "negative-wallet", "empty-transfer",
        "more-taken-than-there-is", "double-position", "double-seq", "double-command",
    ],
)  # fmt: skip
async def test_the_database_refuses(
    house: TradingHouse, statement: str, error: type[Exception]
) -> None:
    await house.book()
    ann, _ = await house.buyer(), await house.buyer()
    lead_id = await house.lead(max_buyers=2)
    assert isinstance(await house.buy(lead_id, ann), Bought)
    with pytest.raises(error):
        await house.pool.execute(statement, lead_id)
    await house.audit()


async def test_answers_lost_on_the_way_change_nothing(house: TradingHouse) -> None:
    """Every call is carried out, and one in three answers is lost: all come right in the end."""
    await house.book()
    rng = random.Random(3)
    house.client._transport = wavering(house.transport, lambda: rng.random() < 0.3)
    leads = [await house.lead(1, 3) for _ in range(20)]
    users = [await house.buyer(1_000) for _ in range(6)]
    said = await asyncio.gather(*(house.buy(lead_id, user) for lead_id in leads for user in users))
    assert sum(isinstance(answer, Bought) for answer in said) == 60
    assert len(await house.orders()) == 60
    await house.audit()


async def test_a_full_inbox_is_busy(house: TradingHouse) -> None:
    book = await house.book()
    request = Request(b"0" * 16, c.Release("none", "nobody"))
    assert await book.submit(_encode([request] * (INBOX_MAX + 1))) == BUSY
    assert await book.submit(_encode([request])) not in (BUSY, AWAY)


async def test_a_stopped_book_is_away(house: TradingHouse) -> None:
    book = await house.book()
    ann, lead_id = await house.buyer(), await house.lead()
    house.client._patience = 0.2
    asked = [asyncio.create_task(house.buy(lead_id, ann)) for _ in range(50)]
    await asyncio.sleep(0)
    await book.stop()
    await asyncio.wait(asked)
    assert all(task.done() for task in asked)
    assert await book.submit(_encode([Request(b"1" * 16, c.Release(lead_id, ann))])) == AWAY
    bought = [t.result() for t in asked if not t.exception() and isinstance(t.result(), Bought)]
    assert len(bought) == len(await house.orders())
    await book.stop()
