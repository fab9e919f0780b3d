"""Posts of 2008 to 2013: what their heading and date say, or a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.craigslist import parse
from engine.intake.craigslist.headline import Headline, read_headline
from engine.intake.document import Document
from engine.intake.record import Rejected, SourceRecord

OLD = """<html><head><title>{title}</title></head><body class="posting">
<div class="bchead"><a href="http://miami.craigslist.org">south florida</a> &gt;
<a href="/brw/">broward</a> &gt; <a href="/brw/{section}/">x</a></div>
<h2>{heading}</h2><hr>
Reply to: <a href="mailto:hous-1@example.org?subject=x">hous-1@example.org</a><br>
Date: 2009-06-05,  6:56PM {zone}<br>
<div id="userbody"><p>Call!<br>No deposit.<p>Rent</p> to own.</p>
<ul><li>a pool</li></ul>
<ul><li>cats are OK - purrr<li> Location: Coral Springs
<li>it's NOT ok to contact this poster with services or other commercial interests</ul>
<table summary="images"><tr><td><img src="a"></td><td><img src="b"></td></tr></table></div>
PostingID: 1207457727<br></body></html>"""


def old_page(
    title: str = "Nice place",
    heading: str = "$1,350 / 3br - 900ft&sup2; - Nice place (Coral Springs)",
    section: str = "apa",
    zone: str = "EDT",
) -> bytes:
    return OLD.format(title=title, heading=heading, section=section, zone=zone).encode()


def read(content: bytes, url: str = "x") -> SourceRecord | Rejected:
    [found] = parse(Document(url=url, content=content))
    assert isinstance(found, SourceRecord | Rejected)
    return found


def test_an_old_post_in_full() -> None:
    record = read(old_page())
    assert isinstance(record, SourceRecord)
    assert record.source_id == "1207457727"
    assert record.title == "Nice place"
    assert record.remarks == "Call!\nNo deposit.\nRent\nto own.\na pool"
    assert (record.list_price, record.bedrooms_total, record.living_area) == (1350, 3, 900)
    assert record.property_type == "Residential Lease"
    assert record.posted_at == record.modification_timestamp == "2009-06-05T22:56:00Z"
    assert record.contact.email == "hous-1@example.org"
    assert record.extra == {
        "cats_ok": True,
        "images": 2,
        "section": "apa",
        "neighborhood": "Coral Springs",
    }


def test_a_sale_by_owner() -> None:
    record = read(old_page(section="reo"))
    assert isinstance(record, SourceRecord)
    assert record.property_type == "Residential"
    assert record.extra["listed_by"] == "owner"


def test_a_zone_that_is_not_known_gives_no_date() -> None:
    record = read(old_page(zone="XYZ"))
    assert isinstance(record, SourceRecord)
    assert record.posted_at is None


@pytest.mark.parametrize(
    ("section", "reason"), [("cto", "not-property"), ("hou", "wanted"), ("", "unknown-section")]
)
def test_other_sections_are_refused(section: str, reason: str) -> None:
    rejected = read(old_page(section=section))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.source_id) == (reason, "1207457727")


@pytest.mark.parametrize(
    ("line", "title", "expected"),
    [
        ("$1350 / 3br - Nice (A)", "Nice", Headline("Nice", 1350, 3, None, "A")),
        ("$1350 / 3br - Nice (A)", "", Headline("Nice", 1350, 3, None, "A")),
        ("$225000 / 3br - Golf Unit!", "", Headline("Golf Unit!", 225000, 3, None, None)),
        ("Car 90,000 - $49 (Ybor)", "", Headline("Car 90,000", 49, None, None, "Ybor")),
        ("Charm Bracelet - $25 -", "", Headline("Charm Bracelet", 25, None, None, None)),
        ("Once in a lifetime -", "", Headline("Once in a lifetime", None, None, None, None)),
        ("3bd 2ba Home - Reduced", "", Headline("3bd 2ba Home - Reduced", None, None, None, None)),
        ("2br - 700ft² - Loft", "", Headline("Loft", None, 2, 700, None)),
        ("$900 Nice", "", Headline("$900 Nice", None, None, None, None)),
        ("$89/sqft 4 bed", "$89/sqft 4 bed", Headline("$89/sqft 4 bed", None, None, None, None)),
        ("", "", Headline("", None, None, None, None)),
    ],
)  # fmt: skip
def test_headings(line: str, title: str, expected: Headline) -> None:
    assert read_headline(line, title) == expected


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_heading_keeps_every_letter_of_its_title(line: str, title: str) -> None:
    headline = read_headline(line, title)
    assert headline.title in line or headline.title == title.strip()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 900), st.integers(0, 900))
def test_any_bytes_are_taken(noise: bytes, start: int, length: int) -> None:
    whole = old_page()
    for found in parse(Document(url="x", content=whole[:start] + noise + whole[start + length :])):
        assert isinstance(found, SourceRecord | Rejected)


def test_captured_old_pages(captures: Path) -> None:
    folder = captures / "craigslist" / "legacy_html_2009_2013"
    sales = 0
    for path in sorted(folder.iterdir()):
        for found in parse(Document(url=path.name, content=path.read_bytes())):
            if isinstance(found, Rejected):
                assert found.reason not in {"unknown-layout", "unknown-section"}, found
                continue
            assert isinstance(found, SourceRecord)
            assert found.title
            assert found.extra["section"] in {"apa", "reb", "reo", "rea", "roo", "sub", "vac"}
            sales += found.property_type == "Residential"
    assert sales


def test_a_captured_sale_of_2012(captures: Path) -> None:
    path = captures / "craigslist/legacy_html_2009_2013/spec__assets__posting_mdc_reb_120612.html"
    if not path.is_file():
        pytest.skip("these captures have no sale of 2012")
    record = read(path.read_bytes(), path.name)
    assert isinstance(record, SourceRecord)
    assert record.title == "✱✱✱BEAUTIFUL HOUSE FOR SALE IN FLORIDA KEYS"
    assert (record.list_price, record.bedrooms_total, record.living_area) == (1_149_000, 3, 2000)
    assert record.posted_at == "2012-12-05T17:46:00Z"
    assert (record.remarks or "").startswith("• $1,149,000.00\n• 2000ft²")
    assert record.notes["remarks"].rule == "charset-not-declared"
