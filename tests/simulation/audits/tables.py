"""Journal, tables and memory say the same."""

from __future__ import annotations

from engine.market.book import Book
from engine.market.fingerprint import fingerprint
from tests.simulation.audits.history import History
from tests.simulation.world import World


async def wrong_tables(world: World, history: History) -> list[str]:
    """Of a history that was folded."""
    host = world.books[history.market]
    now = world.wall_ns() // 1000
    loaded = await load(world, history.market, now)
    folded, remembered = history.folded, host.book._book
    found = []
    if fingerprint(folded, now) != fingerprint(loaded, now):
        found.append("the tables are not what the journal folds to")
    if (folded.holds_of, folded.value_of) != (loaded.holds_of, loaded.value_of):
        found.append("the tables count other holds than the journal")
    if fingerprint(remembered, now) != fingerprint(loaded, now):
        found.append("the book remembers other than the tables say")
    if loaded.live_holds or loaded.live_offers:
        found.append(f"{loaded.live_holds} holds, {loaded.live_offers} offers outlive a day")
    counted = {
        row.user_id: row.live_holds
        for row in world.tables.hold_counts.rows.values()
        if row.market == history.market and row.live_holds
    }
    if counted != loaded.holds_of:
        found.append(f"holds are counted as {counted}, and are {loaded.holds_of}")
    return found


async def load(world: World, market: str, now: int) -> Book:
    store = await world.books[market]._connect()
    book = Book()
    try:
        await store.load(book, now)
    finally:
        await store.close()
    return book


async def forgotten(world: World, market: str) -> list[str]:
    """Where a book that has been through it all remembers other than the tables."""
    now = world.wall_ns() // 1000
    remembered = fingerprint(world.books[market].book._book, now)
    if remembered != fingerprint(await load(world, market, now), now):
        return [f"{market}: the book remembers other than the tables say, before its end"]
    return []
