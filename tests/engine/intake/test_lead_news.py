"""What of several records reaches the book."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from engine.intake.lead_news import listing_digest, offer_of
from engine.intake.prepared import Stated, prepare, stated
from engine.intake.quality import Quality
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from engine.market.listing import QualityParts
from engine.source_directory import load_sources

NOW_US = 1_777_000_000_000_000


@dataclass
class Said:
    source: str = "zillow"
    phone: str | None = None
    price: int = 300_000
    posted_at: str | None = None
    remarks: str | None = None

    def stated(self) -> Stated:
        record = SourceRecord(
            source=self.source,
            source_id="1",
            list_price=self.price,
            property_type="Residential",
            posted_at=self.posted_at,
            remarks=self.remarks,
            contact=Contact(phone=self.phone),
        )
        return stated(prepare(record, load_sources()[self.source], now_us=NOW_US))


def test_the_listing_tells_what_its_quality_is_made_of() -> None:
    fresh = Said(posted_at="2026-04-24T00:00:00Z", remarks="Motivated seller")
    reachable = Said("redfin", phone="+15125550123")
    listing, _ = offer_of([fresh.stated(), reachable.stated()], None)
    parts = listing.quality_parts
    assert parts is not None
    assert parts.contactability == 0.5
    assert parts.agreement == 1.0
    assert parts.motivation == 0.5
    assert parts.freshness > 0.9
    assert Quality(**msgspec.structs.asdict(parts)).score == listing.quality


def test_one_record_has_no_agreement() -> None:
    listing, _ = offer_of([Said().stated()], None)
    assert listing.quality_parts is not None
    assert listing.quality_parts.agreement is None


def test_a_part_that_changes_is_told_although_the_score_stays() -> None:
    listing, _ = offer_of([Said().stated()], None)
    other = msgspec.structs.replace(listing, quality_parts=QualityParts(completeness=0.3))
    assert listing_digest(listing) != listing_digest(other)
