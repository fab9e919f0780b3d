"""What a listing tells the market, and what of it may be shown."""

from __future__ import annotations

import msgspec

from engine.adapters.postgres.listing_rows import LISTING_COLUMNS
from engine.adapters.postgres.teaser import TEASER_COLUMNS
from engine.market import events as e
from engine.market.listing import PUBLIC_FACTS, Listing, QualityParts
from serve_apps.api.schemas.leads import Teaser

PARTS = QualityParts(completeness=0.9, freshness=0.5, contactability=1.0, motivation=0.25)
decode = msgspec.json.Decoder(e.Event).decode


def test_the_journal_carries_the_parts_of_the_quality() -> None:
    listing = Listing(quality=0.8, list_price=300_000, quality_parts=PARTS)
    for event in (e.LeadListed("l", 20, 3, listing), e.LeadUpdated("l", listing)):
        assert decode(msgspec.json.encode(event)) == event


def test_what_was_journalled_without_parts_is_still_read() -> None:
    event = decode(
        b'{"type":"listed","lead_id":"l","price":20,"max_buyers":3,"listing":{"quality":0.8}}'
    )
    assert event == e.LeadListed("l", 20, 3, Listing(quality=0.8))
    assert event.listing.quality_parts is None


def test_the_parts_are_no_public_fact() -> None:
    shown = {*Teaser.model_fields, *TEASER_COLUMNS.replace("l.", "").split(", ")}
    hidden = {"quality_parts", *QualityParts.__struct_fields__}
    assert not hidden & shown
    assert not hidden & {*LISTING_COLUMNS, *PUBLIC_FACTS}
    assert {*PUBLIC_FACTS} == {*Listing.__struct_fields__} - {"quality_parts"}
