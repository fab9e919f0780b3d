"""Every capture of a portal parses, row by row, or is refused with a reason.

Counts are compared with the files' own rows, so that other captures in folders of the
same shape are checked by the same tests.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from engine.intake.document import Document
from engine.intake.parsers import PARSERS
from engine.intake.record import Rejected, SourceRecord

PORTALS = ("zillow", "redfin", "realtor", "fsbo")
FETCHED_AT = "2026-06-01T00:00:00Z"
# Rows that can't be homes, by what is wrong with them.
KNOWN_REASONS = {"no-id", "broken-card", "floor-plans-only", "addresses-only", "ragged-row"}


@cache
def read(path: Path) -> list[SourceRecord | Rejected]:
    portal = next(part for part in path.parts[::-1] if part in PORTALS)
    document = Document(url=path.name, content=path.read_bytes(), fetched_at=FETCHED_AT)
    found = list(PARSERS[portal](document))
    assert all(isinstance(each, SourceRecord | Rejected) for each in found)
    return found  # type: ignore[return-value]


def records(path: Path) -> dict[str, SourceRecord]:
    return {each.source_id: each for each in read(path) if isinstance(each, SourceRecord)}


def files_of(captures: Path) -> list[Path]:
    found = [path for portal in PORTALS for path in sorted((captures / portal).rglob("*.*"))]
    assert found
    return found


def rows_in(path: Path) -> int:
    """How many homes the file holds by its own count."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return sum(1 for row in csv.reader(io.StringIO(text, newline="")) if row) - 1
    if path.suffix == ".html":
        state = re.search(r'<script id="__NEXT_DATA__"[^>]*>(.*?)</script>', text, re.S)
        if state is None:
            return text.count("<article")
        page = json.loads(state[1])["props"]["pageProps"]
        return len(page["searchPageState"]["cat1"]["searchResults"]["listResults"])
    value = json.loads(text)
    if isinstance(value, dict):
        return len(value["listings"]) if "listings" in value else 1
    return len(value)


def test_every_row_of_every_capture_is_a_record_or_refused(captures: Path) -> None:
    refused: Counter[tuple[str, str]] = Counter()
    for path in files_of(captures):
        found = read(path)
        assert len(found) == rows_in(path), path
        for each in found:
            if isinstance(each, Rejected):
                refused[each.reason, each.source] += 1
    assert {reason for reason, _source in refused} <= KNOWN_REASONS
    assert sum(refused.values()) < 20, refused


def test_names_are_those_of_the_dictionary(captures: Path) -> None:
    with (captures / "reso" / "dd-2.0-lookups.csv").open(encoding="utf-8-sig") as file:
        known: dict[str, set[str]] = {}
        for name, value, *_rest in csv.reader(file):
            known.setdefault(name, set()).add(value)
    for path in files_of(captures):
        for record in records(path).values():
            assert record.standard_status in known["StandardStatus"] | {None}
            assert record.property_type in known["PropertyType"]
            assert record.property_sub_type in known["PropertySubType"] | {None}
            frequency = record.extra.get("lease_amount_frequency")
            assert frequency in known["FeeFrequency"] | {None}


def test_no_mask_is_taken_for_a_contact(captures: Path) -> None:
    for path in files_of(captures):
        for record in records(path).values():
            contact = record.contact
            assert "█" not in f"{contact.name}{contact.phone}{contact.email}"
            assert contact.email != "masked@example.com"
            assert "555-0100" not in (contact.phone or "")


def test_results_say_what_their_rows_say(captures: Path) -> None:
    for path in (captures / "zillow" / "api_json").glob("search_*.json"):
        found = records(path)
        for row in json.loads(path.read_text()):
            info: dict[str, Any] = row.get("hdpData", {}).get("homeInfo", {})
            if not info:
                continue
            record = found[str(info["zpid"])]
            assert record.list_price == (int(info["price"]) or None)
            assert record.postal_code == info["zipcode"]
            assert record.living_area == (int(info.get("livingArea", 0)) or None)
            assert record.bedrooms_total in (None, info.get("bedrooms"))
            assert record.standard_status == "Active"
            if info.get("lotAreaUnit") == "sqft" and info["lotAreaValue"] >= 10:
                assert record.lot_size_square_feet == int(info["lotAreaValue"] + 0.5)


def test_an_off_market_home_is_never_listed(captures: Path) -> None:
    for path in (captures / "zillow").glob("property_details_*.csv"):
        found = records(path).values()
        assert found
        for record in found:
            assert record.standard_status in {"Closed", "Withdrawn"}
            assert record.list_price is None
            assert record.parcel_number is None or record.parcel_number.strip()


def test_two_forms_of_one_home_give_the_same_facts(captures: Path) -> None:
    details = sorted((captures / "realtor" / "api_json").glob("property_detail_*.json"))
    found = [record for path in details for record in records(path).values()]
    assert len(found) == 2
    for field in SourceRecord.__struct_fields__:
        if field not in ("contact", "content_hash"):
            first, second = (getattr(record, field) for record in found)
            assert first == second, field
    assert found[0].contact.name == found[1].contact.name
    assert found[0].contact.unparsed_address == found[1].contact.unparsed_address


def test_three_forms_of_one_search_agree(captures: Path) -> None:
    """What one form says of a home, another does not contradict; prices change with time."""
    folder = captures / "realtor" / "api_json"
    older, newer = (
        records(folder / f"search_sanfrancisco_2026-{month}.json") for month in ("04", "05")
    )
    shared = older.keys() & newer.keys()
    assert shared
    for source_id in shared:
        first, second = older[source_id], newer[source_id]
        for field in ("bedrooms_total", "bathrooms_total_integer", "living_area", "postal_code"):
            said = {getattr(first, field), getattr(second, field)} - {None}
            assert len(said) <= 1, (source_id, field)


def test_listing_numbers_of_redfin(captures: Path) -> None:
    for path in (captures / "redfin" / "dallas_2026" / "listings").glob("*.json"):
        for record in records(path).values():
            assert record.listing_id
            assert "mls_number" not in record.extra


def test_spot_values(captures: Path) -> None:
    detail = captures / "zillow" / "api_json" / "property_detail_2023-06.json"
    if detail.exists():
        record = records(detail)["15192198"]
        assert (record.list_price, record.standard_status) == (850_000, "Active Under Contract")
        assert (record.listing_id, record.parcel_number) == ("ML81929841", "7053027")
        assert (record.lot_size_square_feet, record.year_built) == (3_746, 1921)
    boston = captures / "zillow" / "search_html" / "search_rent_boston_2025-11-28.html"
    if boston.exists():
        record = records(boston)["448217551"]
        assert (record.list_price, record.bedrooms_total, record.living_area) == (5_065, 2, 1_294)
        assert (record.street_address, record.unit_number) == ("1482 Tremont St", "301")
    owners = captures / "fsbo" / "zillow_fsbo_southeast_2026-02.json"
    if owners.exists() and "zl-41112449" in (found := records(owners)):
        assert found["zl-41112449"].extra["previous_list_price"] == 460_000
