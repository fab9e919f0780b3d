"""After everything healed: is what people were told true, and is it all there, once?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.adapters.redis import feed_stream
from engine.market import events as e
from engine.market.answers import Bought, Reply
from engine.market.book import Book
from engine.market.commands import Buy, Extend, Refused
from engine.market.fingerprint import fingerprint
from tests.simulation.activity import Activity, Asked
from tests.simulation.refusals import untrue_refusals
from tests.simulation.world import MARKETS, World

# Refusals that a later copy of the same command may find otherwise.
OPEN = ("not-found", "validation")


async def audit(world: World, activity: Activity) -> list[str]:
    """Violations in words."""
    found = [*_money(world, activity), *_answers(activity), *_orders(world, activity)]
    found += _checkouts(world, activity)
    for market in MARKETS:
        found += [f"{market}: {text}" for text in _ownership(world, market)]
        found += [f"{market}: {text}" for text in _journal(world, market)]
        found += [f"{market}: {text}" for text in _history(world, market)]
        found += [f"{market}: {text}" for text in await _folds(world, market)]
        found += [f"{market}: {text}" for text in _stream(world, market)]
    found += untrue_refusals(world, activity)
    return found


# --- credits -----------------------------------------------------------------------------


def _money(world: World, activity: Activity) -> Iterator[str]:
    balances: Counter[str] = Counter()
    for row in world.tables.transfers.rows.values():
        balances[row.debit_account] -= row.amount
        balances[row.credit_account] += row.amount
    wallets = {f"user:{row.user_id}": row.balance for row in world.tables.wallets.rows.values()}
    for account, balance in wallets.items():
        if balances[account] != balance:
            yield f"{account} has {balance}, its transfers sum to {balances[account]}"
    spent = sum(row.price for row in world.tables.orders.rows.values())
    if sum(wallets.values()) + spent != activity.credits:
        yield f"{activity.credits} credits became {sum(wallets.values())} and {spent} spent"
    if balances["house:sales"] != spent:
        yield f"house:sales has {balances['house:sales']}, orders come to {spent}"


# --- answers -----------------------------------------------------------------------------


def _answers(activity: Activity) -> Iterator[str]:
    """What was promised under a command's id stays so."""
    for asked in activity.asked:
        first: Reply | None = None
        for _, reply in asked.replies:
            if first is not None and _is_promise(asked, first) and reply != first:
                yield f"{asked.command} was answered {first.answer}, later {reply.answer}"
            first = reply


def _is_promise(asked: Asked, reply: Reply) -> bool:
    if isinstance(reply.answer, Refused):
        return asked.request_hash is not None and reply.answer.code not in OPEN
    # A term that gains nothing changes nothing, and is promised to nobody without a key.
    return asked.request_hash is not None or not isinstance(asked.command, Extend)


def _orders(world: World, activity: Activity) -> Iterator[str]:
    """Every purchase that was acknowledged is there as acknowledged, and no other."""
    orders = world.tables.orders.rows
    acknowledged: dict[str, tuple[str, int, int]] = {}
    for asked in activity.asked:
        last = asked.replies[-1][1].answer if asked.replies else None
        if isinstance(last, Bought):
            acknowledged[last.order_id] = (last.lead_id, last.price, last.bought_at)
    for _, _, _, outcomes in activity.carts:
        for bought in outcomes[0].orders:
            acknowledged[bought.order_id] = (bought.lead_id, bought.price, bought.bought_at)
    for order_id, (lead_id, price, bought_at) in acknowledged.items():
        row = orders.get(order_id)
        if row is None:
            yield f"the order {order_id} of {lead_id} was acknowledged and is lost"
        elif (row.lead_id, row.price, row.bought_at) != (lead_id, price, bought_at):
            yield f"the order of {lead_id} was acknowledged at {price}, and is {row}"
    late = {
        asked.command.order_id
        for asked in activity.asked
        if isinstance(asked.command, Buy) and _may_come_late(asked)
    }
    for order_id in orders.keys() - acknowledged.keys() - late:
        yield f"{orders[order_id]} was sold, and nobody was told"


def _may_come_late(asked: Asked) -> bool:
    answer = asked.replies[-1][1].answer if asked.replies else None
    return isinstance(answer, Refused) and answer.code in OPEN


def _checkouts(world: World, activity: Activity) -> Iterator[str]:
    for row in world.checkouts.table.rows.values():
        if row.answer is None:
            yield f"the checkout of {row.user_id} was never finished"
    for _, user, lead_ids, outcomes in activity.carts:
        if any(outcome != outcomes[0] for outcome in outcomes):
            yield f"a checkout of {user} had two outcomes: {outcomes}"
        told = [order.lead_id for order in outcomes[0].orders]
        told += [lead_id for lead_id, _, _ in outcomes[0].refused]
        if sorted(told) != sorted(lead_ids):
            yield f"a checkout of {lead_ids} speaks of {told}"


# --- each market -------------------------------------------------------------------------


