"""That a listing is gone reaches the market it was in, though it says no more than its key."""

from __future__ import annotations

import json

import pytest

from actors.page_tasks import Sorting
from engine.intake.document import Document
from engine.intake.record import SourceRecord
from engine.intake.reso import parse
from engine.market_directory import load_markets
from engine.settings import Settings
from engine.source_directory import Source

ONE_FOR_ALL = "https://mls.example/odata/"
ONE_FOR_EACH = "https://mls.example/{market}/"


@pytest.mark.parametrize("address", [ONE_FOR_ALL, ONE_FOR_EACH])
def test_a_deletion_without_a_place_is_for_the_market_whose_run_reads_it(address: str) -> None:
    source = Source(name="mls", parser="reso", fetch="reso", address=address)
    sorting = Sorting(Settings(_env_file=None), source, "dallas", load_markets())
    for each in _parsed({"ListingKey": "a", "MlgCanView": False}):
        sorting.add(each)
    assert [(r.source_id, r.market, r.standard_status) for r in sorting.records] == [
        ("a", "dallas", "Delete")
    ]


def test_a_closed_listing_of_another_market_stays_there() -> None:
    source = Source(name="mls", parser="reso", fetch="reso", address=ONE_FOR_ALL)
    sorting = Sorting(Settings(_env_file=None), source, "dallas", load_markets())
    place = {"City": "Phoenix", "StateOrProvince": "AZ"}
    for each in _parsed({"ListingKey": "a", "StandardStatus": "Closed", **place}):
        sorting.add(each)
    assert sorting.records == []
    assert sorting.elsewhere == 1


def _parsed(row: dict[str, object]) -> list[SourceRecord]:
    content = json.dumps({"value": [row]}).encode()
    found = list(parse(Document(url="x", content=content)))
    assert all(isinstance(each, SourceRecord) for each in found)
    return [each for each in found if isinstance(each, SourceRecord)]
