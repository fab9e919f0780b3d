"""Zillow's shapes: results, buildings, properties, page data, cards, data sets."""

from __future__ import annotations

import json

import pytest

from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.zillow import parse
from tests.engine.intake.portal_rows import (
    ZILLOW_BUILDING,
    ZILLOW_BUILDING_PAGE,
    ZILLOW_PROPERTY,
    ZILLOW_RESULT,
    as_document,
    changed,
    the_record,
    the_refusal,
)


def test_a_result() -> None:
    record = the_record(parse, [ZILLOW_RESULT])
    assert (record.source_id, record.list_price) == ("26000001", 525_000)
    assert (record.street_address, record.unit_number) == ("410 Sample Oak Ln", "7")
    assert record.lot_size_square_feet == 10_890
    assert record.standard_status == "Active"
    assert record.posted_at == "2026-04-30T12:00:00Z"
    assert record.contact.name == "Ann Example"
    assert record.contact.source_url == (
        "https://www.zillow.com/homedetails/410-Sample-Oak-Ln/26000001_zpid/"
    )
    assert record.extra["previous_list_price"] == 535_000
    assert record.extra["listed_by"] == "agent"
    assert record.extra["listing_office"] == "Example Realty"
    assert record.licence == "licensed"
    assert record.notes == {}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"hdpData.homeInfo.homeStatus": "PENDING"}, "Pending"),
        ({"hdpData.homeInfo.homeStatus": "RECENTLY_SOLD"}, "Closed"),
        ({"hdpData.homeInfo.homeStatus": "OTHER"}, "Withdrawn"),
        ({"hdpData.homeInfo.listing_sub_type": {"is_pending": True}}, "Pending"),
        ({"hdpData.homeInfo.listing_sub_type": {"is_comingSoon": True}}, "Coming Soon"),
        ({"contingentListingType": "UNDER_CONTRACT"}, "Active Under Contract"),
        ({"hdpData": None}, "Active"),
    ],
)
def test_where_a_result_stands(changes: dict[str, object], status: str) -> None:
    assert the_record(parse, [changed(ZILLOW_RESULT, changes)]).standard_status == status


def test_an_owners_result_says_so() -> None:
    row = changed(ZILLOW_RESULT, {"hdpData.homeInfo.listing_sub_type": {"is_FSBO": True}})
    assert the_record(parse, [row]).extra["listed_by"] == "owner"


@pytest.mark.parametrize(
    ("changes", "price", "rule"),
    [
        ({"price": "$525,000+"}, 525_000, "from-price"),
        ({"hdpData.homeInfo.priceSuffix": "+"}, 525_000, "from-price"),
        ({"hdpData.homeInfo.price": None, "price": "$909K"}, 909_000, "rounded-price"),
        ({"price": "$909K", "hdpData.homeInfo.price": 908900.0}, 908_900, None),
        ({"price": "$0+", "hdpData.homeInfo.price": 0.0}, None, None),
        ({"price": "Contact for price", "hdpData.homeInfo.price": None}, None, None),
        ({"hdpData.homeInfo.currency": "CAD"}, None, None),
    ],
)
def test_prices_of_results(changes: dict[str, object], price: int | None, rule: str | None) -> None:
    record = the_record(parse, [changed(ZILLOW_RESULT, changes)])
    assert record.list_price == price
    assert (record.notes["list_price"].rule if "list_price" in record.notes else None) == rule


def test_rents_are_by_the_month() -> None:
    row = changed(
        ZILLOW_RESULT,
        {
            "price": "$1,495+/mo",
            "hdpData.homeInfo.price": 1495,
            "hdpData.homeInfo.homeStatus": "FOR_RENT",
            "hdpData.homeInfo.homeType": "APARTMENT",
        },
    )
    record = the_record(parse, [row])
    assert record.property_type == "Residential Lease"
    assert record.list_price == 1_495
    assert record.extra["lease_amount_frequency"] == "Monthly"


def test_a_result_may_show_its_lister() -> None:
    shown = {"agentName": "Hal Example", "agentPhoneNumber": "214 555 0133"}
    record = the_record(parse, [ZILLOW_RESULT | {"attributionInfo": shown}])
    assert (record.contact.name, record.contact.phone) == ("Hal Example", "214 555 0133")


