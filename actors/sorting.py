"""Where what a document said belongs: to this market's desk, to another's, or to no one's."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.intake.cleaning import clean
from engine.intake.document import Parsed
from engine.intake.invented_contact import with_invented_contact
from engine.intake.listing import GONE_STATUSES
from engine.intake.placement import place
from engine.intake.record import Rejected, Signal, SourceRecord
from engine.market_directory import Market
from engine.settings import Settings
from engine.source_directory import Source


class Sorting:
    """What was parsed, cleaned and put where it belongs. `strays` are unusable records of a
    document that the runs of several markets read, until it is known who keeps them."""

    def __init__(
        self, settings: Settings, source: Source, market: str, markets: Mapping[str, Market]
    ) -> None:
        self._settings = settings
        self._source = source
        self._market = market
        self._markets = markets
        self._is_shared = is_shared(source, settings)
        self.records: list[SourceRecord] = []
        self.rejected: list[Rejected] = []
        self.signals: list[Signal] = []
        self.strays: list[Rejected] = []
        self.elsewhere = 0

    def next(self) -> Sorting:
        """An empty one, to which the strays of the document under way are passed on."""
        following = Sorting(self._settings, self._source, self._market, self._markets)
        following.strays = self.strays
        return following

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected) + len(self.signals)

    def add(self, parsed: Parsed) -> None:
        if isinstance(parsed, SourceRecord):
            parsed = self._placed(parsed)
        if isinstance(parsed, SourceRecord):
            self._add_placed(parsed)
        elif isinstance(parsed, Signal):
            if parsed.market in (None, self._market):
                self.signals.append(parsed)
        else:
            (self.strays if self._is_shared else self.rejected).append(parsed)

    def _placed(self, record: SourceRecord) -> SourceRecord | Rejected:
        if not self._is_shared:
            hinted = msgspec.structs.replace(record, market=self._market)
            return place(clean(hinted, self._markets), self._markets, hint=self._market)
        # What is gone may tell no more than its id: each market sees whether it was there.
        hint = self._market if record.standard_status in GONE_STATUSES else None
        # Most of a shared document stands in other markets: that shows before it is cleaned.
        at_once = place(record, self._markets, hint=hint)
        if isinstance(at_once, SourceRecord) and at_once.market != self._market:
            return at_once
        return place(clean(record, self._markets), self._markets, hint=hint)

    def _add_placed(self, record: SourceRecord) -> None:
        if record.market == self._market:
            is_replayed = self._settings.captures is not None and self._source.fetch != "uploads"
            self.records.append(with_invented_contact(record) if is_replayed else record)
        elif self._is_shared:
            self.elsewhere += 1
        else:
            self.rejected.append(
                Rejected(
                    source=record.source,
                    source_id=record.source_id,
                    reason="out-of-market",
                    detail=f"stands in {record.market}, found on the site of {self._market}",
                    content_hash=record.content_hash,
                )
            )

    def settle_strays(self, *, keep: bool) -> None:
        if keep:
            self.rejected += self.strays
        else:
            self.elsewhere += len(self.strays)
        self.strays = []


def is_shared(source: Source, settings: Settings) -> bool:
    """Whether the runs of all markets read the same documents, so that being found in one's
    run says nothing of where a home stands. Captured tables are shared; the sample world
    and a site with a place for each market are not."""
    if source.fetch in ("index", "uploads") or len(source.markets) == 1:
        return False
    if settings.replay_url:
        return settings.captures is not None
    return "{market}" not in source.address
