"""Every parser of this installation: those in code, `feed` over its mappings, and `linkedin`
with the markets in which its places lie."""

from __future__ import annotations

from engine.intake.document import Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.linkedin import linkedin_parser
from engine.intake.parsers import PARSERS
from engine.mapping_directory import load_mappings
from engine.market_directory import load_markets
from engine.settings import Settings


def open_parsers(settings: Settings) -> dict[str, Parser]:
    """Parsers by the names that sources.toml uses. Raises ValueError on a bad mapping."""
    markets = load_markets(settings.markets_file)
    feed = feed_parser(load_mappings(settings.mappings_dir), markets)
    return {**PARSERS, "feed": feed, "linkedin": linkedin_parser(markets)}