def test_an_undisclosed_address_is_no_address() -> None:
    row = changed(
        ZILLOW_RESULT,
        {
            "hdpData.homeInfo.streetAddress": "(undisclosed Address)",
            "hdpData.homeInfo.latitude": None,
            "hdpData.homeInfo.longitude": None,
            "latLong": {},
        },
    )
    record = the_record(parse, [row])
    assert (record.street_address, record.contact.unparsed_address) == (None, None)
    assert record.postal_code == "75218"


def test_a_building_is_one_home_at_its_lowest_price() -> None:
    record = the_record(parse, [ZILLOW_BUILDING])
    assert record.source_id == "32.81--96.71"
    assert record.title == "Example Flats"
    # The unit in `addressStreet` is that of any one of them.
    assert (record.street_address, record.unit_number) == ("9 Example Way", None)
    assert record.postal_code == "75218"
    assert record.list_price == 1_650
    assert record.bedrooms_total is None
    assert record.notes["list_price"] == FieldNote("from-price", 0.5)
    assert record.property_sub_type == "Apartment"
    assert record.notes["property_sub_type"].rule == "from-url"
    assert record.extra["unit_prices"] == "1 bd $1,995+; 0 bd $1,650+"
    assert record.extra["units_available"] == 14


def test_a_building_of_one_kind_of_unit_has_its_bedrooms() -> None:
    row = changed(ZILLOW_BUILDING, {"units": [{"price": "$2,490+", "beds": "2"}]})
    record = the_record(parse, [row])
    assert (record.list_price, record.bedrooms_total) == (2_490, 2)


def test_units_with_ids_of_their_own_are_homes() -> None:
    units = [
        {"zpid": 11, "unitNumber": "Apt 4", "price": "$1,700", "beds": 1, "baths": 1},
        {"zpid": 12, "price": "Contact for price", "beds": 2},
    ]
    first, second = parse(as_document([changed(ZILLOW_BUILDING, {"units": units})]))
    assert isinstance(first, SourceRecord)
    assert (first.source_id, first.unit_number, first.list_price) == ("11", "4", 1_700)
    assert isinstance(second, SourceRecord)
    assert (second.list_price, second.bedrooms_total) == (None, 2)


def test_a_building_for_sale() -> None:
    row = {
        "buildingId": "37.7--122.4",
        "price": "From $2,000,000",
        "address": "519-521 Example Ave, San Francisco, CA",
        "latLong": {"latitude": 37.7, "longitude": -122.4},
        "isBuilding": True,
        "statusType": "FOR_SALE",
        "statusText": "For Rent",
        "detailUrl": "/b/building/37.7,-122.4_ll/",
    }
    record = the_record(parse, [row])
    assert (record.property_type, record.list_price) == ("Residential", 2_000_000)
    assert record.property_sub_type is None
    assert record.notes["list_price"].rule == "from-price"


def test_a_property() -> None:
    record = the_record(parse, ZILLOW_PROPERTY)
    assert (record.source_id, record.list_price) == ("26000002", 410_000)
    assert (record.street_address, record.unit_number) == ("12 Example Ct", "3")
    assert (record.city, record.state_or_province, record.postal_code) == ("Austin", "TX", "78704")
    assert (record.listing_id, record.parcel_number) == ("MLS77", "123-456")
    assert record.property_sub_type == "Condominium"
    assert (record.bathrooms_total_integer, record.extra["bathrooms_stated"]) == (3, 2.5)
    assert record.lot_size_square_feet == 3_746
    assert record.posted_at == "2026-04-27T00:00:00Z"
    assert record.modification_timestamp == "2026-04-30T08:26:44Z"
    assert record.notes["modification_timestamp"].rule == "zone-unstated"
    assert record.contact.name == "Bea Example"
    assert record.contact.email is None
    assert record.extra["subdivision"] == "Oaks"


def test_a_masked_agents_phone_gives_way_to_nothing() -> None:
    assert the_record(parse, ZILLOW_PROPERTY).contact.phone == "512-555-0142"
    masked = changed(ZILLOW_PROPERTY, {"attributionInfo.brokerPhoneNumber": "(555) 555-0100"})
    assert the_record(parse, masked).contact.phone is None


