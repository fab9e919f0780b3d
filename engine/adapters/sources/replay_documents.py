"""The documents of other sources that a replay site serves: captured, or the sample world's."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.adapters.sources.captures import CapturedFile, captured_files
from engine.adapters.sources.replay_posts import Page, file_page
from engine.intake.sample_world import SampleWorld


class Documents(Protocol):
    """What the site serves of a source in a market."""

    def names(self, source: str, market: str) -> list[tuple[str, str]]:
        """(name, media type) of each, in the order in which to read them; none if unknown."""
        ...

    def document(self, source: str, market: str, name: str) -> Page | None: ...


class CapturedDocuments:
    """Files of a captures folder, served as the bytes they are, the same to every market."""

    def __init__(self, captures: Path) -> None:
        if not captures.is_dir():
            raise ValueError(f"captures folder {captures} does not exist")
        self._captures = captures
        self._files: dict[str, dict[str, CapturedFile]] = {}

    def names(self, source: str, market: str) -> list[tuple[str, str]]:
        found = {each.name: each for each in captured_files(self._captures, source)}
        if found:
            self._files[source] = found
        return [(each.name, each.media_type) for each in found.values()]

    def document(self, source: str, market: str, name: str) -> Page | None:
        if source not in self._files:
            self.names(source, market)
        # Only what was listed is served: a name is never made into a path.
        found = self._files.get(source, {}).get(name)
        return None if found is None else file_page(found.path, found.media_type)


class _Place(NamedTuple):
    offset: int
    length: int
    media_type: str


class SampleDocuments:
    """Documents of a sample world. Each source and market is rendered once, when it is asked
    for first, into a nameless file: a large world would not fit into memory."""

    def __init__(self, world: SampleWorld, rendered_at: datetime) -> None:
        self._world = world
        self._modified = rendered_at.replace(microsecond=0)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this lives
        weakref.finalize(self, self._file.close)
        self._places: dict[tuple[str, str], dict[str, _Place]] = {}
        self._rendering = threading.Lock()

    def names(self, source: str, market: str) -> list[tuple[str, str]]:
        places = self._places_of(source, market)
        return [(name, place.media_type) for name, place in places.items()]

    def document(self, source: str, market: str, name: str) -> Page | None:
        place = self._places_of(source, market).get(name)
        if place is None:
            return None
        content = os.pread(self._file.fileno(), place.length, place.offset)
        return Page(content, self._modified, place.media_type)

    def _places_of(self, source: str, market: str) -> dict[str, _Place]:
        if (known := self._places.get((source, market))) is not None:
            return known
        with self._rendering:
            if (source, market) not in self._places:
                places = self._render(source, market)
                if not places:
                    return places
                self._places[source, market] = places
            return self._places[source, market]

    def _render(self, source: str, market: str) -> dict[str, _Place]:
        places: dict[str, _Place] = {}
        try:
            for name, media_type, content in self._world.documents(source, market):
                places[name] = _Place(self._file.tell(), len(content), media_type)
                self._file.write(content)
        except KeyError:
            return {}  # The world has no such source or market.
        self._file.flush()
        return places
