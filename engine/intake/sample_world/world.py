"""The sample world: invented homes of any number, and the pages and tables that offer them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import overload

from engine.intake.sample_world.builder import COPIES_MAX, POST_ID_BASE, HomeBuilder
from engine.intake.sample_world.home import Home
from engine.intake.sample_world.post_page import post_page
from engine.intake.sample_world.table_files import Table, tables_of
from engine.market_directory import Market

DEFAULT_AS_OF = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_HOMES_PER_TABLE_PART = 5_000


class Homes(Sequence[Home]):
    """All homes, each built when it is asked for: nothing is held in memory."""

    def __init__(self, builder: HomeBuilder) -> None:
        self._builder = builder

    def __len__(self) -> int:
        return self._builder.size

    @overload
    def __getitem__(self, index: int) -> Home: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Home]: ...
    def __getitem__(self, index: int | slice) -> Home | Sequence[Home]:
        if isinstance(index, slice):
            return [self._builder.build(i) for i in range(*index.indices(len(self)))]
        return self._builder.build(index + len(self) if index < 0 else index)

    def __iter__(self) -> Iterator[Home]:
        return (self._builder.build(index) for index in range(len(self)))


class SampleWorld:
    """`size` homes spread evenly over `markets`; the same seed makes the same world.

    `as_of` is the moment at which its sources were seen; listings are up to 60 days
    older. Everything rendered is marked: a meta tag on pages, `is_sample` in tables.
    """

    def __init__(
        self,
        seed: int,
        size: int,
        markets: Sequence[Market],
        *,
        as_of: datetime = DEFAULT_AS_OF,
    ) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; a sample world needs at least one home")
        if not markets:
            raise ValueError("a sample world needs at least one market")
        if as_of.tzinfo is None:
            raise ValueError("as_of must carry its time zone")
        self._builder = HomeBuilder(seed, size, markets)
        self._slugs = tuple(market.slug for market in markets)
        self._as_of = as_of
        self.homes = Homes(self._builder)

    def homes_of(self, market: str) -> range:
        """The indexes of a market's homes. Raises KeyError for an unknown market."""
        if market not in self._slugs:
            raise KeyError(f"market {market!r} is not in this sample world")
        return range(self._slugs.index(market), len(self.homes), len(self._slugs))

    def post_ids(self, market: str, homes: slice = slice(None)) -> Iterator[str]:
        """Ids of the posts about these of the market's homes, in the homes' order."""
        for index in self.homes_of(market)[homes]:
            for sighting in self._builder.build(index).sightings:
                if sighting.source == "craigslist":
                    yield sighting.source_id

    def page(self, market: str, post_id: str) -> bytes | None:
        """The page of a post, None if this market has no such post."""
        if not (post_id.isascii() and post_id.isdigit() and len(post_id) <= 20):
            return None
        index = (int(post_id) - POST_ID_BASE) // COPIES_MAX
        if not 0 <= index < len(self.homes):
            return None
        home = self._builder.build(index)
        if home.market != market or all(s.source_id != post_id for s in home.sightings):
            return None
        return post_page(home, post_id, as_of=self._as_of)

    def pages(self, market: str) -> Iterator[tuple[str, bytes]]:
        """(path, page) of every post of a market."""
        for index in self.homes_of(market):
            home = self._builder.build(index)
            for sighting in home.sightings:
                if sighting.source == "craigslist":
                    page = post_page(home, sighting.source_id, as_of=self._as_of)
                    yield f"{market}/posts/{sighting.source_id}.html", page

    def tables(self, market: str) -> Iterator[Table]:
        """(source, file name, content) of a market's tables, at most 5,000 homes each."""
        indexes = self.homes_of(market)
        for part, first in enumerate(range(0, len(indexes), _HOMES_PER_TABLE_PART)):
            homes = (self._builder.build(i) for i in indexes[first : first + _HOMES_PER_TABLE_PART])
            yield from tables_of(homes, market=market, part=part, as_of=self._as_of)