@pytest.mark.parametrize(
    ("word", "status"), [("OTHER", "Withdrawn"), ("SOLD", "Closed"), ("RECENTLY_SOLD", "Closed")]
)
def test_a_home_not_on_offer_has_no_list_price(word: str, status: str) -> None:
    row = changed(ZILLOW_PROPERTY, {"homeStatus": word}) | {"dateSoldString": "2024-07-02"}
    record = the_record(parse, row)
    assert record.standard_status == status
    assert record.list_price is None
    assert record.posted_at is None
    if status == "Closed":
        assert record.extra["close_price"] == 410_000
        assert record.extra["close_date"] == "2024-07-02T00:00:00Z"
    else:
        assert record.notes["standard_status"].rule == "off-market"


@pytest.mark.parametrize(
    ("history", "previous"),
    [
        ([{"price": 410000, "event": "Price change"}, {"price": 450000, "event": "Listed"}],
         450_000),
        ([{"price": 410000, "event": "Listed for sale"}, {"price": 450000, "event": "Sold"}], None),
        ([{"price": 410000, "event": "Price change"}, {"price": 390000, "event": "Listed"}], None),
        ([{"price": 1900, "postingIsRental": True}, {"price": None}, {"price": 420000}], 420_000),
        (None, None),
    ],
)  # fmt: skip
def test_a_cut_is_read_from_the_history_of_the_offer(history: object, previous: int | None) -> None:
    record = the_record(parse, changed(ZILLOW_PROPERTY, {"priceHistory": history}))
    assert record.list_price == 410_000
    assert record.extra.get("previous_list_price") == previous


def test_an_owners_property_names_the_owner() -> None:
    row = changed(ZILLOW_PROPERTY, {"attributionInfo": None}) | {
        "listing_sub_type": {"is_FSBO": True},
        "listedBy": [
            {
                "id": "PROPERTY_OWNER",
                "elements": [
                    {"id": "NAME", "text": "Flo Example"},
                    {"id": "PHONE", "text": "512 555 0155"},
                ],
            }
        ],
    }
    record = the_record(parse, row)
    assert (record.contact.name, record.contact.phone) == ("Flo Example", "512 555 0155")
    assert record.extra["listed_by"] == "owner"


def test_a_property_as_a_row_of_a_table() -> None:
    columns = {
        "timestamp": "2024-07-23 00:00:00.000",
        "zpid": "5",
        "homeStatus": "OTHER",
        "homeType": "SINGLE_FAMILY",
        "address": '{""city"": ""Reno""}',
        "streetAddress": "1 Example St",
        "city": "Reno",
        "state": "NV",
        "zipcode": "89501",
        "price": "519000",
        "zestimate": "519000",
        "lotAreaValue": "1.5",
        "lotAreaUnits": "Acres",
        "listing_provided_by": '{""name"": ""Osi███"", ""company"": ""Example Realty""}',
        "postingContact": '[""{n███}""]',
    }
    row = ",".join(f'"{cell}"' for cell in columns.values())
    record = the_record(parse, f"{','.join(columns)}\n{row}\n".encode())
    assert (record.list_price, record.standard_status) == (None, "Withdrawn")
    assert record.contact.name is None
    assert record.extra["listing_office"] == "Example Realty"
    assert record.lot_size_square_feet == 65_340
    assert record.fetched_at == "2024-07-23T00:00:00Z"


def test_a_sold_data_set() -> None:
    head = "zpid,city,streetAddress,zipcode,latitude,longitude,homeType,latestPrice,latest_saledate"
    row = "111,del valle,2 Example Dr,78617,30.1,-97.6,Single Family,305000.0,2019-09-02"
    record = the_record(parse, f"{head}\n{row}\n".encode())
    assert (record.standard_status, record.city) == ("Closed", "Del Valle")
    assert record.extra["close_date"] == "2019-09-02T00:00:00Z"
    assert record.fetched_at == "2026-05-01T12:00:00Z"


def page(state: object) -> bytes:
    data = json.dumps(state)
    return (
        '<!doctype html><html><head><link href="/a/__NEXT_DATA__.js"></head><body>'
        f'<script id="__NEXT_DATA__" type="application/json">{data}</script></body></html>'
    ).encode()