def _ownership(world: World, market: str) -> Iterator[str]:
    for host in world.all_books:
        if host.market == market and host.is_alive and host is not world.books[market]:
            yield f"{host.process.name} goes on though {world.books[market].process.name} is there"
    if world.books[market].book.fenced:
        yield "the newest book is fenced"


def _journal(world: World, market: str) -> Iterator[str]:
    row = world.tables.markets.rows[market]
    entries = _entries(world, market)
    if [entry.position for entry in entries] != list(range(1, row.position + 1)):
        yield f"the journal has a gap, or ends elsewhere than at {row.position}"
    seqs = [entry.feed_seq for entry in entries if entry.feed_seq is not None]
    if seqs != list(range(1, row.feed_seq + 1)):
        yield f"the feed has a gap, or ends elsewhere than at {row.feed_seq}"
    if any(a.at > b.at for a, b in zip(entries, entries[1:], strict=False)):
        yield "the journal's time goes back"


def _entries(world: World, market: str) -> list[Any]:
    rows = [row for row in world.tables.market_events.rows.values() if row.market == market]
    return sorted(rows, key=lambda row: row.position)


_decode_event = msgspec.json.Decoder(e.Event).decode


def _history(world: World, market: str) -> Iterator[str]:
    """No seat is given twice, and no hold outlives its deadline."""
    book = Book()
    for entry in _entries(world, market):
        event = _decode_event(entry.event)
        yield from _untimely(book, event, entry.at)
        book.apply(event, entry.at)
        lead = book.leads[event.lead_id]
        numbers = [seat.number for seat in (lead.taken or {}).values()]
        if len(set(numbers)) < len(numbers) or any(n > lead.max_buyers for n in numbers):
            yield f"{event.lead_id} has its seats {numbers} taken of {lead.max_buyers}"
        if lead.sold + lead.held != len(numbers) or len(numbers) > lead.max_buyers:
            yield f"{event.lead_id} counts {lead.sold} and {lead.held} of {len(numbers)} seats"


def _untimely(book: Book, event: e.Event, at: int) -> Iterator[str]:
    is_expiry = isinstance(event, e.LeadReleased) and event.reason == "expired"
    for lead_id, lead in book.leads.items():
        for user_id, seat in (lead.taken or {}).items():
            if seat.order_id is not None:
                continue
            if is_expiry and (lead_id, user_id) == (event.lead_id, event.user_id):
                if at < seat.held_until:
                    yield f"{event} {seat.held_until - at} µs too early"
            elif not is_expiry and at >= seat.held_until:
                yield f"{user_id} still held {lead_id} {at - seat.held_until} µs past the deadline"


async def _folds(world: World, market: str) -> list[str]:
    """Journal, tables and memory say the same; and every hold has ended by now."""
    host = world.books[market]
    now = world.wall_ns() // 1000
    store = await host._connect()
    folded, loaded = Book(), Book()
    async for event, at in store.journal():  # type: ignore[attr-defined]
        folded.apply(event, at)
    await store.load(loaded, now)
    await store.close()
    remembered = host.book._book
    found = []
    if fingerprint(folded, now) != fingerprint(loaded, now):
        found.append("the tables are not what the journal folds to")
    if folded.holds_of != loaded.holds_of:
        found.append("the tables count other holds than the journal")
    if fingerprint(remembered, now) != fingerprint(loaded, now):
        found.append("the book remembers other than the tables say")
    if loaded.live_holds:
        found.append(f"{loaded.live_holds} holds outlive a day")
    counted = {
        row.user_id: row.live_holds
        for row in world.tables.hold_counts.rows.values()
        if row.market == market and row.live_holds
    }
    if counted != loaded.holds_of:
        found.append(f"holds are counted as {counted}, and are {loaded.holds_of}")
    return found


# --- the streams -------------------------------------------------------------------------


def _stream(world: World, market: str) -> Iterator[str]:
    """What is told is what the journal has; all of it, unless Redis lost something."""
    public = {
        row.feed_seq: msgspec.json.decode(row.public)
        for row in _entries(world, market)
        if row.feed_seq is not None
    }
    told: list[int] = []
    for entry_id, fields in world.redis.streams.get(feed_stream.feed_key(market), []):
        for event in msgspec.json.decode(fields[b"events"]):
            if public.get(event["seq"]) != event:
                yield f"{event} was told, and never was"
            # A batch that two books tell may come in two cuts; readers skip what they have.
            if not told or event["seq"] > told[-1]:
                told.append(event["seq"])
        if feed_stream.entry_number(entry_id) != told[-1]:
            yield f"the entry {entry_id!r} ends at {told[-1]}"
    if not world.redis.was_emptied and told != list(range(1, len(public) + 1)):
        yield f"the stream tells {told} of {len(public)}"
    ticks = {row.position for row in world.tables.price_ticks.rows.values() if row.market == market}
    prices = world.redis.streams.get(feed_stream.prices_key(market), [])
    positions = [feed_stream.entry_number(entry_id) for entry_id, _ in prices]
    if not set(positions) <= ticks:
        yield "prices were told that never were"
    if not world.redis.was_emptied and sorted(ticks) != positions:
        yield f"the prices of {sorted(ticks)} were told as {positions}"
