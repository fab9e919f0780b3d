"""Documents that a manifest lists, or the one document at an address.

A manifest is JSON: `{"documents": [{"url": "part-1.csv", "media_type": "text/csv"}, ...]}`,
addresses relative to its own; other keys are ignored. Anything else is the document.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urljoin

import msgspec

from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.one_document import as_document, credential_headers, fetch_document
from engine.adapters.sources.polite_client import PoliteClient
from engine.intake.document import Document
from engine.source_directory import Source

DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
DOCUMENTS_MAX = 250_000
BATCH = 60


class _Entry(msgspec.Struct):
    url: str
    media_type: str | None = None


async def discover(
    source: Source,
    market: str,
    client: PoliteClient,
    *,
    base: str,
    checkpoint: dict[str, Any],
) -> AsyncIterator[list[Address] | list[Document]]:
    """The manifest's documents in its order, `BATCH` at a time, or the document itself.

    The checkpoint names the last document handed over, and is empty again at the end; of a
    document that is its own source it keeps what makes the next request conditional.
    Raises FetchFailed, `bad-manifest` for a list that is not in its form.
    """
    answer = await client.get(
        base,
        etag=checkpoint.get("etag"),
        last_modified=checkpoint.get("last_modified"),
        headers=credential_headers(source, market, client, base),
        bytes_max=DOCUMENT_BYTES_MAX,
    )
    if answer is None:
        return
    addresses = _listed(answer)
    if addresses is None:
        document = as_document(answer, source, market, client)
        checkpoint.clear()
        checkpoint.update(etag=document.etag, last_modified=document.last_modified)
        whole: list[Document] = [document]
        yield whole
        return
    async for batch in _batches(addresses, checkpoint):
        yield batch


async def fetch(
    source: Source, market: str, address: Address, client: PoliteClient
) -> FetchedDocument | None:
    """The document, None when it has not changed. Raises FetchFailed."""
    return await fetch_document(source, market, address, client, DOCUMENT_BYTES_MAX)


async def _batches(
    addresses: list[Address], checkpoint: dict[str, Any]
) -> AsyncIterator[list[Address]]:
    urls = [address.url for address in addresses]
    after = checkpoint.get("after")
    start = urls.index(after) + 1 if after in urls else 0
    checkpoint.clear()
    for begin in range(start, len(addresses), BATCH):
        batch = addresses[begin : begin + BATCH]
        checkpoint.clear()
        if begin + BATCH < len(addresses):
            checkpoint["after"] = batch[-1].url
        yield batch


def _listed(answer: Answer) -> list[Address] | None:
    """The manifest's addresses, each once; None if the answer is no manifest."""
    if answer.media_type not in {"application/json", "text/json", None}:
        return None
    try:
        listed = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return None
    if "documents" not in listed:
        return None
    try:
        entries = msgspec.json.decode(listed["documents"], type=list[_Entry])
    except msgspec.DecodeError as error:
        raise FetchFailed(answer.url, "bad-manifest", str(error)) from error
    if len(entries) > DOCUMENTS_MAX:
        said = f"{len(entries)} documents, more than {DOCUMENTS_MAX}"
        raise FetchFailed(answer.url, "bad-manifest", said)
    found = (_address(answer.url, entry) for entry in entries)
    return list({address.url: address for address in found}.values())


def _address(manifest_url: str, entry: _Entry) -> Address:
    try:
        return Address(urljoin(manifest_url, entry.url), media_type=entry.media_type)
    except ValueError as error:
        raise FetchFailed(manifest_url, "bad-manifest", f"{entry.url[:200]!r}: {error}") from error
