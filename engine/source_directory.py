"""The sources this installation reads, from configuration: a new one is an entry, a parser
and, where its shape is new, a fetcher."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

DEFAULT_FILE = Path(__file__).with_name("sources.toml")

FetchKind = Literal["index", "documents", "reso", "uploads"]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source.

    `fetch` names how its documents are found: `index` follows result pages to posts,
    `documents` reads a manifest or fixed addresses, `reso` speaks the RESO Web API,
    `uploads` reads what accounts sent here: nothing is fetched, and no schedule runs it.
    `parser` is a name in `engine.intake.parsers`. `address` is where it starts, with
    `{market}` filled in; without one the source is off unless a replay site serves it.
    `needs_permission` keeps it off until credentials and a licence note are configured.
    `trust` in (0, 1] ranks it among sources that contradict each other; `stable_ids` says
    that one home has one id there, so that two ids are two homes. Pace is of the whole
    cluster, per host: `requests_per_second`, at most `concurrency` under way.
    """

    name: str
    parser: str
    fetch: FetchKind
    trust: float = 0.5
    stable_ids: bool = False
    needs_permission: bool = False
    licence: str = "public"
    every: Literal["hourly", "daily"] = "daily"
    markets: tuple[str, ...] = ()
    address: str = ""
    requests_per_second: float = 1.0
    concurrency: int = 2

    def serves(self, market: str) -> bool:
        return not self.markets or market in self.markets


def load_sources(path: Path | None = None) -> dict[str, Source]:
    """Sources by name, in file order. Raises ValueError naming the bad entry."""
    origin = path or DEFAULT_FILE
    try:
        entries = tomllib.loads(origin.read_text()).get("source", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not TOML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{origin}: no [[source]] entry; add at least one source")
    sources: dict[str, Source] = {}
    for number, entry in enumerate(entries, start=1):
        source = _source(entry, f"{origin}: source {number}")
        if source.name in sources:
            raise ValueError(f"{origin}: source {number}: name {source.name!r} is taken already")
        sources[source.name] = source
    return sources


def _source(entry: dict[str, Any], where: str) -> Source:
    try:
        source = msgspec.convert(entry, Source)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from error
    if not 0 < source.trust <= 1:
        raise ValueError(f"{where}: trust {source.trust} must be above 0 and at most 1")
    if source.requests_per_second <= 0 or source.concurrency < 1:
        raise ValueError(f"{where}: requests_per_second and concurrency must be above 0")
    return source
