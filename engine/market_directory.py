"""The markets this installation trades, read from configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_FILE = Path(__file__).with_name("markets.toml")


class Market(NamedTuple):
    """One market. `center` is (lat, lon); `bbox` is (west, south, east, north), degrees."""

    slug: str
    name: str
    time_zone: str
    state: str
    center: tuple[float, float]
    bbox: tuple[float, float, float, float]

    def contains(self, latitude: float, longitude: float) -> bool:
        west, south, east, north = self.bbox
        return west <= longitude <= east and south <= latitude <= north


def load_markets(path: Path | None = None) -> dict[str, Market]:
    """Markets by slug, in file order. Raises ValueError naming the bad entry."""
    source = path or DEFAULT_FILE
    entries = tomllib.loads(source.read_text()).get("market", [])
    if not entries:
        raise ValueError(f"{source}: no [[market]] entry; add at least one market")
    markets: dict[str, Market] = {}
    for number, entry in enumerate(entries, start=1):
        market = _market(entry, f"{source}: market {number}")
        if market.slug in markets:
            raise ValueError(f"{source}: market {number}: slug {market.slug!r} is taken already")
        markets[market.slug] = market
    return markets


def _market(entry: dict, where: str) -> Market:
    missing = [key for key in Market._fields if key not in entry]
    if missing:
        raise ValueError(f"{where}: missing {', '.join(missing)}")
    try:
        ZoneInfo(entry["time_zone"])
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{where}: time_zone {entry['time_zone']!r} is unknown") from error
    west, south, east, north = entry["bbox"]
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError(f"{where}: bbox must be west, south, east, north in degrees")
    return Market(
        slug=entry["slug"],
        name=entry["name"],
        time_zone=entry["time_zone"],
        state=entry["state"],
        center=(float(entry["center"][0]), float(entry["center"][1])),
        bbox=(west, south, east, north),
    )
