"""Fetchers by kind: how a source's documents are found and had.

A run asks `start_address` where a source starts (None: `why_off` says why not), opens a
client with `client_for`, walks `discover` and has each Address `fetch`ed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from engine.adapters.sources import documents_fetcher, index_fetcher, reso_fetcher
from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.pace import Pace
from engine.adapters.sources.polite_client import PoliteClient, open_client
from engine.adapters.sources.reso_reconcile import KnownListings
from engine.intake.document import Document
from engine.settings import Settings
from engine.source_directory import FetchKind, Source

__all__ = [
    "Address",
    "FetchedDocument",
    "client_for",
    "discover",
    "fetch",
    "start_address",
    "why_off",
]

# The replay site is this machine's own: it is asked as fast as it answers.
REPLAY_PACE = Pace(requests_per_second=2_000.0, concurrency=64)


class Fetcher(Protocol):
    """A module of one kind, e.g. `index_fetcher`."""

    def discover(
        self, source: Source, market: str, client: PoliteClient, *, base: str, checkpoint: Any
    ) -> AsyncIterator[list[Address] | list[Document]]: ...

    async def fetch(
        self, source: Source, market: str, address: Address, client: PoliteClient
    ) -> FetchedDocument | None: ...


FETCHERS: dict[FetchKind, Fetcher] = {
    "index": index_fetcher,
    "documents": documents_fetcher,
    "reso": reso_fetcher,
}


def discover(
    source: Source,
    market: str,
    client: PoliteClient,
    *,
    base: str,
    checkpoint: dict[str, Any],
    known: KnownListings | None = None,
) -> AsyncIterator[list[Address] | list[Document]]:
    """What there is to read, in batches as it is found; documents come whole where finding
    them is having them.

    `checkpoint` holds JSON values and belongs to the fetcher: it is `{}` at the very first
    run, is changed in place before each batch is handed over, and is to be stored as it then
    is once that batch was taken, and when the walk has ended. A later run, resumed or new,
    gets it as it was stored. Raises FetchFailed, also in the middle of the walk: what came
    before it stands. `known` tells a fetcher that compares what a source lists with what is
    known of it (`reso`) what that is.
    """
    if source.fetch == "reso":
        return reso_fetcher.discover(
            source, market, client, base=base, checkpoint=checkpoint, known=known
        )
    return FETCHERS[source.fetch].discover(source, market, client, base=base, checkpoint=checkpoint)


async def fetch(
    source: Source, market: str, address: Address, client: PoliteClient
) -> FetchedDocument | None:
    """The document there, None when it is still the copy that `address` describes.

    Raises FetchFailed.
    """
    return await FETCHERS[source.fetch].fetch(source, market, address, client)


def start_address(source: Source, market: str, settings: Settings) -> str | None:
    """Where `source` starts for `market`, None when it is off (`why_off` tells the reason)
    or is handed in rather than fetched.

    The replay site stands in for every source, so that nothing leaves the machine.
    """
    if why_off(source, market, settings) is not None or source.fetch == "uploads":
        return None
    if settings.replay_url:
        return f"{settings.replay_url.rstrip('/')}/sources/{source.name}/{market}/"
    return source.address.replace("{market}", market)


def why_off(source: Source, market: str, settings: Settings) -> str | None:
    """What an operator has to know or do when `source` is not read for `market`."""
    if not source.serves(market):
        return f"it serves {', '.join(source.markets)} only"
    if settings.replay_url or source.fetch == "uploads":
        return None
    if not source.address:
        return "it has no address: give it one in the file AIQLEADS_SOURCES_FILE names"
    if source.needs_permission and not settings.source_licences.get(source.name, "").strip():
        return f"it needs permission: AIQLEADS_SOURCE_LICENCES has no note for {source.name}"
    if source.needs_permission and not settings.source_credentials.get(source.name):
        return f"it needs permission: AIQLEADS_SOURCE_CREDENTIALS has nothing for {source.name}"
    return None


def client_for(source: Source, settings: Settings) -> PoliteClient:
    """A client at the source's pace, with its credentials; use it with `async with`."""
    pace = Pace(source.requests_per_second, source.concurrency)
    return open_client(
        settings.redis_url,
        REPLAY_PACE if settings.replay_url else pace,
        contact=settings.crawler_contact,
        replay_url=settings.replay_url,
        crawls=source.fetch != "reso",
        credentials={
            name: value.get_secret_value()
            for name, value in settings.source_credentials.get(source.name, {}).items()
        },
    )
