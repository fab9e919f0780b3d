"""The sample world: invented homes of any number, and the pages and tables that offer them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol, overload

from engine.intake.sample_world.builder import HomeBuilder
from engine.intake.sample_world.facebook_listings import facebook_answers
from engine.intake.sample_world.fsbo_page import fsbo_pages
from engine.intake.sample_world.home import Home, Sighting
from engine.intake.sample_world.linkedin_pages import linkedin_documents
from engine.intake.sample_world.local_feeds import local_feed
from engine.intake.sample_world.offers import COPIES_MAX, POST_ID_BASE
from engine.intake.sample_world.post_page import post_page, post_pages
from engine.intake.sample_world.realtor_results import realtor_results
from engine.intake.sample_world.reso_pages import reso_pages
from engine.intake.sample_world.seen import Seen, as_seen
from engine.intake.sample_world.table_files import redfin_tables
from engine.intake.sample_world.zillow_pages import zillow_documents
from engine.market_directory import Market

DEFAULT_AS_OF = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_HOMES_PER_PART = 5_000

Rendered = tuple[str, str, bytes]
"""(name, media type, content) of one document of a source."""


class Renderer(Protocol):
    """How a source shows its sightings of one market. `part` tells several calls apart."""

    def __call__(
        self, sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
    ) -> Iterator[Rendered]: ...


RENDERERS: dict[str, Renderer] = {
    "craigslist": post_pages,
    "zillow": zillow_documents,
    "redfin": redfin_tables,
    "realtor": realtor_results,
    "fsbo": fsbo_pages,
    "mls": reso_pages,
    "facebook": facebook_answers,
    "linkedin": linkedin_documents,
    "las-vegas": local_feed,
    "dallas": local_feed,
    "austin": local_feed,
    "phoenix": local_feed,
}


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
        sighting = Sighting("craigslist", post_id)
        if home.market != market or sighting not in home.sightings:
            return None
        return post_page(as_seen(home, sighting), as_of=self._as_of)

    def sightings(self, market: str, source: str | None = None) -> Iterator[Seen]:
        """What the sources, or one of them, say of a market's homes, in the homes' order."""
        return self._seen(self.homes_of(market), source)

    def documents(self, source: str, market: str) -> Iterator[Rendered]:
        """The documents in which a source offers a market's homes, tables at most 5,000 each.

        Raises KeyError for a source that has no renderer, and for an unknown market.
        """
        if source not in RENDERERS:
            raise KeyError(f"no sample pages of source {source!r}; known: {', '.join(RENDERERS)}")
        indexes = self.homes_of(market)
        for part, first in enumerate(range(0, len(indexes), _HOMES_PER_PART)):
            seen = self._seen(indexes[first : first + _HOMES_PER_PART], source)
            yield from RENDERERS[source](seen, market=market, as_of=self._as_of, part=part)

    def truth(self) -> Iterator[tuple[tuple[str, str], int]]:
        """((source, source id), home index) of every sighting: a lead is a home's offer, so
        sightings of one index are one lead. A clone is an offer, and a lead, of its own."""
        for home in self.homes:
            for sighting in home.sightings:
                yield (sighting.source, sighting.source_id), home.index

    def pages(self, market: str) -> Iterator[tuple[str, bytes]]:
        """(path, page) of every classified post of a market."""
        for name, _media_type, content in self.documents("craigslist", market):
            yield name, content

    def tables(self, market: str) -> Iterator[Rendered]:
        """(source, file name, content) of the portals' tables of a market."""
        for source in ("zillow", "redfin"):
            for name, _media_type, content in self.documents(source, market):
                yield source, name, content

    def _seen(self, indexes: Iterable[int], source: str | None) -> Iterator[Seen]:
        for index in indexes:
            home = self._builder.build(index)
            for sighting in home.sightings:
                if source is None or sighting.source == source:
                    yield as_seen(home, sighting)
