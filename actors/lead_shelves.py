"""The leads on offer, of all markets, kept in memory in step with journal and vectors.

A plain object over a pool: `load` once, then `follow` again and again. What is here was
available when it was read, some tenths of a second ago; whoever shows a lead asks the database
once more.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.adapters.postgres import lead_vectors, shelf_journal
from engine.adapters.postgres.shelf_journal import Entry, OnOffer
from models_ml.recommend.facts import Kinds, row_of
from models_ml.recommend.shelf import Shelf, index_of

log = logging.getLogger(__name__)

DIMENSIONS = 384
ENTRIES = 1_000
VECTORS = 2_000
BATCHES = 200
# Rows taken into a graph of neighbours at a time: some milliseconds of work; and while so many
# wait that comparing them one by one costs every request more than that.
TENDED = 16
TENDED_MUCH = 64
MUCH = 20_000
# How far a version's vectors must cover the leads on offer before it is used.
COVERED_LEAST = 0.95
# What each act adds to a lead's popularity, by the journal's names for them.
WANTED = {"held": 2.0, "queue_joined": 2.0, "sold": 3.0, "viewed": 1.0}
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

Told = Callable[[Iterable[str]], None]


class _Thin(msgspec.Struct, frozen=True):
    """What the feed says of a lead with every public event."""

    lead_id: str
    lead_state: str
    price: int


def _nobody(_: Iterable[str]) -> None:
    """Who is not told."""


class LeadShelves:
    """`said` hears of leads whose text may be new, `acted` of buyers who did something."""

    def __init__(self, *, said: Told = _nobody, acted: Told = _nobody) -> None:
        self.kinds = Kinds()
        self.shelves: dict[str, Shelf] = {}
        self.version: int | None = None
        """Of the embedder whose vectors are used; None while there are none."""
        self.dimensions = DIMENSIONS
        self._said = said
        self._acted = acted
        self._positions: dict[str, int] = {}
        self._signals: dict[str, int] = {}
        self._vector_number = 0
        # Leads that are to be read: they came, came back, or say something else.
        self._back: dict[str, None] = {}
        # By market, how many rows wait to be taken into its graph.
        self._untended: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self.shelves.values())

    def __contains__(self, lead_id: str) -> bool:
        return any(lead_id in shelf for shelf in self.shelves.values())

    async def load(self, pool: asyncpg.Pool) -> None:
        """Read what is on offer now, in one snapshot, and with which popularity. What was known
        before is forgotten: it may have gone since."""
        self.shelves.clear()
        self._back.clear()
        self._untended.clear()
        self.version = None
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            self._positions = await shelf_journal.positions(connection)
            self._signals = await shelf_journal.newest_signals(connection)
            for market in self._positions:
                self._shelf(market)
            async for leads in shelf_journal.on_offer(connection):
                self._put(leads)
                await asyncio.sleep(0)
            for market in self._positions:
                for wanted in await shelf_journal.wanted_lately(connection, market):
                    weight = WANTED[wanted.kind] * wanted.times
                    self._shelf(market).want(wanted.lead_id, weight, wanted.at)

    async def follow(self, pool: asyncpg.Pool) -> bool:
        """Take in what happened since; whether there may be more at once. After an error it can
        be called again: nothing is lost and nothing counts twice."""
        entries = await shelf_journal.after(pool, self._positions, ENTRIES)
        for entry in entries:
            self._take(entry)
            self._positions[entry.market] = entry.position
        if acted := {entry.user_id for entry in entries if entry.user_id}:
            self._acted(acted)
        if self._back:
            await self._take_back(pool)
        more = await self._new_vectors(pool)
        return more or len(entries) >= ENTRIES

    async def follow_views(self, pool: asyncpg.Pool) -> None:
        """Take in what was looked at since."""
        self._signals, viewed = await shelf_journal.viewed_after(pool, self._signals, BATCHES)
        for market, seen in viewed:
            self._shelf(market).want(seen.lead_id, WANTED[seen.kind], seen.at)

    async def learn_markets(self, pool: asyncpg.Pool) -> None:
        """Follow markets that were made since."""
        async with pool.acquire() as connection:
            for market in await shelf_journal.positions(connection):
                # From its first entry on: a market that is new has few.
                self._positions.setdefault(market, 0)
                self._signals.setdefault(market, 0)
                self._shelf(market)

    async def use_version(self, pool: asyncpg.Pool, wanted: int | None) -> None:
        """Use the vectors of the wanted version of the embedder as soon as they cover what is
        on offer; meanwhile, or if none is wanted, those that are used or cover most."""
        if self.version is not None and wanted in (None, self.version):
            return
        covering = await lead_vectors.covering(pool)
        enough = COVERED_LEAST * len(self)
        chosen = wanted if wanted in covering and covering[wanted] >= enough else self.version
        if chosen is None and covering:
            chosen = max(covering, key=lambda version: covering[version])
        if chosen is not None and chosen != self.version:
            await self._load_vectors(pool, chosen)

    def tend(self) -> bool:
        """Do a little of the work on the graphs; whether there is more."""
        for market, shelf in self.shelves.items():
            rows = TENDED_MUCH if self._untended.get(market, 0) > MUCH else TENDED
            self._untended[market] = shelf.index.tend(rows)
        return any(self._untended.values())

    async def _load_vectors(self, pool: asyncpg.Pool, version: int) -> None:
        dimensions = await lead_vectors.dimensions_of(pool, version)
        if dimensions is None:
            return
        indexes = {market: index_of(dimensions) for market in self.shelves}
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            number = await lead_vectors.newest_number(connection, version)
            async for stored in lead_vectors.stored(connection, version, dimensions):
                for market, index in indexes.items():
                    shelf = self.shelves[market]
                    here = [n for n, each in enumerate(stored.lead_ids) if each in shelf]
                    if here:
                        index.put([stored.lead_ids[n] for n in here], stored.vectors[here])
                await asyncio.sleep(0)
        for market, shelf in self.shelves.items():
            shelf.adopt(indexes[market] if market in indexes else index_of(dimensions))
        self.version, self.dimensions, self._vector_number = version, dimensions, number
        log.info("vectors of embedder version %d are used", version)

    async def _take_back(self, pool: asyncpg.Pool) -> None:
        """Their facts are read with what is committed by now."""
        leads = await shelf_journal.some_on_offer(pool, list(self._back))
        lead_ids = [lead.lead_id for lead in leads]
        vectors: dict[str, NDArray[np.float32]] = {}
        if self.version is not None and lead_ids:
            vectors = await lead_vectors.of_leads(pool, self.version, lead_ids, self.dimensions)
        self._back.clear()
        self._put(leads)
        if vectors:
            stacked = np.stack(list(vectors.values()))
            for shelf in self.shelves.values():
                shelf.put_vectors(list(vectors), stacked)
        self._said(lead_ids)

    async def _new_vectors(self, pool: asyncpg.Pool) -> bool:
        if self.version is None:
            return False
        stored = await lead_vectors.after(
            pool, self.version, self._vector_number, VECTORS, self.dimensions
        )
        for shelf in self.shelves.values():
            shelf.put_vectors(stored.lead_ids, stored.vectors)
        self._vector_number = max(self._vector_number, stored.number)
        return len(stored.lead_ids) >= VECTORS

    def _take(self, entry: Entry) -> None:
        shelf = self._shelf(entry.market)
        if entry.type in WANTED:
            shelf.want(entry.lead_id, WANTED[entry.type], entry.at)
        for lead_id, price in (entry.prices or {}).items():
            shelf.set_price(lead_id, math.log(price))
        if entry.lead is None:
            return
        lead = msgspec.json.decode(entry.lead, type=_Thin)
        if lead.lead_state != "available":
            self._back.pop(lead.lead_id, None)
            shelf.drop(lead.lead_id)
        elif lead.lead_id not in shelf or entry.type in ("listed", "updated"):
            self._back[lead.lead_id] = None
        else:
            shelf.set_price(lead.lead_id, math.log(lead.price))

    def _put(self, leads: Sequence[OnOffer]) -> None:
        for lead in leads:
            row = row_of(self.kinds, lead.listing, lead.price, lead.listed_at)
            self._shelf(lead.market).put(lead.lead_id, row)

    def _shelf(self, market: str) -> Shelf:
        shelf = self.shelves.get(market)
        if shelf is None:
            shelf = self.shelves[market] = Shelf(market, self.kinds, self.dimensions)
        return shelf
