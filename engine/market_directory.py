"""The markets this installation trades, read from configuration."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_FILE = Path(__file__).with_name("markets.toml")
# A slug names channels, streams, actors and paths.
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


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
    try:
        entries = tomllib.loads(source.read_text()).get("market", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}: not TOML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{source}: no [[market]] entry; add at least one market")
    markets: dict[str, Market] = {}
    for number, entry in enumerate(entries, start=1):
        market = _market(entry, f"{source}: market {number}")
        if market.slug in markets:
            raise ValueError(f"{source}: market {number}: slug {market.slug!r} is taken already")
        markets[market.slug] = market
    return markets


def _market(entry: dict[str, Any], where: str) -> Market:
    missing = [key for key in Market._fields if key not in entry]
    if missing:
        raise ValueError(f"{where}: missing {', '.join(missing)}")
    for key in ("slug", "name", "time_zone", "state"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise ValueError(f"{where}: {key} {entry[key]!r} must be text")
    if not _SLUG.fullmatch(entry["slug"]):
        raise ValueError(f"{where}: slug {entry['slug']!r} must be like las-vegas")
    try:
        ZoneInfo(entry["time_zone"])
    except (OSError, ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{where}: time_zone {entry['time_zone']!r} is unknown") from error
    west, south, east, north = _degrees(entry["bbox"], 4, f"{where}: bbox")
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError(f"{where}: bbox must be west, south, east, north in degrees")
    latitude, longitude = _degrees(entry["center"], 2, f"{where}: center")
    market = Market(
        slug=entry["slug"],
        name=entry["name"],
        time_zone=entry["time_zone"],
        state=entry["state"],
        center=(latitude, longitude),
        bbox=(west, south, east, north),
    )
    if not market.contains(latitude, longitude):
        raise ValueError(f"{where}: center must be latitude, longitude inside bbox")
    return market


def _degrees(value: object, count: int, where: str) -> list[float]:
    """`count` finite numbers, else ValueError."""
    if (
        isinstance(value, list)
        and len(value) == count
        and all(type(each) in (int, float) and math.isfinite(each) for each in value)
    ):
        return [float(each) for each in value]
    raise ValueError(f"{where} must be {count} numbers, degrees")
