"""A folder of captured sources, found by market and kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_POSTS = Path("craigslist") / "posts_html"
# The kinds of tables that have a reader, by where captures keep them.
_TABLES = {
    "zillow": (
        "zillow/*/*_listings_*.csv",
        "zillow/*/*_rentals_*.csv",
        "zillow/las_vegas_*.csv",
        "zillow/maricopa_*.csv",
    ),
    "redfin": (
        "redfin/*/listings/*.json",
        "redfin/*/sold/*.json",
        "redfin/*_rentals_*.csv",
    ),
}


def post_folder(captures: Path, market: str) -> Path | None:
    """The folder of a market's captured posts, None if there is none.

    Folders are named like the market, with or without its hyphens (`lasvegas`).
    """
    posts = captures / _POSTS
    if not posts.is_dir():
        return None
    wanted = _plain(market)
    return next(
        (f for f in sorted(posts.iterdir()) if f.is_dir() and _plain(f.name) == wanted), None
    )


def table_paths(captures: Path) -> Iterator[tuple[str, Path]]:
    """(source, path) of every captured table, each source's by date: oldest first."""
    for source, patterns in _TABLES.items():
        found = {path for pattern in patterns for path in captures.glob(pattern)}
        for path in sorted(found, key=lambda p: (_digits(p.name), str(p))):
            yield source, path


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _digits(name: str) -> str:
    return "".join(c for c in name if c.isdigit())
