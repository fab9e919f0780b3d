"""A LeadBook whose database, Redis, clock or rival misbehaves: nothing acknowledged is lost,
nothing happens twice, and it serves again."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from actors.client import AWAY, BookUnavailable
from engine.adapters.postgres.book_store import BookStore
from engine.adapters.redis import feed_stream
from engine.market import commands as c
from engine.market.answers import Answer, Bought, Held, Request
from engine.market.listing import Listing
from engine.market.outcome import StoredAnswer
from tests.actors.faults import FailingConnection, wire
from tests.actors.trading_house import TradingHouse, trading_house, until

MINUTE_NS = 60_000_000_000


class Clock:
    """A wall clock that is set by hand, ns."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


async def mixed_batch(house: TradingHouse) -> list[c.Command]:
    """Commands that, together, write every kind of row."""
    ann, bob = await house.buyer(100, "pro"), await house.buyer(100)
    one, two, three, four = [await house.lead(max_buyers=2) for _ in range(4)]
    for lead_id in (one, two, three):
        assert isinstance(await house.said(c.Hold(lead_id, ann, "15m")), Held)
    listing = Listing(sources=("redfin",), city="Austin")
    return [
        c.Buy(one, ann, secrets.token_hex(8)),
        c.Buy(one, bob, secrets.token_hex(8)),
        c.Extend(two, ann, "24h"),
        c.Release(three, ann),
        c.Hold(three, bob, "15m"),
        c.Reprice((two, four), (17, 18), "demand"),
        c.UpdateLead(two, listing),
        c.Withdraw(four, "merged", one),
        c.ListLead(f"lead-{secrets.token_hex(6)}", 5, 1, listing),
        c.Buy(two, bob, secrets.token_hex(8), max_price=1),
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_flush_that_breaks_at_any_step(house: TradingHouse, after: bool) -> None:
    book = await house.book()
    house.client = type(house.client)(house.transport, calls_max=1, patience=30.0)
    before = 0
    for step in range(1, 30):
        commands = await mixed_batch(house)
        before = await house.credits()
        assert book._store is not None
        broken = FailingConnection(book._store.connection, step, after=after)
        book._store.connection = broken
        said = await asyncio.gather(
            *(house.said(command, request_hash=b"body") for command in commands)
        )
        assert [type(each).__name__ for each in said] == [
            "Bought", "Bought", "Held", "Done", "Held", "Done", "Done", "Done", "Done", "Refused",
        ]  # fmt: skip
        assert await house.credits() == before
        await house.audit()
        if not broken.failed:
            break
    else:
        pytest.fail("a flush has more steps than this test expects")
    assert step > 3
    assert book.stats()["reloads"] >= step - 2
    await until(house.stream_is_complete)


async def test_backends_dropped_at_random_under_load(house: TradingHouse) -> None:
    book = await house.book()
    rng = random.Random(5)
    leads = [await house.lead(rng.randint(1, 9), 3) for _ in range(40)]
    users = [await house.buyer(10_000) for _ in range(8)]
    before = await house.credits()
    acknowledged: dict[str, tuple[str, str, int]] = {}
    over = False

    async def buyer(user: str) -> None:
        for lead_id in rng.sample(leads, len(leads)):
            order_id = secrets.token_hex(8)
            answer = await house.said(c.Buy(lead_id, user, order_id))
            if isinstance(answer, Bought):
                assert order_id not in acknowledged
                acknowledged[answer.order_id] = (user, lead_id, answer.price)
            await asyncio.sleep(rng.random() * 0.02)

    async def dropper() -> int:
        dropped = 0
        while not over and dropped < 15:
            await asyncio.sleep(0.05 + rng.random() * 0.15)
            dropped += await house.pool.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = $1",
                f"book:{house.market}",
            )
        return dropped

    drops = asyncio.create_task(dropper())
    await asyncio.gather(*(buyer(user) for user in users))
    over = True
    assert await drops > 0
    assert book.stats()["reloads"] > 0
    stored = {
        row["order_id"]: (row["user_id"], row["lead_id"], row["price"])
        for row in await house.orders()
    }
    # An answer may have been lost with a connection, never an order that was answered.
    assert acknowledged == stored
    assert await house.credits() == before
    await house.audit()
    await until(house.stream_is_complete)


async def test_a_wallet_that_stays_locked_costs_no_reload(house: TradingHouse) -> None:
    book = await house.book()
    ann, lead_id = await house.buyer(), await house.lead()
    async with house.pool.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM wallets WHERE user_id = $1 FOR UPDATE", ann)
        asked = asyncio.create_task(house.buy(lead_id, ann))
        await until(lambda: book._losses_in_a_row > 0)
    assert isinstance(await asked, Bought)
    assert book.stats()["reloads"] == 0
    await house.audit()


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
async def test_of_two_live_books_the_older_stops(house: TradingHouse, busy: bool) -> None:
    await the_older_of_two_books_stops(house, busy)


