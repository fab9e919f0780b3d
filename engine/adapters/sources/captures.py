"""A folder of captured sources: which of its files belong to which source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_POSTS = Path("craigslist") / "posts_html"
# Bulk tables name no market: each market's run keeps what stands there.
_FOLDERS: dict[str, tuple[str, ...]] = {
    "zillow": ("zillow/**/*",),
    "redfin": ("redfin/**/*",),
    "realtor": ("realtor/**/*",),
    "fsbo": ("fsbo/**/*",),
    "facebook": ("facebook/**/*",),
    "linkedin": ("linkedin/**/*",),
    # A city's own portals and lists.
    "las-vegas": ("zumper/las-vegas*",),
    "dallas": ("zumper/dallas*", "zumper/fort-worth*", "fortworth_deals/*"),
    "austin": ("zumper/austin*",),
    "phoenix": ("zumper/phoenix*",),
}
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".html": "text/html",
}


class CapturedFile(NamedTuple):
    """`name` is its path within the captures, with slashes."""

    name: str
    path: Path
    media_type: str


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


def captured_files(captures: Path, source: str) -> Iterator[CapturedFile]:
    """A source's captured documents by date, oldest first; none for an unknown source."""
    found = {path for pattern in _FOLDERS.get(source, ()) for path in captures.glob(pattern)}
    for path in sorted(found, key=lambda each: (_digits(each.name), str(each))):
        media_type = _MEDIA_TYPES.get(path.suffix.lower())
        if media_type is not None and path.is_file():
            yield CapturedFile(path.relative_to(captures).as_posix(), path, media_type)


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _digits(name: str) -> str:
    return "".join(c for c in name if c.isdigit())
