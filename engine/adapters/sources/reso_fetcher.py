"""Keeping up with a RESO Web API: everything once, then what changed and what went.

A run reads what was modified since the last one, with some overlap, because a server may
make a row visible after later ones; what it knows already of the overlap it leaves out.
Rows that the server marks as removed come with the others. A server without such marks is
compared with what is known of it once in a while (reso_reconcile). Only the server's own
timestamps count, so that a clock that goes wrong on either side loses nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.one_document import as_document
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.reso_reconcile import KnownListings, compare, rows_by_key
from engine.adapters.sources.reso_service import ResoService, Row
from engine.adapters.sources.reso_walk import Query, Start, Step, Walk, timestamp
from engine.intake.document import Document
from engine.intake.readings import moment_of, number_of
from engine.intake.reso.dictionary import property_fields
from engine.intake.reso.names import FIELDS, LOCAL_FIELDS
from engine.source_directory import Source

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)
# Rows whose content is remembered, so that the overlap does not hand them over again.
REMEMBERED_MAX = 500
# Listings asked for by key in one run; the next run goes on with the rest.
ASKED_MAX = 500
ROWS_PER_DOCUMENT = 100
RECONCILE_HOURS = 24.0
PAGE_SIZE = 500
PAGE_SIZE_MAX = 5_000
# A server that answers so to a request for its metadata is asked for all fields.
_NO_METADATA = frozenset({"status-400", "status-403", "status-404", "status-406", "too-large"})


async def discover(
    source: Source,
    market: str,
    client: PoliteClient,
    *,
    base: str,
    checkpoint: dict[str, Any],
    known: KnownListings | None = None,
) -> AsyncIterator[list[Document]]:
    """One document for each page that holds something new, then one for what went.

    The checkpoint holds `since` (all that was modified before was taken), `walk` while one is
    under way (the server's next link among it), `taken` (what is remembered of the newest
    rows), `select` and `reconciled_at`. `known` tells what is known of this source in this
    market; without it nothing is compared. Raises FetchFailed.
    """
    service = ResoService(client, base)
    query = _query(client.credentials, base, market, await _selected(service, checkpoint))
    try:
        walk = Walk(service, query, _start(checkpoint))
        handed_over: set[str] = set()
        async for step in walk.steps():
            fresh = _fresh(step.page.rows, checkpoint)
            _advance(checkpoint, step, walk, service)
            handed_over.update(row.key for row in fresh if row.key is not None)
            if fresh:
                yield [_document(step.page.answer, fresh, source, market, client)]
        if known is None or not _is_due(service, client.credentials, base, checkpoint):
            return
        found = await compare(service, query, await known(), frozenset(handed_over))
        asked = [*found.missing, *found.outdated]
        for begin in range(0, min(len(asked), ASKED_MAX), ROWS_PER_DOCUMENT):
            keys = asked[begin : min(begin + ROWS_PER_DOCUMENT, ASKED_MAX)]
            rows = await rows_by_key(service, query, keys)
            _forget(rows, checkpoint)
            yield [_document(found.answer, rows, source, market, client)]
        if len(asked) <= ASKED_MAX:
            checkpoint["reconciled_at"] = service.server_date
    except FetchFailed as failed:
        if failed.reason == "status-400":
            # The server may have lost a field: its fields are learnt anew in the next run.
            checkpoint.pop("select", None)
        raise


async def fetch(
    source: Source, market: str, address: Address, client: PoliteClient
) -> FetchedDocument | None:
    """One Property or page by its address on the source's own host. Raises FetchFailed."""
    service = ResoService(client, source.address.replace("{market}", market) or address.url)
    return as_document(await service.get(address.url), source, market, client)


def _query(settings: Mapping[str, str], base: str, market: str, select: tuple[str, ...]) -> Query:
    """`filter`, or `filter:dallas` for one market, narrows; `page_size` rows are asked for;
    `ordered` is `no` for a server that refuses $orderby; `resource` as a server names it."""
    return Query(
        resource=settings.get("resource", "Property"),
        narrowing=settings.get(f"filter:{market}", settings.get("filter", "")),
        page_size=int(_number(settings, base, "page_size", PAGE_SIZE, 1, PAGE_SIZE_MAX)),
        ordered=settings.get("ordered", "yes") != "no",
        select=select,
    )


