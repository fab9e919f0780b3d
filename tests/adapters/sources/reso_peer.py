"""A RESO server in the same process, a client of it, and what a reader of its pages knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import httpx
import msgspec

from engine.adapters.postgres.known_listings import KnownListing
from engine.adapters.sources import reso_fetcher
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.reso_site import Faults, ResoSite
from engine.adapters.sources.reso_store import PropertyStore
from engine.adapters.sources.reso_walk import timestamp
from engine.adapters.sources.safe_address import parsed_address
from engine.intake.document import Document
from engine.intake.listing import GONE_STATUSES
from engine.intake.record import SourceRecord
from engine.intake.reso import parse
from engine.source_directory import Source

SOURCE = Source(name="mls", parser="reso", fetch="reso", address="https://mls.example/{market}/")
BASE = "http://mls.test/dallas/"
BEGIN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class InProcessClient:
    """Asks an ASGI site without a network. One try a request: a cut is a cut."""

    only_allowed = True

    def __init__(self, peer: Peer, credentials: Mapping[str, str]) -> None:
        self.credentials = dict(credentials)
        self.asked: list[str] = []
        self._peer = peer
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(peer.site.app()))

    async def get(
        self, url: str, *, headers: Mapping[str, str], bytes_max: int | None = None
    ) -> Answer:
        parsed_address(url)
        self.asked.append(url)
        return self._answer(url, await self._http.get(url, headers=dict(headers)))

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        return self._answer(url, await self._http.post(url, data=dict(form), headers=dict(headers)))

    def _answer(self, url: str, response: httpx.Response) -> Answer:
        if response.status_code != 200:
            raise FetchFailed(url, f"status-{response.status_code}", "answered so")
        promised = response.headers.get("content-length")
        if promised is not None and int(promised) != len(response.content):
            raise FetchFailed(url, "bad-answer", "the answer broke off")
        response.headers["Date"] = format_datetime(self._peer.now, usegmt=True)
        return Answer(url, 200, response.headers, response.content, "application/json", None)


class Peer:
    """A server of one market with a clock of its own."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.now = BEGIN
        self.store = PropertyStore()
        self.site = ResoSite(lambda market: self.store if market == "dallas" else None, faults)

    def client(self, **credentials: str) -> InProcessClient:
        return InProcessClient(self, credentials)

    def put(self, key: str, price: int = 100_000, *, at: datetime | None = None) -> None:
        self.store.put(
            {
                "ListingKey": key,
                "StandardStatus": "Active",
                "ModificationTimestamp": timestamp(at or self.now),
                "ListPrice": price,
                "City": "Dallas",
                "StateOrProvince": "TX",
            }
        )

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def prices(self) -> dict[str, int]:
        rows = (self.store.row(key) for key in self.store)
        return {row["ListingKey"]: row["ListPrice"] for row in rows if "ListPrice" in row}


class Reader:
    """What the records of the documents add up to, and the checkpoint that goes with it."""

    def __init__(self, peer: Peer, *, reconciles: bool = False, **credentials: str) -> None:
        self.client = peer.client(**credentials)
        self.checkpoint: dict[str, Any] = {}
        self.records: dict[str, SourceRecord] = {}
        self.documents_taken = 0
        self._reconciles = reconciles

    async def sync(self, *, after_page: Any = None) -> None:
        """One run. `after_page(number)` is called when a document was taken. Raises
        FetchFailed, with the checkpoint as it is stored then."""
        checkpoint = _copied(self.checkpoint)
        walk = reso_fetcher.discover(
            SOURCE,
            "dallas",
            cast(PoliteClient, self.client),
            base=BASE,
            checkpoint=checkpoint,
            known=self._known if self._reconciles else None,
        )
        number = 0
        async for documents in walk:
            for document in documents:
                self._take(document)
            self.checkpoint = _copied(checkpoint)
            number += 1
            if after_page is not None:
                after_page(number)
        self.checkpoint = _copied(checkpoint)

    def prices(self) -> dict[str, int | None]:
        return {
            key: record.list_price
            for key, record in self.records.items()
            if record.standard_status not in GONE_STATUSES
        }

    def _take(self, document: Document) -> None:
        self.documents_taken += 1
        for each in parse(document):
            assert isinstance(each, SourceRecord), each
            self.records[each.source_id] = each

    async def _known(self) -> Mapping[str, KnownListing]:
        return {
            key: KnownListing(
                record.modification_timestamp, record.standard_status not in GONE_STATUSES
            )
            for key, record in self.records.items()
        }


def _copied(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Through JSON, as it is stored."""
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(checkpoint))
    return copied
