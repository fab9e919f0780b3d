"""The posts a replay site serves: captured ones, or the sample world's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.adapters.sources.captures import post_folder
from engine.intake.sample_world import SampleWorld


class Page(NamedTuple):
    """`modified` is aware UTC, whole seconds."""

    content: bytes
    modified: datetime
    media_type: str = "text/html"


class Posts(Protocol):
    """What the site serves. `post_ids` of an unknown market is empty, a missing page None."""

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        """(ids, the next offset or None). An offset counts in units of the posts' origin."""
        ...

    def page(self, market: str, post_id: str) -> Page | None: ...


def file_page(path: Path, media_type: str) -> Page | None:
    """A file as it is, None if it has gone."""
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    return Page(content, datetime.fromtimestamp(int(changed), UTC), media_type)


class CapturedPosts:
    """Post pages of a captures folder, served as the bytes they are."""

    def __init__(self, captures: Path) -> None:
        if not captures.is_dir():
            raise ValueError(f"captures folder {captures} does not exist")
        self._captures = captures
        self._ids: dict[str, list[str]] = {}

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        ids = self._ids_of(market)
        end = offset + limit
        return ids[offset:end], end if end < len(ids) else None

    def page(self, market: str, post_id: str) -> Page | None:
        folder = post_folder(self._captures, market)
        if folder is None or post_id not in self._ids_of(market):
            return None
        return file_page(folder / f"{post_id}.html", "text/html")

    def _ids_of(self, market: str) -> list[str]:
        if market not in self._ids:
            folder = post_folder(self._captures, market)
            if folder is None:
                return []
            self._ids[market] = sorted(path.stem for path in folder.glob("*.html"))
        return self._ids[market]


class SamplePosts:
    """Post pages of a sample world, rendered when they are asked for."""

    def __init__(self, world: SampleWorld, rendered_at: datetime) -> None:
        self._world = world
        self._modified = rendered_at.replace(microsecond=0)

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        """Offsets count homes, so that no page of the index builds more than `limit`."""
        try:
            homes = len(self._world.homes_of(market))
        except KeyError:
            return [], None
        end = offset + limit
        ids = list(self._world.post_ids(market, slice(offset, end)))
        return ids, end if end < homes else None

    def page(self, market: str, post_id: str) -> Page | None:
        content = self._world.page(market, post_id)
        return None if content is None else Page(content, self._modified)