def _number(
    settings: Mapping[str, str], base: str, name: str, default: float, least: float, most: float
) -> float:
    """Raises FetchFailed `bad-settings`."""
    value = number_of(settings.get(name, default))
    if value is None or not least <= value <= most:
        said = f"{name} {settings.get(name)!r} must be a number from {least} to {most}"
        raise FetchFailed(base, "bad-settings", said)
    return value


async def _selected(service: ResoService, checkpoint: dict[str, Any]) -> tuple[str, ...]:
    """The fields read here that the server has: to ask for others is an error to many. Of a
    server whose metadata can't be read all fields are taken. Learnt at the first run."""
    if "select" not in checkpoint:
        checkpoint["select"] = []
        url = service.address_of("$metadata", {})
        try:
            has = property_fields((await service.get(url)).content)
        except FetchFailed as failed:
            if failed.reason not in _NO_METADATA:
                del checkpoint["select"]
                raise
            log.warning("all fields are asked for: %s", failed)
        except ValueError as error:
            log.warning("all fields are asked for: %s: %s", url, error)
        else:
            checkpoint["select"] = [name for name in (*FIELDS, *LOCAL_FIELDS) if name in has]
    return tuple(checkpoint["select"])


def _start(checkpoint: dict[str, Any]) -> Start:
    since = moment_of(checkpoint.get("since"))
    walk = checkpoint.get("walk")
    if walk is not None:
        return Start(since, moment_of(walk["floor"]), walk["link"], walk["is_sorted"])
    begin = since - OVERLAP if since is not None else None
    checkpoint["walk"] = {"floor": _stated(begin), "link": None, "is_sorted": True}
    return Start(begin, begin)


def _advance(checkpoint: dict[str, Any], step: Step, walk: Walk, service: ResoService) -> None:
    """As it is to be stored once this step's page was taken."""
    reached = step.since
    under_way = checkpoint["walk"]
    began = _http_date(under_way.setdefault("began", service.server_date))
    if step.is_last:
        del checkpoint["walk"]
        before = moment_of(checkpoint.get("since"))
        # The overlap may have held nothing.
        reached = before if reached is None or (before and before > reached) else reached
    else:
        under_way.update(link=step.following, is_sorted=walk.is_sorted)
    if reached is not None and began is not None:
        # What was modified while the walk was under way is read again: a row may have become
        # visible behind it. Nor may a row from the future hide what is modified until then.
        reached = min(reached, began)
    checkpoint["since"] = _stated(reached)


def _fresh(rows: list[Row], checkpoint: dict[str, Any]) -> list[Row]:
    """Rows that were not taken as they are; they count as taken from here on."""
    taken: dict[str, str] = checkpoint.setdefault("taken", {})
    fresh = []
    for row in rows:
        digest = hashlib.blake2b(row.content, digest_size=8).hexdigest()
        if row.key is not None and taken.pop(row.key, None) == digest:
            taken[row.key] = digest
            continue
        if row.key is not None:
            taken[row.key] = digest
        fresh.append(row)
    for key in list(taken)[:-REMEMBERED_MAX]:
        del taken[key]
    return fresh


def _forget(rows: Iterable[Row], checkpoint: dict[str, Any]) -> None:
    """What was compared is taken anew if the server tells of it again."""
    for row in rows:
        checkpoint.get("taken", {}).pop(row.key, None)


def _is_due(
    service: ResoService, settings: Mapping[str, str], base: str, checkpoint: dict[str, Any]
) -> bool:
    """`reconcile_hours` is 0 for a server that marks all that it removes."""
    hours = _number(settings, base, "reconcile_hours", RECONCILE_HOURS, 0, 8_760)
    if hours == 0:
        return False
    now, last = _http_date(service.server_date), _http_date(checkpoint.get("reconciled_at"))
    return now is None or last is None or now - last >= timedelta(hours=hours)


def _http_date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _stated(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None


def _document(
    answer: Answer, rows: list[Row], source: Source, market: str, client: PoliteClient
) -> Document:
    """A page of these rows, each as the server sent it."""
    page = {"@odata.context": "$metadata#Property", "value": [msgspec.Raw(r.content) for r in rows]}
    document = as_document(answer, source, market, client)
    return msgspec.structs.replace(
        document, content=msgspec.json.encode(page), etag=None, last_modified=None
    )
