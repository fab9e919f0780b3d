"""Journal, tables and memory say the same."""

from __future__ import annotations

from engine.adapters.memory.book_load import load_book
from engine.adapters.memory.transaction import Transaction
from engine.market.book import Book
from engine.market.fingerprint import fingerprint
from tests.simulation.audits.history import History
from tests.simulation.world import World


def wrong_tables(world: World, history: History) -> list[str]:
    """Of a history that was folded."""
    market = history.market
    host = world.books[market]
    now = world.wall_ns() // 1000
    loaded = load(world, market, now)
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
        if row.market == market and row.live_holds
    }
    if counted != loaded.holds_of:
        found.append(f"holds are counted as {counted}, and are {loaded.holds_of}")
    return found


def load(world: World, market: str, now: int) -> Book:
    """What a book would load at `now` (µs)."""
    book = Book()
    load_book(Transaction(world.server.database.locks), world.tables, market, book, now)
    return book


def forgotten(world: World, market: str) -> list[str]:
    """Where a book that has been through it all remembers other than the tables."""
    now = world.wall_ns() // 1000
    remembered = fingerprint(world.books[market].book._book, now)
    if remembered != fingerprint(load(world, market, now), now):
        return ["the book remembers other than the tables say, before its end"]
    return []
