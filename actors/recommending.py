"""Recommends leads in one process: shelves in step with the market, buyers' tastes, vectors.

A plain object: Serve's replica (serve_apps/scoring/recommender.py) is its shell.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import asyncpg
import numpy as np

from actors.lead_shelves import AWAY, LeadShelves
from actors.models import ModelUnavailable, Picked, RecommendationAsked, SimilarAsked
from actors.vector_filler import Embedder, VectorFiller, Wanted
from engine.adapters.postgres import lead_vectors, shelf_journal, tastes
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.tastes import Acted
from models_ml.recommend.facts import Row, facts_of, row_of
from models_ml.recommend.recommend import Pick, recommend, similar
from models_ml.recommend.settings import Settings
from models_ml.recommend.shelf import Asked
from models_ml.recommend.taste import Act, Past, Taste, taste_of
from models_ml.recommend.wishes import wish_of

log = logging.getLogger(__name__)

POOL_SIZE = 4
FOLLOW_SECONDS = 0.25
VIEWS_SECONDS = 2.0
VERSIONS_SECONDS = 5.0
TEND_SECONDS = 0.02
AWAY_SECONDS = 1.0
# A taste is read again after this, or when its buyer does something.
TASTE_SECONDS = 60.0
TASTES_MAX = 2_000
# If no market is named, so many are looked through, those with the most on offer.
MARKETS_MAX = 8

WantedVersions = Callable[[asyncpg.Pool], Awaitable[Wanted]]


class _Known(NamedTuple):
    """What is known of a buyer: his taste by `settings` and vectors of `version`, the leads that
    are his, and when it was read, by the monotonic clock."""

    taste: Taste
    mine: frozenset[str]
    read_at: float
    settings: Settings
    version: int | None


class Recommending:
    """`start`, then ask; `stop` at the end. `clock` is in µs since the epoch."""

    def __init__(
        self,
        database_url: str,
        embedder: Embedder,
        wanted_versions: WantedVersions,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._database_url = database_url
        self._wanted_versions = wanted_versions
        self._clock = clock
        self.filler = VectorFiller(database_url, embedder, clock=clock)
        self.shelves = LeadShelves(said=self.filler.heard, acted=self._forget)
        self._tastes: OrderedDict[str, _Known] = OrderedDict()
        # Buyers whose tastes are being read, and who did nothing since that began.
        self._reading: set[str] = set()
        self._pool: asyncpg.Pool | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_loaded = False

    async def start(self) -> None:
        """Begin to load and to follow; it answers as soon as it has loaded."""
        self._tasks = [
            asyncio.create_task(self._serve(), name="lead shelves"),
            asyncio.create_task(self.filler.run(), name="vector filler"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.filler.stop()
        if self._pool is not None:
            self._pool.terminate()

    @property
    def is_following(self) -> bool:
        """False if a task of its own has ended, by a defect."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def stats(self) -> dict[str, object]:
        return {
            "leads": len(self.shelves),
            "with_vector": sum(len(each.index) for each in self.shelves.shelves.values()),
            "embedder_version": self.shelves.version,
            "tastes": len(self._tastes),
            "is_loaded": self._is_loaded,
            "is_filling": self.filler.is_filling,
            "waiting": self.filler.waiting,
        }

    async def recommend(self, asked: RecommendationAsked, settings: Settings) -> list[Picked]:
        """Raises ModelUnavailable while loading or away from the database, ValueError for a
        limit that can't be."""
        pool = self._loaded()
        try:
            known = await self._known(pool, asked.user_id, settings)
            if known.version != self.shelves.version:
                # Another version's vectors came meanwhile.
                known = await self._known(pool, asked.user_id, settings)
        except AWAY as error:
            raise ModelUnavailable(f"no taste can be read: {type(error).__name__}") from error
        if known.version != self.shelves.version:
            raise ModelUnavailable("the vectors were swapped for another version's meanwhile")
        now = self._clock()
        shelves = [
            self.shelves.shelves[each] for each in asked.markets if each in self.shelves.shelves
        ]
        shelves = sorted(shelves, key=len, reverse=True)[:MARKETS_MAX]
        bounds = Asked(asked.near, asked.radius_m, asked.property_types, known.mine)
        picks = recommend(
            shelves,
            known.taste,
            bounds,
            asked.limit,
            now,
            settings,
            discount_percent=asked.discount_percent,
            seed=asked.user_id,
        )
        return _told(picks)

    async def similar(self, asked: SimilarAsked, settings: Settings) -> list[Picked]:
        """Raises as `recommend` does, and ModelUnavailable for a lead that is not there."""
        pool = self._loaded()
        version, dimensions = self.shelves.version, self.shelves.dimensions
        try:
            lead = await shelf_journal.one(pool, asked.lead_id)
            mine = await tastes.mine(pool, asked.user_id)
            vectors = {}
            if version is not None:
                vectors = await lead_vectors.of_leads(pool, version, [asked.lead_id], dimensions)
        except AWAY as error:
            raise ModelUnavailable(f"no lead can be read: {type(error).__name__}") from error
        if lead is None or lead.market not in self.shelves.shelves:
            raise ModelUnavailable("the lead is not known")
        if version != self.shelves.version:
            raise ModelUnavailable("the vectors were swapped for another version's meanwhile")
        row = row_of(self.shelves.kinds, lead.listing, lead.price, lead.listed_at)
        nothing = np.zeros(dimensions, dtype=np.float32)
        picks = similar(
            self.shelves.shelves[lead.market],
            facts_of([row]),
            vectors.get(asked.lead_id, nothing),
            Asked(without=mine | {asked.lead_id}),
            asked.limit,
            self._clock(),
            settings,
        )
        return _told(picks)

    async def _serve(self) -> None:
        """Load, then follow, and load anew after whatever went wrong."""
        while True:
            try:
                if self._pool is None:
                    self._pool = await open_pool(
                        self._database_url, application="recommender", size_max=POOL_SIZE
                    )
                if not self._is_loaded:
                    await self.shelves.load(self._pool)
                    await self._choose_version(self._pool)
                    self._is_loaded = True
                await self._follow(self._pool)
            except AWAY as error:
                log.warning("leads are not followed: %s", error or type(error).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _follow(self, pool: asyncpg.Pool) -> None:
        views_at = versions_at = time.monotonic()
        while True:
            more = await self.shelves.follow(pool)
            now = time.monotonic()
            if now - views_at >= VIEWS_SECONDS:
                views_at = now
                await self.shelves.follow_views(pool)
            if now - versions_at >= VERSIONS_SECONDS:
                versions_at = now
                await self.shelves.learn_markets(pool)
                await self._choose_version(pool)
            await self._tend(time.monotonic() + (0 if more else FOLLOW_SECONDS))

    async def _tend(self, until: float) -> None:
        """Work on the graphs, in parts with pauses, until then; or wait."""
        while (left := until - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(TEND_SECONDS if self.shelves.tend() else left)
        await asyncio.sleep(0)

    async def _choose_version(self, pool: asyncpg.Pool) -> None:
        wanted = await self._wanted_versions(pool)
        self.filler.want(wanted)
        await self.shelves.use_version(pool, wanted.live)

    def _loaded(self) -> asyncpg.Pool:
        if self._pool is None or not self._is_loaded:
            raise ModelUnavailable("the leads are still being read")
        return self._pool

    def _forget(self, user_ids: Iterable[str]) -> None:
        for user_id in user_ids:
            self._tastes.pop(user_id, None)
            self._reading.discard(user_id)

    async def _known(self, pool: asyncpg.Pool, user_id: str, settings: Settings) -> _Known:
        """Read at most TASTE_SECONDS ago, and after whatever the buyer did."""
        known = self._tastes.get(user_id)
        now, version = time.monotonic(), self.shelves.version
        if (
            known is None
            or now - known.read_at > TASTE_SECONDS
            or (known.settings, known.version) != (settings, version)
        ):
            self._reading.add(user_id)
            try:
                known = await self._read(pool, user_id, settings, now, version)
                if user_id not in self._reading:
                    # He did something meanwhile, or another reading was faster: not to be kept.
                    return known
            finally:
                self._reading.discard(user_id)
            self._tastes[user_id] = known
            if len(self._tastes) > TASTES_MAX:
                self._tastes.popitem(last=False)
        self._tastes.move_to_end(user_id)
        return known

    async def _read(
        self,
        pool: asyncpg.Pool,
        user_id: str,
        settings: Settings,
        read_at: float,
        version: int | None,
    ) -> _Known:
        dimensions, now = self.shelves.dimensions, self._clock()
        acted = await tastes.acts(pool, user_id, now)
        ordered = await tastes.standing(pool, user_id)
        mine = await tastes.mine(pool, user_id)
        vectors = np.zeros((len(acted), dimensions), dtype=np.float32)
        if version is not None and acted:
            lead_ids = list({each.lead_id for each in acted})
            found = await lead_vectors.of_leads(pool, version, lead_ids, dimensions)
            for place, each in enumerate(acted):
                if each.lead_id in found:
                    vectors[place] = found[each.lead_id]
        kinds = self.shelves.kinds
        wishes = [wish_of(each.terms, kinds, each.market, each.at) for each in ordered]
        facts = facts_of([self._row(each) for each in acted])
        acts = [Act(each.lead_id, each.kind, each.at) for each in acted]
        past = Past(acts, facts, vectors, [each for each in wishes if each is not None])
        return _Known(taste_of(past, now, settings), mine, read_at, settings, version)

    def _row(self, acted: Acted) -> Row:
        return row_of(self.shelves.kinds, acted.listing, acted.price, acted.listed_at)


def _told(picks: list[Pick]) -> list[Picked]:
    return [Picked(pick.lead_id, pick.score, pick.reasons) for pick in picks]
