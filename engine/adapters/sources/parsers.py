"""Every parser of this installation: those in code, and `feed` over its mappings."""

from __future__ import annotations

from engine.intake.document import Parser
from engine.intake.feed.feed import feed_parser
from engine.intake.parsers import PARSERS
from engine.mapping_directory import load_mappings
from engine.market_directory import load_markets
from engine.settings import Settings


def open_parsers(settings: Settings) -> dict[str, Parser]:
    """Parsers by the names that sources.toml uses. Raises ValueError on a bad mapping."""
    mappings = load_mappings(settings.mappings_dir)
    return {**PARSERS, "feed": feed_parser(mappings, load_markets(settings.markets_file))}
