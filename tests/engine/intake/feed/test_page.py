"""docs/Sources.md: its example is run, and it names what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec

from engine.intake.feed.mapping import FIELDS, Reading, Rule
from engine.source_directory import load_sources
from tests.engine.intake.feed.feeds import MAPPINGS, records

PAGE = (Path(__file__).parents[4] / "docs" / "Sources.md").read_text()


def block(start: str) -> str:
    """The fenced text that begins after `start`."""
    return PAGE[PAGE.index(start) + len(start) :].partition("```")[0]


def test_the_example_reads_what_the_page_says() -> None:
    lease, sale = records(
        block("```csv\n"), block("<!-- mapping -->\n```toml\n"), market="las-vegas"
    )
    assert lease.source_id == "reno-homes:17"
    assert (lease.property_type, lease.list_price, lease.bedrooms_total) == (
        "Residential Lease",
        350_000,
        0,
    )
    assert lease.lot_size_square_feet == 10_890
    assert lease.posted_at == "2026-04-30T07:00:00Z"
    assert (lease.street_address, lease.city, lease.postal_code) == ("12 Oak St", "Reno", "89501")
    assert sale.property_type == "Residential"
    assert (sale.list_price, sale.lot_size_square_feet, sale.posted_at) == (None, None, None)
    assert sale.contact.latitude is None


def test_the_page_names_every_source_and_mapping() -> None:
    for name in (*load_sources(), *MAPPINGS):
        assert f"`{name}`" in PAGE, name


def test_the_page_names_every_reading_and_member() -> None:
    members = [field.encode_name for field in msgspec.structs.fields(Rule)]
    for name in (*get_args(Reading), *members):
        assert re.search(rf"`{name}`", PAGE), name
    assert {"kind", "for_rent"} <= FIELDS.keys()


def test_the_page_tells_the_trust_of_each_source() -> None:
    for source in load_sources().values():
        [row] = [
            line for line in PAGE.splitlines() if re.match(rf"\|.*`{source.name}`.*\| 0\.", line)
        ]
        assert f"| {source.trust:g} |" in row, source.name
