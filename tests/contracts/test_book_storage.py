"""What a book may rely on in its store, in memory and in PostgreSQL alike."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Bought, Done
from engine.market.book import Book
from engine.market.lead import Lead, PastHold, Seat
from engine.market.listing import Listing
from engine.market.outcome import Entry, Outcome, Priced, StoredAnswer, Tick
from engine.market.plan import load_plans
from engine.market.standing_orders import StandingOrder
from engine.market.standing_terms import StandingTerms
from engine.ports import BookStorage, Fenced, JournalRow, Standing, Takeover
from tests.contracts.storages import Storage

PLANS = load_plans()
NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000
RELEASED = e.LeadReleased("some-lead", "ann", "released")


def _id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(6)}"


def _answering(command_id: bytes) -> Outcome:
    outcome = Outcome(0, 0)
    outcome.answers[command_id] = StoredAnswer(b"hash", Done())
    return outcome


class Writer:
    """Writes by hand what a book might come to, each in a flush of its own."""

    def __init__(self, storage: Storage, store: BookStorage, taken: Takeover) -> None:
        self.storage = storage
        self.store = store
        self.epoch = taken.epoch
        self.position = taken.position
        self.book = Book()
        self.leads = self.book.leads

    async def flush(self, outcome: Outcome, rows: list[JournalRow] | None = None) -> Any:
        async with self.store.flush(self.epoch):
            return await self.write(outcome, rows or [])

    async def write(self, outcome: Outcome, rows: list[JournalRow]) -> Any:
        return await self.store.write(
            outcome, rows, self.book, epoch=self.epoch, at=NOW, matched_before=0
        )

    async def lead(self, max_buyers: int = 2, listing: Listing | None = None) -> str:
        lead_id = _id("lead")
        self.leads[lead_id] = Lead(10, max_buyers)
        async with self.store.flush(self.epoch):
            await self.store.write_listings(
                {lead_id: listing or Listing()}, {}, self.leads, {}, NOW
            )
        return lead_id

    async def sell(self, lead_id: str, user_id: str, order_id: str, **changed: Any) -> None:
        """A sale of seat 1 at 10 credits, unless changed."""
        seat, price = changed.get("seat", 1), changed.get("price", 10)
        outcome = Outcome(0, 0)
        outcome.sales.append(e.LeadSold(lead_id, user_id, seat, price, order_id))
        outcome.move(user_id, -price)
        self.leads[lead_id].taken = {user_id: Seat(seat, price, order_id=order_id)}
        if changed.get("with_seat", True):
            outcome.seats.add((lead_id, user_id))
        outcome.answers[secrets.token_bytes(16)] = StoredAnswer(None, Done())
        await self.flush(outcome)

    async def journal(self, position: int, seq: int | None) -> None:
        outcome = Outcome(position, seq or 0)
        outcome.entries.append(Entry(position, seq, RELEASED, None))
        await self.flush(outcome, [JournalRow(position, seq, RELEASED, seq and "{}")])

    async def answer(self, command_id: bytes) -> None:
        await self.flush(_answering(command_id))


@pytest.fixture
async def writer(storage: Storage) -> Writer:
    store = await storage.connect()
    return Writer(storage, store, await store.take_over())


# --- ownership -------------------------------------------------------------------------


async def test_the_newest_owner_alone_writes(storage: Storage) -> None:
    old, new = await storage.connect(), await storage.connect()
    first = await old.take_over()
    assert await old.owns(first.epoch)
    assert await old.resume(first.epoch) == first
    second = await new.take_over()
    assert second == first._replace(epoch=first.epoch + 1)
    assert not await old.owns(first.epoch)
    with pytest.raises(Fenced):
        await old.flush(first.epoch).__aenter__()
    with pytest.raises(Fenced):
        await old.resume(first.epoch)
    async with new.flush(second.epoch):
        pass
    await old.close()
    await new.close()


async def test_a_market_that_is_not_there(storage: Storage) -> None:
    store = await storage.connect("nowhere")
    with pytest.raises(LookupError):
        await store.take_over()
    with pytest.raises(Fenced):
        await store.resume(1)


async def test_who_takes_over_waits_for_the_flush_under_way(writer: Writer) -> None:
    successor = await writer.storage.connect()
    async with writer.store.flush(writer.epoch):
        taking = asyncio.create_task(successor.take_over())
        await asyncio.sleep(0.2)
        assert not taking.done()
        outcome = Outcome(1, 1)
        rows = [JournalRow(1, 1, RELEASED, "{}")]
        await writer.store.write(
            outcome, rows, Book(), epoch=writer.epoch, at=NOW, matched_before=0
        )
    assert (await taking)[:4] == (writer.epoch + 1, 1, 1, NOW)


# --- all or nothing --------------------------------------------------------------------


async def test_what_was_not_committed_is_not_there(writer: Writer) -> None:
    command_id = secrets.token_bytes(16)
    before = await writer.storage.dump([])

    async def write_and_fail() -> None:
        async with writer.store.flush(writer.epoch):
            await writer.store.write(
                _answering(command_id), [], Book(), epoch=writer.epoch, at=NOW, matched_before=0
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await writer.storage.dump([]) == before
    await writer.answer(command_id)
    async with writer.store.flush(writer.epoch, [command_id, b"another"]) as known:
        assert known == {command_id: StoredAnswer(b"hash", Done())}


async def test_a_connection_that_breaks_takes_its_flush_with_it(writer: Writer) -> None:
    successor = await writer.storage.connect()

    async def write_and_break() -> None:
        async with writer.store.flush(writer.epoch):
            rows = [JournalRow(1, 1, RELEASED, "{}")]
            await writer.store.write(
                Outcome(1, 1), rows, Book(), epoch=writer.epoch, at=NOW, matched_before=0
            )
            writer.storage.break_connection(writer.store)

    with pytest.raises((asyncpg.InterfaceError, asyncpg.PostgresError)):
        await write_and_break()
    assert writer.store.is_closed
    with pytest.raises(asyncpg.InterfaceError):
        await writer.store.owns(writer.epoch)
    # And its locks: the same book goes on with another connection.
    assert (await successor.resume(writer.epoch))[:4] == (writer.epoch, 0, 0, 0)


# --- accounts --------------------------------------------------------------------------


async def test_accounts_that_may_trade(storage: Storage) -> None:
    ann, bob = _id("user"), _id("user")
    await storage.add_user(ann, 70)
    await storage.add_user(bob, 70, status="suspended")
    store = await storage.connect()
    taken = await store.take_over()
    async with store.flush(taken.epoch):
        accounts = await store.lock_accounts([ann, bob, "nobody"], PLANS, count_holds=True)
        standings = await store.standings([ann, bob, "nobody"], PLANS)
    assert sorted(accounts) == sorted((ann, bob))
    assert (accounts[ann].may_trade, accounts[bob].may_trade) == (True, False)
    assert (accounts[ann].balance, accounts[ann].live_holds) == (70, 0)
    assert accounts[ann].plan == PLANS["basic"]
    assert standings == {ann: Standing(PLANS["basic"], 70)}


async def test_a_wallet_is_waited_for_and_read_anew(storage: Storage) -> None:
    ann, elsewhere = _id("user"), _id("m")
    await storage.add_user(ann, 70)
    await storage.add_market(elsewhere)
    one, other = await storage.connect(), await storage.connect(elsewhere)
    mine, theirs = await one.take_over(), await other.take_over()
    writer = Writer(storage, one, mine)
    lead_id = await writer.lead()

    async def their_balance() -> int:
        async with other.flush(theirs.epoch):
            return (await other.lock_accounts([ann], PLANS, count_holds=False))[ann].balance

    async with one.flush(mine.epoch):
        await one.lock_accounts([ann], PLANS, count_holds=False)
        waiting = asyncio.create_task(their_balance())
        await asyncio.sleep(0.2)
        outcome = Outcome(0, 0)
        outcome.sales.append(e.LeadSold(lead_id, ann, 1, 10, _id("order")))
        outcome.move(ann, -10)
        await writer.write(outcome, [])
        assert not waiting.done()
    assert await waiting == 60


async def test_a_wallet_that_stays_locked_is_given_up(storage: Storage) -> None:
    ann, elsewhere = _id("user"), _id("m")
    await storage.add_user(ann, 70)
    await storage.add_market(elsewhere)
    one, other = await storage.connect(), await storage.connect(elsewhere)
    mine, theirs = await one.take_over(), await other.take_over()

    async def their_accounts() -> dict[str, Account]:
        async with other.flush(theirs.epoch):
            return await other.lock_accounts([ann], PLANS, count_holds=False)

    async with one.flush(mine.epoch):
        await one.lock_accounts([ann], PLANS, count_holds=False)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await their_accounts()
    # Neither its connection nor anything else is lost by it.
    assert not other.is_closed
    assert list(await their_accounts()) == [ann]


async def test_a_statement_that_failed_dooms_its_flush(writer: Writer) -> None:
    taken = secrets.token_bytes(16)
    await writer.answer(taken)

    async def write_and_read() -> None:
        async with writer.store.flush(writer.epoch):
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await writer.store.write(
                    _answering(taken), [], Book(), epoch=writer.epoch, at=NOW, matched_before=0
                )
            await writer.store.teasers(["any"])

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await write_and_read()
    assert not writer.store.is_closed


async def test_holds_of_other_markets_are_counted(storage: Storage) -> None:
    ann, elsewhere = _id("user"), _id("m")
    await storage.add_user(ann, 70)
    await storage.add_market(elsewhere)
    for market, holds, value in ((storage.market, 5, 50), (elsewhere, 2, 30)):
        store = await storage.connect(market)
        writer = Writer(storage, store, await store.take_over())
        writer.book.holds_of[ann], writer.book.value_of[ann] = holds, value
        outcome = Outcome(0, 0)
        outcome.holders.add(ann)
        await writer.flush(outcome)
    async with store.flush(writer.epoch):
        found = (await store.lock_accounts([ann], PLANS, count_holds=True))[ann]
    assert (found.live_holds, found.held_value) == (5, 50)


async def test_facts_and_words_of_leads(writer: Writer) -> None:
    store = writer.store
    listing = Listing(
        sources=("zillow", "redfin"), list_price=300_000, property_type="Residential",
        bedrooms_total=3, latitude=30.25, longitude=-97.75,
    )  # fmt: skip
    lead_id = await writer.lead(
        listing=replace(listing, city="Austin", public_remarks="near the old mill")
    )
    async with store.flush(writer.epoch):
        assert await store.facts([lead_id, "nowhere"]) == {lead_id: listing}
        pairs = [(lead_id, text) for text in ("mill austin", "residential", "lake", "old lake")]
        assert await store.saying([*pairs, ("nowhere", "mill")]) == set(pairs[:2])


# --- what must never be ----------------------------------------------------------------

UNIQUE, CHECK, FOREIGN = (
    asyncpg.UniqueViolationError,
    asyncpg.CheckViolationError,
    asyncpg.ForeignKeyViolationError,
)


async def _same_seat(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, bob, _id("order"))


async def _same_buyer(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, ann, _id("order"), seat=2, with_seat=False)


async def _same_seat_of_orders(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, bob, _id("order"), with_seat=False)


async def _same_order(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(await writer.lead(), bob, f"order-of-{ann}")


async def _past_the_last_seat(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, bob, _id("order"), seat=3)


async def _overdrawn(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, bob, _id("order"), seat=2, price=71)


async def _nobody(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.sell(lead_id, _id("nobody"), _id("order"), seat=2)


async def _same_position(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.journal(1, 1)
    await writer.journal(1, 2)


async def _same_seq(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.journal(1, 1)
    await writer.journal(2, 1)


async def _odd_quality(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    await writer.lead(listing=Listing(quality=7.0))


async def _no_price(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    outcome = Outcome(0, 0)
    outcome.leads[lead_id] = Lead(0, 2)
    await writer.flush(outcome)


async def _more_taken_than_there_is(writer: Writer, lead_id: str, ann: str, bob: str) -> None:
    outcome = Outcome(0, 0)
    outcome.leads[lead_id] = Lead(10, 2, "held", 1, 2)
    await writer.flush(outcome)


Misdeed = Callable[[Writer, str, str, str], Awaitable[None]]


@pytest.mark.parametrize(
    ("misdeed", "error"),
    [
        (_same_seat, UNIQUE),
        (_same_buyer, UNIQUE),
        (_same_seat_of_orders, UNIQUE),
        (_same_order, UNIQUE),
        (_past_the_last_seat, CHECK),
        (_overdrawn, CHECK),
        (_nobody, FOREIGN),
        (_same_position, UNIQUE),
        (_same_seq, UNIQUE),
        (_odd_quality, CHECK),
        (_no_price, CHECK),
        (_more_taken_than_there_is, CHECK),
    ],
    ids=lambda value: value.__name__.strip("_"),
)
async def test_the_store_refuses(writer: Writer, misdeed: Misdeed, error: type[Exception]) -> None:
    ann, bob = _id("user"), _id("user")
    for user in (ann, bob):
        await writer.storage.add_user(user, 70)
    lead_id = await writer.lead()
    await writer.sell(lead_id, ann, f"order-of-{ann}")
    with pytest.raises(error):
        await misdeed(writer, lead_id, ann, bob)
    assert [await writer.storage.balance(user) for user in (ann, bob)] == [60, 70]


async def test_a_standing_order_ends_with_what_it_bought(writer: Writer) -> None:
    ann, ids = _id("user"), [_id("standing") for _ in range(3)]
    await writer.storage.add_user(ann, 70)
    terms = StandingTerms(name="homes", price_max=20)
    kept, ended, both = (StandingOrder(id_, ann, terms, placed_at=NOW) for id_ in ids)
    outcome = Outcome(0, 0)
    outcome.standing = {ids[0]: kept, ids[1]: ended}
    async with writer.store.flush(writer.epoch):
        await writer.store.write_fair_trading(outcome, NOW)
    ended.count(10, 0)
    outcome.standing, outcome.cancelled = {ids[1]: ended, ids[2]: both}, {ids[1], ids[2]}
    async with writer.store.flush(writer.epoch):
        await writer.store.write_fair_trading(outcome, NOW + 1)
    dump = await writer.storage.dump([])
    rows = {row["standing_order_id"]: row for row in dump["standing_orders"]}
    found = [(rows[id_]["bought"], rows[id_]["spent"], rows[id_]["cancelled_at"]) for id_ in ids]
    assert found == [(0, 0, None), (1, 10, NOW + 1), (0, 0, NOW + 1)]
    book = Book()
    await writer.store.load(book, NOW)
    assert list(book.standing.orders) == ids[:1]


# --- what is read ----------------------------------------------------------------------


async def test_what_is_published_is_read_back(writer: Writer) -> None:
    store = writer.store
    for position, seq in ((1, 1), (2, None), (3, 2), (4, 3)):
        await writer.journal(position, seq)
    assert [seq for seq, _ in await store.public_events(0, 2)] == [1, 2]
    assert [seq for seq, _ in await store.public_events(1, 9)] == [2, 3]
    assert await store.feed_seq() == 3
    async with store.flush(writer.epoch):
        ticks = [
            Tick(position, e.LeadsRepriced("a", ("a", "b"), (position, 2), "demand"))
            for position in (5, 6, 8)
        ]
        await store.write_ticks(ticks, NOW)
    found = await store.ticks(0, 9, 100)
    assert [(tick.position, tick.at, tick.lead_ids, tick.prices) for tick in found] == [
        (position, NOW, ["a", "b"], [position, 2]) for position in (5, 6, 8)
    ]
    assert [tick.position for tick in await store.ticks(5, 1, 100)] == [6]
    # The newest two alone count.
    assert [tick.position for tick in await store.ticks(0, 9, 2)] == [6, 8]


async def test_a_price_is_kept_with_what_made_it_and_the_tick_before(writer: Writer) -> None:
    lead_id, other = await writer.lead(), await writer.lead()

    async def tick(position: int, lead_ids: tuple[str, ...], parts: tuple[bytes, ...]) -> None:
        outcome = Outcome(position, 0)
        event = e.LeadsRepriced(lead_ids[0], lead_ids, (position,) * len(lead_ids), "demand")
        for number, id_ in enumerate(lead_ids):
            writer.leads[id_].price = position
            outcome.leads[id_] = writer.leads[id_]
            outcome.priced[id_] = Priced(position, parts[number] if parts else None)
        async with writer.store.flush(writer.epoch):
            await writer.store.write_ticks([Tick(position, event, parts)], NOW)
            await writer.write(outcome, [])

    await tick(21, (lead_id,), (b"one",))
    await tick(22, (other, lead_id), (b"two", b"three"))
    # A trade leaves the price and its parts as they are.
    trade = Outcome(22, 0)
    trade.leads[lead_id] = writer.leads[lead_id]
    await writer.flush(trade)
    found = await writer.storage.dump([])
    trading = {row["lead_id"]: row for row in found["lead_trading"]}
    assert [trading[id_]["price_parts"] for id_ in (lead_id, other)] == [b"three", b"two"]
    assert trading[lead_id]["tick_position"] == 22
    ticks = {row["position"]: row for row in found["price_ticks"]}
    assert ticks[21]["before"] == [None]
    assert ticks[22]["before"] == [None, 21]
    assert ticks[22]["parts"] == [b"two", b"three"]
    # A price without parts forgets those of the one before.
    await tick(23, (lead_id,), ())
    found = await writer.storage.dump([])
    assert {row["lead_id"]: row["price_parts"] for row in found["lead_trading"]}[lead_id] is None
    ticks = {row["position"]: row for row in found["price_ticks"]}
    assert (ticks[23]["parts"], ticks[23]["before"]) == (None, [22])


async def test_what_is_over_is_forgotten_bit_by_bit(writer: Writer) -> None:
    store, now = writer.store, NOW + 30 * HOUR
    ids = [secrets.token_bytes(16) for _ in range(3)]
    for id_ in ids:
        await writer.answer(id_)
    lead_id = await writer.lead()
    for user, forget_at in (("ann", now), ("bob", now + 1)):
        writer.leads[lead_id].past = {user: PastHold(NOW, "released", forget_at)}
        async with store.flush(writer.epoch):
            await store.write_past_holds([(lead_id, user)], writer.leads)
    for more in (True, False):
        async with store.flush(writer.epoch):
            assert await store.prune(now, 30 * HOUR - 1, 2) is more
    async with store.flush(writer.epoch, ids) as known:
        assert known == {}
    kept = (await writer.storage.dump([]))["past_holds"]
    assert [row["user_id"] for row in kept] == ["bob"]


async def test_the_contact_comes_with_the_purchase_alone(writer: Writer) -> None:
    ann = _id("user")
    await writer.storage.add_user(ann, 70)
    lead_id = await writer.lead()
    await writer.storage.add_contact(lead_id)
    outcome = Outcome(0, 0)
    outcome.replies = [Done()]
    assert await writer.flush(outcome) == {}
    outcome.replies = [Bought("order", lead_id, 10, NOW, 60)]
    contacts = await writer.flush(outcome)
    assert contacts[lead_id].name == "Ann Onymous"
