"""The homes of a captures folder as anyone may see them: parsed, cleaned, masked, one a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from engine.intake.cleaning import clean
from engine.intake.document import Document, Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.listing import LISTABLE_STATUSES, to_listing
from engine.intake.offer import seats_for
from engine.intake.parsers import PARSERS
from engine.intake.record import SourceRecord
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.mapping_directory import load_mappings
from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market_directory import load_markets
from models_ml.recommend.simulation.homes import Offered
from serve_apps.cli.parsing_files import SourceFile, find_files

HOMES_MAX = 3_000
# What the freshness in a quality is measured against; alike for all.
_NOW_US = from_datetime(DEFAULT_AS_OF)


def captured_homes(captures: Path) -> list[Offered]:
    """Homes with a kind, a price and a place, of the region that has most of them: those with a
    text first, HOMES_MAX at most."""
    markets = load_markets()
    parsers: dict[str, Parser] = {**PARSERS, "feed": feed_parser(load_mappings(), markets)}
    found: dict[str, Offered] = {}
    for file in find_files(captures, frozenset(markets)):
        if isinstance(file, SourceFile) and file.parser in parsers:
            for record in _records(file, parsers[file.parser]):
                cleaned = clean(record, markets)
                listing = to_listing(cleaned, now_us=_NOW_US)
                if cleaned.standard_status in LISTABLE_STATUSES and _tells(listing):
                    lead_id = f"{record.source}-{record.source_id}"
                    found[lead_id] = Offered(lead_id, listing, seats_for(cleaned))
    regions = Counter(_region(each.listing) for each in found.values())
    most = max(regions, key=lambda region: regions[region]) if regions else None
    kept = [each for each in found.values() if _region(each.listing) == most]
    kept.sort(key=lambda each: (not each.listing.public_remarks, each.lead_id))
    return kept[:HOMES_MAX]


def _records(file: SourceFile, parse: Parser) -> Iterable[SourceRecord]:
    document = Document(
        url=file.name,
        content=file.path.read_bytes(),
        media_type=file.media_type,
        market=file.market,
        source=file.source,
    )
    return [each for each in parse(document) if isinstance(each, SourceRecord)]


def _tells(listing: Listing) -> bool:
    known = (listing.property_type, listing.list_price, listing.latitude)
    return all(each is not None and each != 0 for each in known)


def _region(listing: Listing) -> tuple[int, int]:
    """A degree of latitude by two of longitude: a city and what is around it."""
    return round(listing.latitude or 0), round((listing.longitude or 0) / 2)
