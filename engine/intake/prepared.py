"""A record as the desk takes it: masked, rounded, with what it is recognised by."""

from __future__ import annotations

import msgspec

from engine.intake.advertiser import Told, advertiser_of
from engine.intake.contact_survivorship import ContactClaim
from engine.intake.listing import to_listing
from engine.intake.offer import seats_for
from engine.intake.quality import quality_of
from engine.intake.record import FieldNote, SourceRecord
from engine.intake.resolution import MatchFeatures, features_of
from engine.intake.survivorship import Claim
from engine.market.answers import Contact
from engine.market.listing import Listing
from engine.source_directory import Source


class Prepared(msgspec.Struct, frozen=True, array_like=True):
    """All that the desk needs of a record. `listing` is public already, `contact` is not.

    `seats` is how many buyers its lead would have, `quality` the score's parts by name,
    `language` that of its text (ISO 639-1) where that could be told, `fetched_at` RFC 3339
    UTC. `advertiser` is for the desk's judge alone (engine/intake/advertiser.py).
    """

    source: str
    source_id: str
    content_hash: str
    trust: float
    listing: Listing
    contact: Contact
    features: MatchFeatures
    seats: int
    quality: dict[str, float]
    notes: dict[str, FieldNote]
    language: str | None
    licence: str
    fetched_at: str | None
    advertiser: Told = {}

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.source_id


class Stated(msgspec.Struct, frozen=True):
    """A record as it is kept: what it said last, beside the others of its lead."""

    source: str
    source_id: str
    trust: float
    seats: int
    listing: Listing
    quality: dict[str, float]
    notes: dict[str, FieldNote]

    def claim(self) -> Claim:
        return Claim(
            self.source,
            self.source_id,
            self.trust,
            self.listing.modification_timestamp,
            self.listing,
            {name: note.confidence for name, note in self.notes.items()},
        )


def prepare(record: SourceRecord, source: Source, *, now_us: int) -> Prepared:
    """The record, cleaned and placed, made ready for the desk of its market.

    `now_us`, microseconds since the epoch UTC, is what freshness is measured against.
    """
    return Prepared(
        source=record.source,
        source_id=record.source_id,
        content_hash=record.content_hash,
        trust=source.trust,
        listing=to_listing(record, now_us=now_us),
        contact=record.contact,
        features=features_of(record, stable_ids=source.stable_ids),
        seats=seats_for(record),
        quality=quality_of(record, now_us=now_us).parts(),
        notes=record.notes,
        language=record.language,
        licence=record.licence,
        fetched_at=record.fetched_at,
        advertiser=advertiser_of(record.extra),
    )


def contact_claim(record: Prepared) -> ContactClaim:
    return ContactClaim(
        record.source,
        record.source_id,
        record.trust,
        record.listing.modification_timestamp,
        record.contact,
    )


def stated(record: Prepared) -> Stated:
    return Stated(
        record.source,
        record.source_id,
        record.trust,
        record.seats,
        record.listing,
        record.quality,
        record.notes,
    )
