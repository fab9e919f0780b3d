"""What the sample world shows of Marketplace and the network reads back as it was said."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.intake.document import Document
from engine.intake.facebook import parse as parse_facebook
from engine.intake.linkedin import linkedin_parser
from engine.intake.record import Signal, SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

MARKETS = load_markets()


@pytest.fixture(scope="module")
def sample() -> SampleWorld:
    return SampleWorld(7, 1200, list(MARKETS.values()))


@pytest.mark.parametrize("market", MARKETS)
def test_listings_say_what_was_seen(sample: SampleWorld, market: str) -> None:
    seen = {each.source_id: each for each in sample.sightings(market, "facebook")}
    read = [
        record
        for name, media_type, content in sample.documents("facebook", market)
        for record in parse_facebook(Document(url=name, content=content, media_type=media_type))
    ]
    assert len(read) == len(seen) > 10
    for record in read:
        assert isinstance(record, SourceRecord)
        said = seen[record.source_id]
        assert record.is_sample
        assert (record.title, record.remarks) == (said.title, said.remarks)
        assert record.list_price == said.price
        assert (record.bedrooms_total, record.living_area) == (said.bedrooms, said.living_area)
        assert record.extra.get("bathrooms_stated") == said.bathrooms
        assert (record.property_type == "Residential Lease") == said.for_rent
        assert record.extra.get("previous_list_price") == said.previous_price
        assert (record.city, record.postal_code) == (said.city, said.postal_code)
        assert (record.contact.latitude, record.contact.longitude) == (
            said.latitude,
            said.longitude,
        )
        assert record.standard_status == said.status
        assert record.property_sub_type == said.sub_type


@pytest.mark.parametrize("market", MARKETS)
def test_signals_are_of_their_market(sample: SampleWorld, market: str) -> None:
    parse = linkedin_parser(MARKETS)
    signals = [
        signal
        for name, media_type, content in sample.documents("linkedin", market)
        for signal in parse(Document(url=name, content=content, media_type=media_type))
    ]
    kinds = Counter(signal.kind for signal in signals if isinstance(signal, Signal))
    assert kinds.total() == len(signals)
    assert (kinds["agent"], kinds["company"], kinds["job-opening"]) == (12, 4, 20)
    assert kinds["job-move"] < 12
    for signal in signals:
        assert isinstance(signal, Signal)
        assert signal.is_sample
        assert signal.market == market
        assert signal.facts["real_estate"] is True
