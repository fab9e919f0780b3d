"""What the replay site's RESO server has: the sample world's listings, or captured ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.adapters.sources.reso_store import PropertyStore
from engine.intake.readings import moment_of
from engine.intake.reso.names import KEY, MODIFIED
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.reso_pages import property_rows


class SampleListings:
    """A market's store, filled when it is asked for first; `rendered_at` is when all of it
    was seen. Callable from several threads."""

    def __init__(self, world: SampleWorld, rendered_at: datetime) -> None:
        self._world = world
        self._rendered_at = rendered_at
        self._stores: dict[str, PropertyStore] = {}
        self._filling = threading.Lock()

    def __call__(self, market: str) -> PropertyStore | None:
        with self._filling:
            if market not in self._stores:
                try:
                    seen = self._world.sightings(market, "mls")
                except KeyError:
                    return None
                rows = property_rows(seen, as_of=self._rendered_at)
                self._stores[market] = PropertyStore(rows)
            return self._stores[market]


class CapturedListings:
    """The listings of captured pages, the same to every market; the last change of each."""

    def __init__(self, captures: Path) -> None:
        rows = sorted(_captured_rows(captures), key=lambda row: str(moment_of(row[MODIFIED])))
        self._store = PropertyStore(rows)

    def __call__(self, market: str) -> PropertyStore | None:
        return self._store


def _captured_rows(captures: Path) -> Iterator[dict[str, Any]]:
    """Rows with a key and a moment; what else is captured is no state of a server."""
    for path in sorted(captures.glob("reso/*/*.json")):
        page = msgspec.json.decode(path.read_bytes())
        rows = page.get("value") if isinstance(page, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row.get(KEY), str) and moment_of(row.get(MODIFIED)) is not None:
                yield row