async def test_a_book_without_fencing_is_caught(fresh_database_url: str, redis_url: str) -> None:
    """The same, of a store that lets every book write: what the older one sold stands. In a
    database of its own, for what is left there fails every audit."""

    async def connect() -> Unfenced:
        return await Unfenced.connect(house.database_url, house.market)

    async with trading_house(fresh_database_url, redis_url) as house:
        with pytest.raises(AssertionError):
            await the_older_of_two_books_stops(house, busy=True, connect=connect)
        assert [row["order_id"] for row in await house.orders()] == ["stale"]


class Unfenced(BookStore):
    """Asks for whichever epoch there is."""

    @asynccontextmanager
    async def flush(
        self, epoch: int, command_ids: Sequence[bytes] = ()
    ) -> AsyncIterator[dict[bytes, StoredAnswer]]:
        current = await self.connection.fetchval(
            "SELECT epoch FROM markets WHERE market = $1", self.market
        )
        async with super().flush(current, command_ids) as known:
            yield known


async def the_older_of_two_books_stops(house: TradingHouse, busy: bool, **options: Any) -> None:
    left: list[str] = []
    old = await house.book(on_fenced=lambda: left.append("old"), **options)
    ann, lead_id = await house.buyer(), await house.lead(max_buyers=3)
    new = await house.book(on_fenced=lambda: left.append("new"))
    if busy:
        request = Request(secrets.token_bytes(16), c.Buy(lead_id, ann, "stale"))
        assert await old.submit(msgspec.msgpack.encode([request])) == AWAY
    await until(lambda: old.fenced)
    assert left == ["old"]
    assert await house.orders() == []
    assert isinstance(await house.buy(lead_id, ann), Bought)
    assert not new.fenced
    assert new.stats()["serving"]
    await house.audit()


async def test_a_superseded_book_does_not_take_its_market_back(house: TradingHouse) -> None:
    """Losing its connection, it finds on the way back that another book is there."""
    old = await house.book()
    lead_id = await house.lead()
    new = await house.book()
    assert old._store is not None
    old._store.connection.terminate()
    await until(lambda: old.fenced)
    assert isinstance(await house.buy(lead_id, await house.buyer()), Bought)
    assert (new.fenced, new.stats()["reloads"]) == (False, 0)


async def test_a_reload_gives_the_old_book_back(house: TradingHouse) -> None:
    """By counting alone: what is loaded is kept from the garbage collector."""
    book = await house.book()
    lead_id = await house.lead()
    thrown_away = weakref.ref(book._book)
    gc.disable()
    try:
        assert book._store is not None
        book._store.connection.terminate()
        await until(lambda: book.stats()["reloads"] == 1 and book.stats()["serving"])
        assert isinstance(await house.buy(lead_id, await house.buyer()), Bought)
        assert thrown_away() is None
    finally:
        gc.enable()
        gc.unfreeze()


async def test_redis_away_while_trading_goes_on(house: TradingHouse, redis_url: str) -> None:
    async with wire(redis_url) as to_redis:
        await house.book(redis_url=to_redis.url)
        ann, leads = await house.buyer(), [await house.lead() for _ in range(6)]
        await until(house.stream_is_complete)
        await to_redis.cut()
        # The first to fail on its way is a price alone, which no event repeats.
        await house.said(c.Reprice((leads[4],), (77,), "demand"))
        await until(lambda: house.books[-1]._publisher._behind)
        for lead_id in leads[:4]:
            assert isinstance(await house.buy(lead_id, ann), Bought)
        assert not await house.stream_is_complete()
        await to_redis.mend()
        await until(house.stream_is_complete)
        assert isinstance(await house.buy(leads[5], ann), Bought)
        await until(house.stream_is_complete)
        await until(lambda: _price_told(house, leads[4], 77))
        await house.audit()


async def _price_told(house: TradingHouse, lead_id: str, price: int) -> bool:
    async with house.redis() as client:
        entries = await client.xrange(feed_stream.prices_key(house.market))
    told = [tick for _, fields in entries for tick in msgspec.json.decode(fields[b"ticks"])]
    return {"lead_id": lead_id, "price": price} in told


async def test_redis_emptied(house: TradingHouse) -> None:
    book = await house.book()
    ann, leads = await house.buyer(), [await house.lead() for _ in range(3)]
    await until(house.stream_is_complete)
    async with house.redis() as client:
        await feed_stream.discard(client, house.market)
    await house.buy(leads[0], ann)
    newest = book.stats()["feed_seq"]
    # What follows joins on without a gap; what is older is in the journal.
    await until(lambda: _ends_with(house, newest))
    seqs = await house.stream_seqs()
    assert seqs == list(range(seqs[0], newest + 1))
    async with house.redis() as client:
        await feed_stream.discard(client, house.market)
    await book.stop()
    await house.book()
    await until(house.stream_is_complete)


async def _ends_with(house: TradingHouse, seq: int) -> bool:
    return (await house.stream_seqs())[-1:] == [seq]


async def test_a_stream_of_another_history_is_replaced(house: TradingHouse) -> None:
    async with house.redis() as client:
        await feed_stream.publish(client, house.market, 900, 900, '[{"seq":900}]')
    await house.book()
    await house.lead()
    await until(house.stream_is_complete)


