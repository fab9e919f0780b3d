"""The captured local feeds, counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.intake.record import SourceRecord
from tests.engine.intake.feed.feeds import document, lines, records


def outcomes(path: Path, market: str) -> Counter[str]:
    given = {"source": market, "market": market, "url": f"file:{path.name}"}
    found = [line.parsed for line in lines(path.read_bytes(), **given)]
    return Counter(
        "record" if isinstance(each, SourceRecord) else "repeated" if each is None else each.reason
        for each in found
    )


@pytest.mark.parametrize(
    ("name", "market", "counts"),
    [
        ("zumper/austin_2023-01.csv", "austin", {"record": 492, "repeated": 4}),
        ("zumper/dallas_2023-01.csv", "dallas", {"record": 288, "repeated": 1}),
        ("zumper/fort-worth_2023-01.csv", "dallas", {"record": 67}),
        ("zumper/las-vegas_2023-01.csv", "las-vegas", {"record": 134, "repeated": 1}),
        ("zumper/phoenix_2023-01.csv", "phoenix", {"record": 212, "repeated": 1}),
        ("fortworth_deals/properties_2026-03.csv", "dallas", {"record": 59}),
        ("fortworth_deals/properties_site_2026-03.json", "dallas", {"record": 41}),
        ("fortworth_deals/realtor_listings_2026-03.json", "dallas", {"record": 19}),
        ("fortworth_deals/zillow_fortworth_2026-02-26.json", "dallas", {"no-place": 20}),
    ],
)
def test_what_becomes_of_each_capture(
    captures: Path, name: str, market: str, counts: dict[str, int]
) -> None:
    shifted = {"austin": 4, "dallas": 3, "las-vegas": 2, "phoenix": 6}
    expected = dict(counts)
    if name.startswith("zumper") and "fort-worth" not in name:
        expected["unexpected-cell"] = shifted[market]
    assert outcomes(captures / name, market) == expected


def test_streets_are_split_from_buildings_only_when_certain(captures: Path) -> None:
    found = {}
    for path in sorted((captures / "zumper").glob("*.csv")):
        found |= {r.source_id: r for r in records(path.read_bytes())}
    streets = {record.title: record.street_address for record in found.values()}
    assert streets["Residences at 4225"] == "4225 E Mcdowell Rd"
    assert streets["The Merc"] == "1800 Main St"
    assert streets["The District on La Frontera"] == "2811 La Frontera Blvd"
    whole = [record for record in found.values() if record.street_address is None]
    kept = {record.contact.unparsed_address for record in whole}
    assert {"Peak 165151 N 16th St", "Palm Crest at Station 403816 N 83rd Ave"} <= kept
    assert len(whole) < 0.04 * len(found)
    assert not any(
        "verified" in (record.contact.unparsed_address or "") for record in found.values()
    )


def test_the_two_forms_of_the_fort_worth_list_agree(captures: Path) -> None:
    folder = captures / "fortworth_deals"
    table = {r.source_id: r for r in records((folder / "properties_2026-03.csv").read_bytes())}
    site = {r.source_id: r for r in records((folder / "properties_site_2026-03.json").read_bytes())}
    both = table.keys() & site.keys()
    assert len(both) >= 38
    assert all(
        table[each].living_area == site[each].living_area or site[each].living_area is None
        for each in both
    )


def test_rents_that_can_t_be_are_left_out(captures: Path) -> None:
    content = (captures / "fortworth_deals" / "properties_2026-03.csv").read_bytes()
    rents = [record.extra.get("rent_estimate") for record in records(content)]
    stated = [rent for rent in rents if isinstance(rent, int)]
    assert stated
    assert max(stated) <= 20_000
    noted = [r for r in records(content) if "rent_estimate" in r.notes]
    assert len(noted) + len(stated) >= 58
    assert document(content).content == content
