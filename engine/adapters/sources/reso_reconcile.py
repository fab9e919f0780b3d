"""Comparing what is known of a server with what it lists: finds what it dropped without a word.

The list alone withdraws nothing. Rows may move while it is paged, and a server may list less
than it has: each listing that is missing from it is asked for by its key, and only one that
the server then does not know is told as deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from engine.adapters.postgres.known_listings import KnownListing
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.reso_service import ResoService, Row
from engine.adapters.sources.reso_walk import Query, Start, Walk
from engine.intake.listing import LISTABLE_STATUSES
from engine.intake.readings import moment_of, rfc3339
from engine.intake.reso.names import DELETE, KEY, MODIFIED, lookup_value

LISTED_MAX = 2_000_000
_GONE = frozenset({"status-404", "status-410"})


# What is known of one source in one market, by its key there.
KnownListings = Callable[[], Awaitable[Mapping[str, KnownListing]]]


class Differences(NamedTuple):
    """Keys to ask for: `missing` from the list, and `outdated` here or unknown. `answer` is
    the list's last page."""

    missing: list[str]
    outdated: list[str]
    answer: Answer


async def compare(
    service: ResoService,
    query: Query,
    known: Mapping[str, KnownListing],
    handed_over: frozenset[str],
) -> Differences:
    """What the server lists beside what is known, leaving out what this run has handed over
    and may not be known yet. Raises FetchFailed, also when there are missing ones and the
    server can't be asked by key."""
    listed, answer = await _listed(service, query)
    offered = (key for key, each in known.items() if each.is_offered)
    missing = [key for key in offered if key not in listed and key not in handed_over]
    if missing:
        await _check_by_key(service, query, listed)
    outdated = [key for key in _outdated(listed, known) if key not in handed_over]
    return Differences(missing, outdated, answer)


async def rows_by_key(service: ResoService, query: Query, keys: Iterable[str]) -> list[Row]:
    """Each as the server sends it, or as deleted if the server does not know it."""
    return [await _row_of(service, query, key) for key in keys]


async def _listed(service: ResoService, query: Query) -> tuple[dict[str, Row], Answer]:
    names = (KEY, MODIFIED, "StandardStatus")
    short = query._replace(select=tuple(name for name in names if name in (query.select or names)))
    listed: dict[str, Row] = {}
    answer = None
    async for step in Walk(service, short, Start()).steps():
        answer = step.page.answer
        listed.update((row.key, row) for row in step.page.rows if row.key is not None)
        if len(listed) > LISTED_MAX:
            said = f"it lists over {LISTED_MAX} Properties; narrow them by a filter"
            raise FetchFailed(str(service.root), "too-large", said)
    assert answer is not None  # A walk takes at least one page or raises.
    return listed, answer


def _outdated(listed: Mapping[str, Row], known: Mapping[str, KnownListing]) -> Iterable[str]:
    for key, row in listed.items():
        modified = rfc3339(moment_of(row.modified))
        if key in known:
            before = known[key].modified
            if before is not None and modified is not None and modified > before:
                yield key
        elif row.status is None or lookup_value("StandardStatus", row.status) in LISTABLE_STATUSES:
            yield key


async def _check_by_key(service: ResoService, query: Query, listed: Mapping[str, Row]) -> None:
    """That the server can be asked by key at all: else all would seem to be gone."""
    for key in list(listed)[:3]:
        if await _answer_of(service, query, key) is not None:
            return
    said = "it knows no listing by its key, so that what is gone can't be told"
    raise FetchFailed(str(service.root), "bad-page", said)


async def _row_of(service: ResoService, query: Query, key: str) -> Row:
    answer = await _answer_of(service, query, key)
    if answer is None:
        return Row(key, None, DELETE, msgspec.json.encode({KEY: key, "StandardStatus": DELETE}))
    return Row(key, None, None, answer.content)


async def _answer_of(service: ResoService, query: Query, key: str) -> Answer | None:
    """The Property of a key, None if the server does not know it. Raises FetchFailed."""
    select = {"$select": ",".join(query.select)} if query.select else {}
    try:
        return await service.get(service.address_of_key(key, select))
    except FetchFailed as failed:
        if failed.reason in _GONE:
            return None
        raise