async def test_a_superseded_publisher_leaves_the_stream_alone(house: TradingHouse) -> None:
    old = await house.book()
    await house.lead()
    await until(house.stream_is_complete)
    await house.book()
    await house.lead()
    await until(house.stream_is_complete)
    old._publisher.resume(1)
    await until(lambda: not old._publisher._behind)
    assert await house.stream_is_complete()


async def test_a_hold_ends_at_its_deadline_though_the_clock_steps_back(
    house: TradingHouse,
) -> None:
    clock = Clock()
    await house.book(clock=clock)
    ann, bob = await house.buyer(), await house.buyer()
    one, two = await house.lead(), await house.lead()
    held = await house.said(c.Hold(one, ann, "15m"))
    assert isinstance(held, Held)
    clock.now = held.held_until * 1000 - 1_000
    assert (await house.buy(one, bob)).code == "lead-unavailable"
    clock.now = held.held_until * 1000
    # Nobody asks: the timer ends it.
    await until(lambda: house.books[-1].stats()["live_holds"] == 0)
    clock.now -= 30 * MINUTE_NS
    assert (await house.said(c.Extend(one, ann, "15m"))).code == "hold-expired"
    assert (await house.said(c.Buy(one, ann, "late", from_cart=True))).code == "hold-expired"
    assert isinstance(await house.buy(one, bob), Bought)
    # A stalled clock, and a new book on a machine whose clock is behind: the same.
    await house.books[-1].stop()
    await house.book(clock=clock)
    again = await house.said(c.Hold(two, ann, "15m"))
    assert isinstance(again, Held)
    assert again.held_until == held.held_until + 15 * MINUTE_NS // 1000
    times = await house.pool.fetch(
        "SELECT at FROM market_events WHERE market = $1 ORDER BY position", house.market
    )
    assert [row["at"] for row in times] == sorted(row["at"] for row in times)


POISON = [
    c.ListLead("poison-1", 2**63, 1, Listing()),
    c.ListLead("poison-2", 5, 1, Listing(public_remarks="a \0 byte")),
    c.ListLead("poison-3", 5, 1, Listing(quality=7.0)),
    c.Hold("any", "a \0 user", "15m"),
]


@pytest.mark.parametrize("poison", POISON, ids=["number", "text", "check", "before-deciding"])
async def test_one_poison_takes_no_others_with_it(house: TradingHouse, poison: c.Command) -> None:
    """Innocents travel in the very call, and come through while the poison is given up."""
    await house.book()
    house.client = type(house.client)(house.transport, calls_max=1, patience=60.0)
    users = [await house.buyer() for _ in range(10)]
    lead_id = await house.lead(max_buyers=10)
    asked = [asyncio.create_task(house.buy(lead_id, user)) for user in users]
    asked.insert(5, asyncio.create_task(house.said(poison)))
    said: list[Answer | BaseException] = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(said.pop(5), BookUnavailable)
    assert all(isinstance(each, Bought) for each in said)
    assert isinstance(await house.buy(await house.lead(), users[0]), Bought)
    await house.audit()


async def test_stop_answers_though_the_database_is_away(
    house: TradingHouse, database_url: str
) -> None:
    async with wire(database_url) as to_database:
        book = await house.book(database_url=to_database.url)
        lead_id, ann = await house.lead(), await house.buyer()
        house.client._patience = 1.0
        await to_database.cut()
        with pytest.raises(BookUnavailable):
            await house.buy(lead_id, ann)
        async with asyncio.timeout(60):
            await book.stop()
        assert await house.orders() == []


async def test_serves_again_when_the_database_is_back(
    house: TradingHouse, database_url: str
) -> None:
    async with wire(database_url) as to_database:
        await house.book(database_url=to_database.url)
        lead_id, ann = await house.lead(), await house.buyer()
        await to_database.cut()
        asked = asyncio.create_task(house.buy(lead_id, ann))
        await asyncio.sleep(0.5)
        assert not asked.done()
        await to_database.mend()
        assert isinstance(await asked, Bought)
        await house.audit()


async def test_old_answers_are_forgotten_while_it_is_busy(house: TradingHouse) -> None:
    book = await house.book()
    await house.pool.execute(
        "INSERT INTO commands SELECT decode(md5($1 || n::text), 'hex'), $1, NULL, '', 0"
        " FROM generate_series(1, 12000) n",
        house.market,
    )
    ann = await house.buyer()
    book._prune_at = 0.0
    done = False

    async def ask_on() -> None:
        while not done:
            await house.said(c.Release("none", ann))

    asking = [asyncio.create_task(ask_on()) for _ in range(3)]
    await until(lambda: _none_old(house))
    done = True
    await asyncio.gather(*asking)


async def _none_old(house: TradingHouse) -> bool:
    return not await house.pool.fetchval(
        "SELECT count(*) FROM commands WHERE market = $1 AND decided_at = 0", house.market
    )
