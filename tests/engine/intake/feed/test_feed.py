"""Documents of every format through the `feed` parser: counted, refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.document import Document
from engine.intake.feed.feed import feed_parser, upload_url
from engine.intake.record import Rejected, SourceRecord
from engine.intake.tables import CELL_CHARACTERS_MAX
from tests.engine.intake.feed.feeds import (
    MAPPINGS,
    MARKETS,
    document,
    lines,
    minimal,
    records,
    refusals,
)

SQUARE = [[-97.75, 30.25], [-97.74, 30.25], [-97.74, 30.26], [-97.75, 30.26], [-97.75, 30.25]]


def test_a_record_says_where_it_is_from() -> None:
    [record] = records(
        "ListPrice,Street Address,City,StateOrProvince,zip,Id\n"
        "$350K,12 Oak St,Austin,TX,78701,x9\n",
        licence="county-open-data",
    )
    assert record.source == "austin"
    assert record.originating_system_name == "reso-columns"
    assert record.source_id == "x9"
    assert record.licence == "county-open-data"
    assert record.fetched_at == "2026-05-01T12:00:00Z"
    assert record.list_price == 350_000
    assert record.contact.unparsed_address == "12 Oak St, Austin, TX 78701"
    assert len(record.content_hash) == 64


@pytest.mark.parametrize("write", ["csv", "semicolons", "utf-16", "json", "value", "lines", "geo"])
def test_one_home_in_every_format(write: str) -> None:
    row = {"id": "7", "street_address": "12 Oak St", "city": "Austin", "list_price": 350000}
    header, cells = list(row), [str(value) for value in row.values()]
    more: dict[str, Any] = {}
    written: dict[str, Callable[[], Any]] = {
        "csv": lambda: ",".join(header) + "\r\n" + ",".join(cells) + "\r\n",
        "semicolons": lambda: "\ufeff" + ";".join(header) + "\n" + ";".join(cells),
        "utf-16": lambda: (",".join(header) + "\n" + ",".join(cells)).encode("utf-16"),
        "json": lambda: [row],
        "value": lambda: {"@odata.context": "x", "value": [row]},
        "lines": lambda: json.dumps(row) + "\n\n" + json.dumps(row) + "\n",
        "geo": lambda: {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": row, "geometry": None}],
        },
    }
    if write == "utf-16":
        more["charset"] = "utf-16"
    [record] = records(written[write](), **more)
    assert (record.source_id, record.list_price) == ("7", 350_000)
    assert (record.street_address, record.city) == ("12 Oak St", "Austin")


def _feature(geometry: object, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": geometry, "properties": {"id": 1, **properties}}


@pytest.mark.parametrize(
    ("geometry", "place"),
    [
        ({"type": "Point", "coordinates": [-97.7, 30.2]}, (30.2, -97.7)),
        ({"type": "Polygon", "coordinates": [SQUARE]}, (30.255, -97.745)),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE[:2]], [SQUARE]]}, (30.255, -97.745)),
        ({"type": "MultiPoint", "coordinates": [[-97.7, 30.2]]}, (30.2, -97.7)),
        ({"type": "Point", "coordinates": [3_100_000, 10_000_000]}, (None, None)),
        ({"type": "Point", "coordinates": ["-97.7", "30.2"]}, (None, None)),
        ({"type": "Polygon", "coordinates": [[]]}, (None, None)),
        ({"type": "Polygon", "coordinates": [[[1, 1], [1, 1], [1, 1]]]}, (None, None)),
        ({"type": "LineString", "coordinates": SQUARE}, (None, None)),
        (None, (None, None)),
    ],
)
def test_where_a_shape_stands(geometry: object, place: tuple[float | None, float | None]) -> None:
    feature = _feature(geometry, street_address="12 Oak St")
    [record] = records({"type": "FeatureCollection", "features": [feature]})
    assert (record.contact.latitude, record.contact.longitude) == (
        pytest.approx(place[0]) if place[0] else None,
        pytest.approx(place[1]) if place[1] else None,
    )


def test_a_collection_in_other_coordinates_gives_no_place() -> None:
    collection = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2277"}},
        "features": [_feature({"type": "Point", "coordinates": [-97.7, 30.2]})],
    }
    assert refusals(collection) == [(1, "no-place")]
    collection["features"] = [
        _feature({"type": "Point", "coordinates": [-97.7, 30.2]}, address="12 Oak St")
    ]
    [record] = records(collection)
    assert record.contact.latitude is None


PARCEL = {
    "APN": "30478386",
    "APN_DASH": "304-78-386",
    "OWNER_NAME": "EXAMPLE OWNER",
    "PHYSICAL_ADDRESS": "3674 E PALMER ST   GILBERT  85298",
    "PHYSICAL_CITY": "GILBERT",
    "PHYSICAL_ZIP": "85298",
    "LAND_SIZE": 7015,
    "CONST_YEAR": "2004",
    "DEED_DATE": 1361923200000,
}


@pytest.mark.parametrize(("wkid", "latitude"), [(4326, 33.25), (2868, None)])
def test_a_county_s_parcels(wkid: int, latitude: float | None) -> None:
    ring = [[-111.8, 33.2], [-111.7, 33.2], [-111.7, 33.3], [-111.8, 33.3]]
    answer = {
        "spatialReference": {"wkid": wkid, "latestWkid": wkid},
        "features": [{"attributes": PARCEL, "geometry": {"rings": [ring]}}],
    }
    [record] = records(answer, source="phoenix", market="phoenix")
    assert record.originating_system_name == "maricopa-parcels"
    assert record.parcel_number == "304-78-386"
    assert record.street_address == "3674 E PALMER ST"
    assert record.contact.name == "EXAMPLE OWNER"
    assert record.contact.latitude == (pytest.approx(latitude) if latitude else None)
    assert record.list_price is None
    assert record.lot_size_square_feet == 7015
    assert record.extra["deed_date"] == "2013-02-27T00:00:00Z"


@pytest.mark.parametrize(
    ("address", "building", "street"),
    [
        ("The Merc1800 Main St", "The Merc", "1800 Main St"),
        ("Residences at 42254225 E Mcdowell Rd", "Residences at 4225", "4225 E Mcdowell Rd"),
        ("South 400400 S Jennings Ave", "South 400", "400 S Jennings Ave"),
        ("5757 5757 Martel Ave", None, "5757 Martel Ave"),
        ("EvoqOur team has verified this property3550 Paradise Rd", "Evoq", "3550 Paradise Rd"),
        ("1 AOur team has verified this property1 A St", None, "1 A St"),
        ("2525 S 75th Ave ", None, "2525 S 75th Ave"),
        ("Near 75th2525 S 75th Ave", "Near 75th", "2525 S 75th Ave"),
        ("Unit B2 Lofts5 Elm St", None, None),
        ("1 ELM STOur team has verified this propertyElm St", None, "1 ELM ST"),
        ("Peak 165151 N 16th St", None, None),
        ("The Roosevelt 7846 N 10th Ave", None, None),
        ("S 48th St", None, None),
        ("The HubOur team has verified this propertyS 48th St", None, None),
    ],
)
def test_building_and_street_run_together(
    address: str, building: str | None, street: str | None
) -> None:
    table = (
        "Price,Beds,Baths,Post_Time,Address,City,State,Zipcode\n"
        f'"$1,345",1 Bed,1 Bath,1h ago,"{address}",Phoenix,AZ, 85008\n'
    )
    [record] = records(table, source="phoenix", market="phoenix")
    assert (record.title, record.street_address) == (building, street)
    shown = record.contact.unparsed_address or ""
    assert shown.startswith(street or address.rpartition("property")[2])
    assert record.posted_at == "2026-05-01T11:00:00Z"


def test_a_row_shifted_by_a_comma_is_refused() -> None:
    table = (
        "Price,Beds,Baths,Post_Time,Address,City,State,Zipcode\n"
        '"$1,345",1 Bed,1 Bath,1h ago,"4900 N 44th St",Suite 8 4900 N 44th St,Ph,"oenix,"\n'
    )
    assert refusals(table) == [(2, "unexpected-cell")]


def test_a_list_without_a_header() -> None:
    table = (
        "2026-03-06,5917 Whispering Ln,76148,269000,3,2,1194,169000,183,PASS,NEW\n"
        "2026-03-07,5917 Whispering Lane,76148,259000,3,2,1194,1194,183,5,PASS,NEW\n"
        "2026-03-19,7419 Lemonwood Ln,76123,256000,?,?,?,?,?\n"
        "2026-03-19,7419 Lemonwood Ln,76123,256000\n"
    )
    first, second, third = records(table, source="dallas", market="dallas")
    assert first.source_id == second.source_id != third.source_id
    assert (first.list_price, second.list_price) == (269_000, 259_000)
    assert first.fetched_at == "2026-03-06T06:00:00Z"
    assert all(r.notes["rent_estimate"].rule == "implausible" for r in (first, second))
    assert (third.bedrooms_total, third.living_area) == (None, None)
    assert refusals(table, source="dallas") == [(4, "ragged-row")]


def test_one_home_under_two_zips_is_one_in_the_list_that_confuses_them() -> None:
    table = (
        "2026-03-06,1213 Oryx Dr,76036,247999,3,2,1260,1950,182,PASS,PRICE_CUT\n"
        "2026-03-07,1213 Oryx Drive,76134,255000,3,2,1260,1260,-226,-3,FAIL,PRICE_CUT\n"
        "2026-03-07,1213 Oryx Dr,76134,455000,5,4,3260,1260,-226,-3,FAIL,NEW\n"
    )
    first, second, other = records(table, source="dallas", market="dallas")
    assert first.source_id == second.source_id != other.source_id
    assert (first.postal_code, second.postal_code) == ("76036", "76134")


def test_a_list_is_known_by_any_of_its_first_rows() -> None:
    table = (
        "a note\n\n2026-03-06,?,?,?,?,?,?,?,?\n"
        "2026-03-06,5917 Whispering Ln,76148,269000,3,2,1194,1690,183,PASS,NEW\n"
    )
    [record] = records(table, source="dallas", market="dallas")
    assert record.originating_system_name == "fortworth-deals"
    assert refusals(table, source="dallas") == [(1, "ragged-row"), (3, "unexpected-cell")]


def test_a_feed_with_nothing_in_it_says_nothing() -> None:
    assert lines({"timestamp": "2026-02-26", "location": "Fort Worth", "listings": []}) == []
    assert lines("id,street_address\n") == []


def test_an_address_in_many_columns() -> None:
    rows = [
        {"StreetNumber": "12", "StreetName": "Oak", "StreetSuffix": "St", "UnitNumber": "4"},
        {"StreetNumber": None, "StreetName": "Oak", "StreetSuffix": "St"},
        {"StreetNumber": "12", "StreetName": "", "StreetSuffix": None},
        {"address": "10025 Lanshire Dr, Dallas, TX 75238"},
    ]
    found = lines([{**row, "id": n} for n, row in enumerate(rows)])
    first, *others, last = [line.parsed for line in found]
    assert isinstance(first, SourceRecord)
    assert (first.street_address, first.unit_number) == ("12 Oak St", "4")
    assert all(isinstance(each, Rejected) and each.reason == "no-place" for each in others)
    assert isinstance(last, SourceRecord)
    assert (last.street_address, last.city, last.postal_code) == (
        "10025 Lanshire Dr",
        "Dallas",
        "75238",
    )


def test_an_address_in_one_text() -> None:
    rows = [
        {"address": "600 E Robert St Fort Worth, TX 76104", "price": 158000},
        {"address": "1508 California Pkwy N Lake Worth, TX 76115", "price": 5},
        {"address": "12 Elm Dr Apt 4, Dallas, TX 75201-1234", "price": 5},
        {"address": "12 Broadway Fort Worth, TX 76104", "price": 5},
    ]
    found = records([{**row, "beds": 2, "baths": 1, "sqft": 600} for row in rows])
    assert [(r.street_address, r.unit_number, r.city, r.postal_code) for r in found] == [
        ("600 E Robert St", None, "Fort Worth", "76104"),
        ("1508 California Pkwy N", None, "Lake Worth", "76115"),
        ("12 Elm Dr", "4", "Dallas", "75201"),
        (None, None, None, "76104"),
    ]
    assert found[3].contact.unparsed_address == "12 Broadway Fort Worth, TX 76104"


def test_a_city_s_permits() -> None:
    row = {
        "permit_number": "2026-131796 BP",
        "project_id": "13579",
        "permit_class_mapped": "Residential",
        "original_address1": "1902 JUSTIN LN UNIT B",
        "original_city": "AUSTIN",
        "original_state": "TX",
        "original_zip": "78757",
        "applicant_full_name": "Somebody Else",
        "issue_date": "2026-10-07T00:00:00.000",
        "latitude": "30.33",
        "longitude": "-97.73",
        "link": {"url": "https://abc.example/permit?id=13579"},
    }
    [record] = records([row])
    assert record.originating_system_name == "austin-permits"
    assert (record.street_address, record.unit_number) == ("1902 JUSTIN LN", "B")
    assert record.posted_at == "2026-10-07T05:00:00Z"
    assert record.contact.name is None
    assert record.contact.source_url == "https://abc.example/permit?id=13579"


def test_rows_are_refused_one_by_one() -> None:
    table = "id,street\n1,1 Main St\n2\n,2 Main St\n3,Unknown\n4,4 Main St,x\n\n5,5 Main St\n"
    mapping = minimal()
    assert [record.source_id for record in records(table, mapping)] == ["test:1", "test:5"]
    assert refusals(table, mapping) == [
        (3, "ragged-row"),
        (4, "no-id"),
        (5, "no-place"),
        (6, "ragged-row"),
    ]
    rejected = [line.parsed for line in lines(table, mapping) if isinstance(line.parsed, Rejected)]
    assert len({each.content_hash for each in rejected}) == 4
    assert all(each.detail.startswith("row ") for each in rejected)
    # A reason names columns and counts, never what stands in a cell.
    assert not any("Main" in each.detail for each in rejected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unknown-table"),
        (b"\x00\xff\xfe", "unknown-table"),
        ("colour,taste\nred,sweet\n", "unknown-table"),
        ('{"broken": ', "broken-json"),
        ("[" * 100_000, "broken-json"),
        ("[]", "unknown-table"),
        ({"listings": 5, "address": None}, "no-place"),
        ([[1, 2], [3]], "unknown-table"),
        ({"type": "FeatureCollection", "features": {}}, "unknown-table"),
    ],
)
def test_a_document_no_mapping_knows(content: Any, reason: str) -> None:
    [(_, found)] = refusals(content)
    assert found == reason


def test_a_row_that_is_no_object_is_refused() -> None:
    assert refusals([{"id": 1, "address": "1 Main St"}, 5, None]) == [
        (2, "not-a-row"),
        (3, "not-a-row"),
    ]


def test_an_open_quote_ends_the_reading() -> None:
    table = 'id,street\n1,1 Main St\n2,"' + "x" * (CELL_CHARACTERS_MAX + 1)
    assert refusals(table, minimal()) == [(3, "broken-csv")]


def test_a_feed_that_repeats_itself_is_counted_once() -> None:
    table = "id,street,city\n" + "1,1 Main St,Austin\n" * 26 + "1,1 Main St,Dallas\n"
    found = lines(table, minimal('city = "city"'))
    assert [line.parsed is None for line in found] == [False] + [True] * 25 + [False]


def test_what_a_mapping_does_not_read_changes_no_record() -> None:
    before = records("id,street,visits\n1,1 Main St,3\n", minimal())
    after = records("id,street,visits\n1,1 Main St,4\n", minimal())
    assert before[0].content_hash == after[0].content_hash


def test_the_closest_mapping_of_the_source_reads_a_document() -> None:
    row = {"address": "1 Main St, 76107", "listed": 5, "offer": 4, "cashFlow": 1, "listedDate": ""}
    [record] = records({"data": [row]})
    assert record.originating_system_name == "fortworth-deals-site"
    own = minimal(head='format = "csv"\nsources = ["dallas"]')
    assert refusals("id,street\n1,1 Main St\n", own) == [(0, "unknown-table")]
    assert len(records("id,street\n1,1 Main St\n", own, source="dallas")) == 1


def test_an_upload_is_its_uploader_s_and_may_name_its_mapping() -> None:
    table = "id,address\n1,1 Main St\n"
    given = {"source": "upload", "licence": "upload:user-9"}
    [record] = records(table, url=upload_url("u1", None), **given)
    assert record.source_id == "user-9:1"
    [record] = records(table, url=upload_url("u1", "reso-columns"), **given)
    assert record.source == "upload"
    assert refusals(table, url=upload_url("u1", "none"), **given) == [(0, "unknown-mapping")]
    assert refusals(table, url=upload_url("u1", "dallas-parcels"), **given) == [
        (0, "unknown-table")
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
COLUMNS = sorted({name for mapping in MAPPINGS.values() for name in mapping.column_names()})
ROWS = st.dictionaries(st.sampled_from(COLUMNS) | st.text(max_size=9), VALUES, max_size=25)
PARSE = feed_parser(MAPPINGS, MARKETS)


def _outcomes(content: bytes, url: str = "https://feed.example/x", **more: Any) -> None:
    for found in PARSE(document(content, url=url, **more)):
        assert isinstance(found, SourceRecord | Rejected)
        assert found.source == "austin"
        if isinstance(found, SourceRecord):
            assert found.source_id
            assert found.list_price is None or 0 < found.list_price <= 2_000_000_000
            assert (found.contact.latitude is None) == (found.contact.longitude is None)


@given(content=st.binary(max_size=2_000), charset=st.none() | st.text(max_size=12))
def test_any_bytes_are_read_or_refused(content: bytes, charset: str | None) -> None:
    _outcomes(content, charset=charset)


@given(rows=st.lists(ROWS, max_size=6), name=st.sampled_from(sorted(MAPPINGS)))
@settings(max_examples=100, deadline=None)
def test_any_rows_are_read_or_refused_by_any_mapping(rows: list[Any], name: str) -> None:
    wrapped = (
        rows,
        {"value": rows},
        {"features": [{"attributes": row, "geometry": row} for row in rows]},
        {
            "type": "FeatureCollection",
            "features": [{"properties": row, "geometry": row} for row in rows],
        },
    )
    for value in wrapped:
        _outcomes(json.dumps(value).encode(), upload_url("u", name))


@given(
    cells=st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=14), max_size=6),
    name=st.sampled_from(sorted(MAPPINGS)),
)
@settings(max_examples=150, deadline=None)
def test_any_cells_are_read_or_refused_by_any_mapping(cells: list[list[str]], name: str) -> None:
    columns = list(MAPPINGS[name].column_names())
    rows = [columns, *(row + [""] * (len(columns) - len(row)) for row in cells), *cells]
    _outcomes("\n".join(",".join(row) for row in rows).encode(), upload_url("u", name))


def test_deep_values_are_read_or_refused() -> None:
    for depth in (10, 200, 400, 900, 5_000):
        deep = "[" * depth + "]" * depth
        row = f'{{"id": {deep}, "address": {deep}, "street": "1 Main St", "link": {deep}}}'
        _outcomes(f"[{row}, {deep}]".encode())


def test_a_shipped_pattern_takes_no_long_time() -> None:
    """Cells made to be tried in every way: 20,000 of them well within the test's time."""
    for cell in ("1 " * 100, "1" * 200, "a1 " * 66, "A St " * 40, "1 A St St, " * 18):
        rows = [{"Address": cell, "address": cell, "unparsed_address": cell}] * 400
        for name in MAPPINGS:
            _outcomes(json.dumps(rows).encode(), upload_url("u", name))
            table = "Address,address,unparsed_address\n" + f'"{cell}","{cell}","{cell}"\n' * 400
            _outcomes(table.encode(), upload_url("u", name))


def test_a_document_without_a_source_is_the_market_s() -> None:
    found = list(PARSE(Document(url="x", content=b"id,address\n1,1 Main St\n", market="dallas")))
    assert [each.source for each in found] == ["dallas"]