def test_page_data_of_a_search() -> None:
    results = {
        "listResults": [ZILLOW_RESULT, ZILLOW_BUILDING],
        "mapResults": [ZILLOW_RESULT, changed(ZILLOW_RESULT, {"zpid": "9"})],
    }
    state = {
        "props": {"pageProps": {"searchPageState": {"cat1": {"searchResults": results}}}},
    }
    found = list(parse(as_document(page(state))))
    assert [each.source_id for each in found] == ["26000001", "32.81--96.71", "9"]
    bare = list(parse(as_document({"cat1": {"searchResults": results}})))
    assert [each.source_id for each in bare] == [each.source_id for each in found]


@pytest.mark.parametrize("as_text", [True, False])
def test_page_data_of_a_property(as_text: bool) -> None:
    short = {"zpid": ZILLOW_PROPERTY["zpid"], "homeStatus": "FOR_SALE"}
    cache = {"ForSaleQuery{}": {"property": ZILLOW_PROPERTY}, "Short{}": {"property": short}}
    state = {
        "props": {
            "pageProps": {
                "componentProps": {"gdpClientCache": json.dumps(cache) if as_text else cache}
            }
        }
    }
    assert the_record(parse, page(state)).list_price == 410_000


def building_page(building: dict[str, object]) -> bytes:
    state = {"initialReduxState": {"gdp": {"building": building}}}
    return page({"props": {"pageProps": {"componentProps": state}}})


def test_a_buildings_page_without_ids_of_units_is_one_home() -> None:
    record = the_record(parse, building_page(ZILLOW_BUILDING_PAGE))
    # The id that result lists and cards give the same building.
    assert record.source_id == "32.81--96.71"
    assert (record.title, record.remarks) == ("Example Flats", "A sample of flats.")
    assert (record.street_address, record.postal_code) == ("9 Example Way", "75218")
    assert record.list_price == 1_650
    assert record.notes["list_price"].confidence == 0.5
    assert record.bedrooms_total is None
    assert record.property_type == "Residential Lease"
    assert record.contact.phone == "214-555-0166"
    assert record.extra["units_available"] == 2


def test_units_of_a_buildings_page_are_homes_if_they_have_ids() -> None:
    changes = {
        "floorPlans": [
            {"beds": 1, "baths": 1, "minPrice": 1500, "maxPrice": 1900, "units": [
                {"zpid": 51, "unitNumber": "# 204", "price": 1555, "sqft": 700},
            ]},
        ],
        "ungroupedUnits": [
            {"zpid": 52, "listingType": "FOR_SALE", "price": 300000, "beds": 2,
             "hdpUrl": "/homedetails/x/52_zpid/"},
            {"zpid": 53, "listingType": "OTHER", "price": 1},
        ],
    }  # fmt: skip
    content = building_page(changed(ZILLOW_BUILDING_PAGE, changes))
    first, second = parse(as_document(content))
    assert isinstance(first, SourceRecord)
    assert (first.source_id, first.unit_number, first.list_price) == ("51", "204", 1_555)
    assert (first.bedrooms_total, first.bathrooms_total_integer, first.living_area) == (1, 1, 700)
    assert first.contact.unparsed_address == "9 Example Way # 204, Dallas, TX 75218"
    assert isinstance(second, SourceRecord)
    assert (second.source_id, second.property_type) == ("52", "Residential")
    assert second.contact.source_url == "https://www.zillow.com/homedetails/x/52_zpid/"


def test_a_floor_plan_states_only_a_lowest_price() -> None:
    plan = {"beds": 1, "minPrice": 1500, "maxPrice": 1900}
    record = the_record(parse, building_page(changed(ZILLOW_BUILDING_PAGE, {"floorPlans": [plan]})))
    assert (record.list_price, record.bedrooms_total) == (1_500, 1)
    assert record.notes["list_price"].rule == "from-price"
    bare = building_page(changed(ZILLOW_BUILDING_PAGE, {"floorPlans": []}))
    assert the_record(parse, bare).list_price is None


