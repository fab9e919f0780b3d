"""The portals' pages of the sample world: what each kind of page says and leaves out."""

from __future__ import annotations

from collections import Counter

import msgspec

from engine.intake.document import Document
from engine.intake.parsers import PARSERS
from engine.intake.record import SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.fsbo_page import fsbo_page
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.intake.sample_world.zillow_pages import zillow_documents
from engine.market_directory import load_markets

MARKETS = load_markets()
WORLD = SampleWorld(7, 600, list(MARKETS.values()))
FETCHED_AT = "2026-05-01T12:00:00Z"


def read(source: str, content: bytes) -> list[SourceRecord]:
    found = PARSERS[source](Document(url="x", content=content, fetched_at=FETCHED_AT))
    records = [each for each in found if isinstance(each, SourceRecord)]
    assert records
    return records


def sighting(source: str) -> Seen:
    return next(seen for market in MARKETS for seen in WORLD.sightings(market, source))


def test_zillow_shows_homes_in_tables_on_result_pages_and_on_their_own() -> None:
    kinds: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    documents = [each for market in MARKETS for each in WORLD.documents("zillow", market)]
    for name, media_type, content in documents:
        kind = "table" if media_type == "text/csv" else name.split("_")[1]
        for record in read("zillow", content):
            kinds[kind] += 1
            texts[kind] += record.remarks is not None
            assert record.is_sample
    assert set(kinds) == {"table", "search", "home"}
    assert texts["search"] == 0
    assert texts["table"]
    assert texts["home"]
    said = [seen for market in MARKETS for seen in WORLD.sightings(market, "zillow")]
    assert sum(kinds.values()) == len(said)


def test_dates_and_price_cuts_are_read_back_from_every_kind_of_page() -> None:
    for last_digit in range(7):
        seen = msgspec.structs.replace(
            sighting("zillow"),
            source_id=str(800 + last_digit), price=400_000, previous_price=420_000,
            posted_days_ago=12, for_rent=False,
        )  # fmt: skip
        for _name, _type, content in zillow_documents(
            [seen], market="dallas", as_of=DEFAULT_AS_OF, part=0
        ):
            (record,) = read("zillow", content)
            assert record.posted_at is not None
            assert record.posted_at.startswith("2026-04-19")
            assert record.extra["previous_list_price"] == 420_000


def test_a_text_cannot_end_the_script_that_holds_it() -> None:
    seen = msgspec.structs.replace(
        sighting("fsbo"), remarks="</script><script>alert(1)</script>", title="<b>A & B</b>"
    )
    page = fsbo_page(seen, as_of=DEFAULT_AS_OF)
    assert b"<script>alert" not in page
    (record,) = read("fsbo", page)
    assert record.remarks == seen.remarks
    assert record.title == "<b>A & B</b>"


def test_an_owner_is_named_as_one() -> None:
    for market in MARKETS:
        said = {seen.source_id: seen for seen in WORLD.sightings(market, "fsbo")}
        for _name, _type, content in WORLD.documents("fsbo", market):
            (record,) = read("fsbo", content)
            seen = said[record.source_id]
            if seen.person is not None:
                assert (record.extra["listed_by"] == "owner") == seen.by_owner
            assert record.posted_at
