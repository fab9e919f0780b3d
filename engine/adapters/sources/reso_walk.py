"""A walk over the Properties of a server in the order of their ModificationTimestamp.

Rows change while they are paged. A changed row moves to the end of this order, so what comes
after a timestamp that was read stays after it, and a walk may go on from any timestamp. An
offset may not: when a row leaves, the others move up past it. So the server's own next link
is followed unless it counts rows; then, as where a full page has no link, the walk goes on
by the last timestamp read, and counts rows only within one timestamp.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.reso_service import Page, ResoService, Row
from engine.intake.readings import moment_of
from engine.intake.reso.names import KEY, MODIFIED

log = logging.getLogger(__name__)

PAGES_MAX = 20_000
# With these a server says that it does not know its own link any more.
LOST_LINK = frozenset({"status-400", "status-404", "status-410", "bad-address"})


class Query(NamedTuple):
    """What is asked: `narrowing` is an OData filter of the operator's, `select` the fields,
    none for all. A server that is not `ordered` does not take $orderby: then only its links
    lead on, and nothing counts as read before the end."""

    resource: str = "Property"
    narrowing: str = ""
    page_size: int = 500
    ordered: bool = True
    select: tuple[str, ...] = ()

    def options(self, since: datetime | None, skip: int) -> Mapping[str, str]:
        filters = [f"({self.narrowing})"] if self.narrowing else []
        if since is not None:
            filters.append(f"{MODIFIED} ge {timestamp(since)}")
        options = {"$filter": " and ".join(filters)} if filters else {}
        if self.ordered:
            options["$orderby"] = f"{MODIFIED},{KEY}"
        options["$top"] = str(self.page_size)
        if skip:
            options["$skip"] = str(skip)
        if self.select:
            options["$select"] = ",".join(self.select)
        return options


class Step(NamedTuple):
    """A page, and from where the walk goes on once it was taken: `since` is the moment below
    which everything was read, `following` the server's link, if there is one to keep."""

    page: Page
    since: datetime | None
    following: str | None
    is_last: bool


class Start(NamedTuple):
    """Where a walk starts: at `since`, None for all, or in the middle of one that was cut: at
    `link`. `floor` is where that one started, `is_sorted` whether it was in order."""

    since: datetime | None = None
    floor: datetime | None = None
    link: str | None = None
    is_sorted: bool = True


class Walk:
    def __init__(self, service: ResoService, query: Query, start: Start) -> None:
        self._service = service
        self._query = query
        self._floor = start.floor
        self._since = self._last = start.since
        self._skip = 0
        self._link = start.link
        self._follows_links = True
        self.is_sorted = start.is_sorted and query.ordered
        self.highest = start.since

    async def steps(self) -> AsyncIterator[Step]:
        """Pages to the end. Raises FetchFailed; after PAGES_MAX pages `endless-pages`."""
        seen_links: set[str] = set()
        for _number in range(PAGES_MAX):
            page = await self._page()
            self._read(page.rows)
            self._link = self._followed(page.following)
            is_last = not self._goes_on(page)
            if self._link in seen_links:
                raise FetchFailed(self._link or "", "endless-pages", "a next link seen before")
            if self._link is not None:
                seen_links.add(self._link)
            yield Step(page, self._position(is_last), self._link, is_last)
            self._refuse_elsewhere(page.following)
            if is_last:
                return
        raise FetchFailed(str(self._service.root), "endless-pages", f"over {PAGES_MAX} pages")

    async def _page(self) -> Page:
        if self._link is not None:
            try:
                return await self._service.page(self._link)
            except FetchFailed as failed:
                if failed.reason not in LOST_LINK:
                    raise
            # What the link stood for is gone, and the next may go too: on by the timestamps.
            self._follows_links = False
            self._link, self._skip = None, 0
            self._since = self._last = self._position(False)
        options = self._query.options(self._since, self._skip)
        return await self._service.page(self._service.address_of(self._query.resource, options))

    def _read(self, rows: list[Row]) -> None:
        for row in rows:
            moment = moment_of(row.modified)
            if moment is None:
                continue
            if self.is_sorted and self._last is not None and moment < self._last:
                log.warning("%s keeps no order: configure it as ordered: no", self._service.root)
                self.is_sorted = False
            self._last = moment
            self.highest = moment if self.highest is None else max(moment, self.highest)

    def _followed(self, link: str | None) -> str | None:
        if link is None or not self._follows_links or not self._service.is_here(link):
            return None
        counts_rows = any(name == "$skip" for name, _ in parse_qsl(urlsplit(link).query))
        return None if counts_rows and self.is_sorted else link

    def _goes_on(self, page: Page) -> bool:
        """Whether there is more, and if not by a link, from where to ask for it."""
        if self._link is not None:
            return True
        if not page.rows or (page.following is None and len(page.rows) < self._query.page_size):
            return False
        if self.is_sorted and self._last is not None and self._last != self._since:
            self._since, self._skip = self._last, 0
        else:
            self._skip += len(page.rows)
        return True

    def _position(self, is_last: bool) -> datetime | None:
        if is_last:
            return self.highest
        return self._last if self.is_sorted else self._floor

    def _refuse_elsewhere(self, link: str | None) -> None:
        if link is not None and not self._service.is_here(link):
            said = f"the next link leads to {link[:200]!r}"
            raise FetchFailed(str(self._service.root), "bad-address", said)


def timestamp(moment: datetime) -> str:
    """As an OData literal in UTC, to the microsecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
