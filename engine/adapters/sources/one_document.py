"""One document as its parser gets it, had from one address."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.safe_address import host_of, parsed_address
from engine.source_directory import Source

REPLAY_LICENCE = "replay"
_TAG_CHARACTERS_MAX = 500


async def fetch_document(
    source: Source, market: str, address: Address, client: PoliteClient, bytes_max: int
) -> FetchedDocument | None:
    """The document there, None when it is still the copy that `address` describes.

    Raises FetchFailed.
    """
    answer = await client.get(
        address.url,
        etag=address.etag,
        last_modified=address.last_modified,
        headers=credential_headers(source, market, client, address.url),
        bytes_max=bytes_max,
    )
    if answer is None:
        return None
    return as_document(answer, source, market, client, media_type=address.media_type)


def as_document(
    answer: Answer,
    source: Source,
    market: str,
    client: PoliteClient,
    *,
    media_type: str | None = None,
) -> FetchedDocument:
    """`media_type` counts where the site says nothing."""
    return FetchedDocument(
        url=answer.url,
        content=answer.content,
        media_type=answer.media_type or media_type,
        charset=answer.charset,
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        market=market,
        licence=REPLAY_LICENCE if client.only_allowed else source.licence,
        source=source.name,
        etag=_to_send_back(answer.headers, "etag"),
        last_modified=_to_send_back(answer.headers, "last-modified"),
    )


def credential_headers(
    source: Source, market: str, client: PoliteClient, url: str
) -> dict[str, str]:
    """What the source's own host asks for: `token` as a bearer, `api_key` as X-Api-Key."""
    if not client.credentials or not source.address:
        return {}
    home = parsed_address(source.address.replace("{market}", market))
    there = parsed_address(url)
    if host_of(there) != host_of(home) or there.scheme != home.scheme:
        return {}
    headers = {}
    if token := client.credentials.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    if api_key := client.credentials.get("api_key"):
        headers["X-Api-Key"] = api_key
    return headers


def _to_send_back(headers: httpx.Headers, name: str) -> str | None:
    """A validator that can stand in a request, else None: then the page is had unconditionally."""
    value = headers.get(name, "")
    sane = value.isascii() and value.isprintable() and len(value) <= _TAG_CHARACTERS_MAX
    return value if value and sane else None
