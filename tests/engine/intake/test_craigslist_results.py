"""Pages and tables of results: thin records of what a row shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.craigslist import parse, parse_post
from engine.intake.document import Document, Parsed
from engine.intake.record import Rejected, SourceRecord

ROWS_2018 = """<html><body><form id="searchform"></form><ul class="rows">
<li class="result-row" data-pid="7506739727" data-repost-of="7000000001">
<time class="result-date" datetime="2022-07-09 12:21">Jul 9</time>
<a href="https://austin.craigslist.org/apa/d/hutto-duplex/7506739727.html" class="result-title">
3/2 Hutto duplex</a> <span class="result-price">$1,500</span>
<span class="housing">3br - 1200ft<sup>2</sup> -</span>
<span class="result-hood"> (Hutto)</span></li>
<li class="result-row"><a href="/apa/d/x/7506739728.html" class="result-title"> </a></li>
<li class="result-row"><a href="/hou/d/x/7506739729.html" class="result-title">need a room</a></li>
<li class="result-row"><a href="/about" class="result-title">help</a></li>
</ul></body></html>"""
ROWS_2012 = """<html><body class="toc"><div class="bchead"><a href="/mdc/">miami</a> &gt;
<a href="/mdc/rea/">real estate</a><div id="satabs"><a href="/brw/rea/">broward</a></div></div>
<p class="row" data-latitude="25.76" data-longitude="-80.19"><span class="ih">&nbsp;</span>
<a href="http://miami.craigslist.org/mdc/reo/3478403162.html">3bd Home - $89/sqft</a>
<span class="itemph">$249000 / 3br - 2345ft&sup2; - </span>
<span class="itempn"><font size="-1"> (Miami)</font></span></p></body></html>"""
ROWS_2009 = """<html><body class="toc"><div class="bchead"><a href="/brw/{section}/">x</a></div>
<p> Mar 15 - <a href="/brw/{section}/1645427156.html">$900 / 2br - Sunny flat</a> -
<font size="-1"> (Tamarac)</font> <span class="p"> pic</span></p>
<p><a href="/brw/{section}/1645427157.html">Room by the sea - $400 -</a></p>
<p><a href="/brw/{section}/1645427158.html"><span></span></a>
<a href="/brw/{section}/1645427158.html">Loft</a> - $750<font> (Lutz)</font></p></body></html>"""
ROWS_2024 = """<html><body><ol><li class="cl-static-search-result" title="Casita">
<a href="https://phoenix.craigslist.org/evl/apa/d/mesa-casita/7712345678.html">
<div class="title">Casita</div><div class="details"><div class="price">$1,195</div>
<div class="location"> Mesa </div></div></a></li></ol></body></html>"""
TABLE = """date_time,town,title,price,beds,sqft,url
2022-07-09 12:21, (Hutto),3/2 Hutto,1500,3,1200.0,https://a.example/apa/d/x/7506739727.html
2022-07-09 12:15, (AUSTIN'S #1 LOCATOR),"No, really",1400,,,https://a.example/apa/d/y/7501131846.html
2022-07-09 12:14,,No address,1,1,1,
"""
OTHER_TABLE = """posted,neighborhood,post title,number bedrooms,sqft,URL,price
2021-01-26 19:42, (Mesa),One bed,1,540.0,https://p.example/wvl/apa/d/x/7264212234.html,888
2021-01-26 19:42, (Mesa),One bed,1,540.0,https://p.example/wvl/apa/d/x/7264212234.html,888
"""


def found(content: str, url: str = "http://miami.craigslist.org/brw/") -> list[Parsed]:
    return list(parse(Document(url=url, content=content.encode(), fetched_at="f", licence="l")))


def records(content: str) -> list[SourceRecord]:
    return [each for each in found(content) if isinstance(each, SourceRecord)]


def test_rows_of_2018() -> None:
    record, blank, wanted, help_page = found(ROWS_2018)
    assert isinstance(record, SourceRecord)
    assert (record.source_id, record.title) == ("7506739727", "3/2 Hutto duplex")
    assert (record.list_price, record.bedrooms_total, record.living_area) == (1500, 3, 1200)
    assert record.modification_timestamp == "2022-07-09T12:21:00", "its city's time"
    assert record.posted_at is None
    assert (record.fetched_at, record.licence) == ("f", "l")
    assert record.extra == {
        "result_row": True,
        "section": "apa",
        "neighborhood": "Hutto",
        "repost_of": "7000000001",
    }
    reasons = [each.reason for each in (blank, wanted, help_page) if isinstance(each, Rejected)]
    assert reasons == ["no-title", "wanted", "no-post-id"]


def test_rows_of_2012() -> None:
    [record] = records(ROWS_2012)
    assert record.title == "3bd Home - $89/sqft"
    assert (record.list_price, record.bedrooms_total, record.living_area) == (249_000, 3, 2345)
    assert (record.contact.latitude, record.contact.longitude) == (25.76, -80.19)
    assert record.property_type == "Residential"
    assert record.extra["neighborhood"] == "Miami"


def test_rows_of_2009() -> None:
    flat, room, loft = records(ROWS_2009.format(section="apa"))
    assert (flat.title, flat.list_price, flat.bedrooms_total) == ("Sunny flat", 900, 2)
    assert flat.extra["neighborhood"] == "Tamarac"
    assert flat.contact.source_url == "http://miami.craigslist.org/brw/apa/1645427156.html"
    assert flat.modification_timestamp is None, "the row's day has no year"
    assert (room.title, room.list_price) == ("Room by the sea", 400)
    assert (loft.title, loft.list_price) == ("Loft", 750)


def test_rows_of_2024() -> None:
    [record] = records(ROWS_2024)
    assert (record.title, record.list_price) == ("Casita", 1195)
    assert record.extra["neighborhood"] == "Mesa"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ROWS_2009.format(section="art"), "not-property"),
        (ROWS_2009.format(section="hou"), "wanted"),
        ('<html><body class="toc"></body></html>', "no-results"),
        ('<div id="list"><a href="http://abilene.craigslist.org/">abilene</a></div>', "site-list"),
    ],
)
def test_pages_without_property_are_refused_whole(content: str, reason: str) -> None:
    [rejected] = found(content)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_a_table_of_results() -> None:
    first, second, third = found(TABLE)
    assert isinstance(first, SourceRecord)
    assert (first.source_id, first.list_price, first.bedrooms_total) == ("7506739727", 1500, 3)
    assert first.living_area == 1200
    assert isinstance(second, SourceRecord)
    assert second.bedrooms_total is None, "an empty cell says nothing, not none"
    assert second.extra["neighborhood"] == "AUSTIN'S #1 LOCATOR"
    assert isinstance(third, Rejected)
    assert third.reason == "no-post-id"


def test_a_repeated_row_is_the_same_record_again() -> None:
    first, second = found(OTHER_TABLE)
    assert first == second


def test_a_row_is_no_post() -> None:
    rejected = parse_post(ROWS_2024.encode(), url="x")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "not-a-post"


def test_an_unknown_table_is_refused() -> None:
    [rejected] = found("a,b,url\n1,2,3\n")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "unknown-table"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([ROWS_2018, ROWS_2012, ROWS_2009, ROWS_2024, TABLE]),
    st.binary(max_size=120),
    st.integers(0, 900),
    st.integers(0, 400),
)
def test_any_bytes_are_taken(whole: str, noise: bytes, start: int, length: int) -> None:
    content = whole.encode()
    content = content[:start] + noise + content[start + length :]
    for each in parse(Document(url="x", content=content)):
        assert isinstance(each, SourceRecord | Rejected)


def test_captured_tables(captures: Path) -> None:
    for path in sorted((captures / "craigslist" / "search_rows").glob("*.csv")):
        rows = list(parse(Document(url=path.name, content=path.read_bytes())))
        assert rows
        assert Counter(type(row) for row in rows) == {SourceRecord: len(rows)}
        if "repeated" in path.name:
            assert len(
                {row.source_id for row in rows if isinstance(row, SourceRecord)}
            ) * 26 == len(rows)
