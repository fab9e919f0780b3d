"""Records go to the market in which they stand."""

from __future__ import annotations

import msgspec
import pytest

from engine.intake.placement import place
from engine.intake.record import Rejected, SourceRecord
from engine.market.answers import Contact
from engine.market_directory import load_markets

MARKETS = load_markets()
AUSTIN = (30.26, -97.74)


def at(
    point: tuple[float, float] | None, state: str | None = None, city: str | None = None
) -> SourceRecord:
    latitude, longitude = point or (None, None)
    return SourceRecord(
        source="s",
        source_id="1",
        state_or_province=state,
        city=city,
        contact=Contact(latitude=latitude, longitude=longitude),
    )


@pytest.mark.parametrize(
    ("record", "hint", "market"),
    [
        (at(AUSTIN), None, "austin"),
        (at(AUSTIN, "TX"), "dallas", "austin"),
        (at(None), "austin", "austin"),
        (at(None, "AZ"), None, "phoenix"),
        (at(None, "TX"), "dallas", "dallas"),
        (at(None, "TX", "Austin"), None, "austin"),
        (at(None, "TX", "Fort Worth"), None, "dallas"),
    ],
)
def test_where_records_go(record: SourceRecord, hint: str | None, market: str) -> None:
    placed = place(record, MARKETS, hint=hint)
    assert isinstance(placed, SourceRecord)
    assert placed.market == market


def test_the_middle_of_an_area_tells_the_market() -> None:
    area: dict[str, str | int | float | bool | None]
    area = {"area_latitude": 30.2849, "area_longitude": -97.9881}
    placed = place(msgspec.structs.replace(at(None, "TX", "Lakeway"), extra=area), MARKETS)
    assert isinstance(placed, SourceRecord)
    assert placed.market == "austin"
    assert placed.contact.latitude is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (at((0.1, 0.1)), "out-of-market"),
        (at(AUSTIN, "CA"), "out-of-market"),
        (at(None, "TX"), "out-of-market"),
        (at(None, "NY"), "out-of-market"),
        (at(None), "no-place"),
    ],
)
def test_what_stands_nowhere_is_refused(record: SourceRecord, reason: str) -> None:
    rejected = place(record, MARKETS)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_a_refusal_does_not_tell_where_the_home_stands() -> None:
    refused = place(at((61.271937, -97.745219), "TX"), MARKETS)
    assert isinstance(refused, Rejected)
    assert refused.detail == "61.3, -97.7 TX lies in no market"