def test_answers_of_the_sites_interface() -> None:
    assert the_record(parse, {"data": {"property": ZILLOW_PROPERTY}}).source_id == "26000002"
    answer = {"data": {"building": ZILLOW_BUILDING_PAGE}}
    assert the_record(parse, answer).source_id == "32.81--96.71"


def test_older_property_pages() -> None:
    cache = json.dumps({"apiCache": json.dumps({"Q": {"property": ZILLOW_PROPERTY}})})
    content = f'<html><script id="hdpApolloPreloadedData">{cache}</script>'.encode()
    assert the_record(parse, content).source_id == "26000002"


def test_an_empty_search_holds_nothing() -> None:
    assert list(parse(as_document({"cat1": {"searchResults": {"listResults": []}}}))) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" ", "empty-page"),
        (b"<html><p>Nothing here</p>", "unknown-layout"),
        (b'<html><div id="px-captcha"></div>', "blocked"),
        (page({"props": {"pageProps": {"other": 1}}}), "unknown-shape"),
        (b'<script id="__NEXT_DATA__">{</script>', "broken-json"),
        (b"<html>" + b" " * (16 * 1024 * 1024), "page-too-large"),
        ([{"a": 1}], "unknown-shape"),
        ([7], "not-a-row"),
        ([ZILLOW_RESULT | {"zpid": None, "hdpData": None}], "no-id"),
        ([{"zpid": "1", "detailUrl": "/x/"}], "no-place"),
    ],
)
def test_what_is_refused(content: object, reason: str) -> None:
    assert the_refusal(parse, content).reason == reason


CARD = """
<li><article data-test="property-card" id="{id}" class="property-card list-card_for-rent">
<div class="property-card-data"><address>{address}</address>
<a href="{url}" data-test="property-card-title-link">
<span data-test="property-card-price">{price}</span></a>
<ul data-testid="property-card-details">{rooms}</ul> - Apartment for rent
<span>{units}</span></div></article></li>
"""


def card(**parts: str) -> str:
    given = {
        "id": "zpid_2059",
        "address": "The Example, 95 Example St UNIT 5, Boston, MA 02120",
        "url": "/apartments/boston-ma/x/CkB/",
        "price": "$4,919+/mo",
        "rooms": "<li><b>1</b><abbr>bd</abbr></li><li><b>2.5</b><abbr>ba</abbr></li>"
        "<li><b>1,134</b><abbr>sqft</abbr></li>",
        "units": "",
    }
    return CARD.format(**(given | parts))


def cards(*found: str) -> bytes:
    return f"<!doctype html><html><body><ul>{''.join(found)}</ul></body></html>".encode()


def test_a_card_of_a_home() -> None:
    record = the_record(parse, cards(card()))
    assert (record.source_id, record.title) == ("2059", "The Example")
    assert (record.list_price, record.notes["list_price"].rule) == (4_919, "from-price")
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (1, 3)
    assert record.living_area == 1_134
    assert record.property_type == "Residential Lease"
    assert record.property_sub_type == "Apartment"
    assert (record.street_address, record.unit_number) == ("95 Example St", "5")


def test_a_card_of_a_building_stands_where_its_id_says() -> None:
    content = cards(
        card(
            id="zpid_42.33--71.10",
            address="Example | 1575 Example St, Boston, MA",
            price="$2,850+ 1 bd",
            rooms="",
            units="$2,850+ 1bd $3,761+ 2bd",
        )
    )
    record = the_record(parse, content)
    assert (record.contact.latitude, record.contact.longitude) == (42.33, -71.10)
    assert (record.list_price, record.bedrooms_total) == (2_850, None)
    assert record.notes["list_price"].confidence == 0.5
    assert record.extra["unit_prices"] == "1 bd $2,850+; 2 bd $3,761+"


def test_a_broken_card_is_refused_alone() -> None:
    broken = card().replace("<address>", "<p>").replace("</address>", "</p>")
    found = list(parse(as_document(cards(card(), broken, card(id="x", price="")))))
    assert [type(each) for each in found] == [SourceRecord, Rejected, Rejected]
    details = [each.detail for each in found if isinstance(each, Rejected)]
    assert "a card without an address" in details[0]
    assert "a card without an id, a price" in details[1]
    assert all(each.reason == "broken-card" for each in found if isinstance(each, Rejected))
