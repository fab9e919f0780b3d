"""Search over HTTP: filters, order, paging, facets, and what is never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.market.commands import Quarantine, Withdraw
from engine.market.listing import Listing
from tests.serve_apps.api.world import CANARY, Caller, World, assert_problem

# Kilometres east of the first along a parallel: 0.01 degrees are about 0.96 km there.
HOMES: dict[str, dict[str, Any]] = {
    "cottage": {
        "longitude": -97.74,
        "list_price": 300_000,
        "property_type": "Residential",
        "public_remarks": "Charming cottage with a walled garden",
        "sources": ("craigslist",),
        "quality": 0.9,
        "bedrooms_total": 2,
    },
    "loft": {
        "longitude": -97.73,
        "list_price": 450_000,
        "property_type": "Residential Lease",
        "public_remarks": "Downtown loft",
        "sources": ("zillow", "redfin"),
        "quality": 0.5,
        "bedrooms_total": 1,
    },
    "ranch": {
        "longitude": -97.54,
        "list_price": 900_000,
        "property_type": "Residential",
        "public_remarks": "Ranch with garden, garden and garden",
        "sources": ("zillow",),
        "quality": 0.7,
        "bedrooms_total": 4,
    },
}
PRICES = {"cottage": 30, "loft": 10, "ranch": 20}
NEAR = "30.27,-97.74"


class Town:
    """Three homes for sale and a buyer."""

    def __init__(self, world: World, buyer: Caller, leads: dict[str, str]) -> None:
        self.world = world
        self.buyer = buyer
        self.leads = leads
        self.names = {lead_id: name for name, lead_id in leads.items()}

    async def search(self, **params: Any) -> dict[str, Any]:
        answered = await self.buyer.get("/v1/leads", market="austin", **params)
        assert answered.status_code == 200, answered.text
        page: dict[str, Any] = answered.json()
        return page

    async def found(self, **params: Any) -> list[str]:
        page = await self.search(**params)
        return [self.names[item["lead_id"]] for item in page["items"]]


@pytest.fixture
async def town(world: World) -> AsyncIterator[Town]:
    assert world.replica.deps is not None
    leads = {
        name: await world.lead(
            price=PRICES[name], listing=Listing(latitude=30.27, city="Austin", **facts)
        )
        for name, facts in HOMES.items()
    }
    yield Town(world, await world.buyer(credits=100), leads)
    for lead_id in leads.values():
        await world.submit("austin", Withdraw(lead_id, "test over"))
        await world.replica.deps.pool.execute(
            "UPDATE leads SET market = 'phoenix' WHERE lead_id = $1", lead_id
        )


async def test_radius_and_distance(town: Town) -> None:
    page = await town.search(near=NEAR, radius_m=5000, sort="distance")
    assert [town.names[item["lead_id"]] for item in page["items"]] == ["cottage", "loft"]
    assert page["items"][0]["distance_m"] == 0
    assert 900 < page["items"][1]["distance_m"] < 1000
    assert page["total"] == 2
    assert "distance_m" not in (await town.search())["items"][0]


async def test_filters(town: Town) -> None:
    found = town.found
    assert await found(bbox="-97.75,30.2,-97.70,30.3") == ["loft", "cottage"]
    assert await found(property_type="Residential") == ["ranch", "cottage"]
    assert await found(property_type=["Residential", "Residential Lease"], price_max=10) == ["loft"]
    assert await found(property_type="Residential Lease,Land") == ["loft"]
    assert await found(source="zillow") == ["ranch", "loft"]
    assert await found(list_price_min=300_000, list_price_max=450_000) == ["loft", "cottage"]
    assert await found(bedrooms_total_min=2, bedrooms_total_max=3) == ["cottage"]
    assert await found(year_built_min=1900) == []
    assert await found(q="garden -ranch") == ["cottage"]
    assert await found(q='"walled garden"') == ["cottage"]


async def test_orders(town: Town) -> None:
    assert await town.found() == ["ranch", "loft", "cottage"]
    assert await town.found(sort="price") == ["loft", "ranch", "cottage"]
    assert await town.found(sort="quality") == ["cottage", "ranch", "loft"]
    assert await town.found(sort="relevance", q="garden") == ["ranch", "cottage"]
    assert await town.found(sort="distance", near=NEAR) == ["cottage", "loft", "ranch"]


@pytest.mark.parametrize("sort", ["newest", "price", "quality", "distance", "relevance"])
async def test_every_order_pages(town: Town, sort: str) -> None:
    params = {"sort": sort, "near": NEAR, "q": "garden or loft"}
    whole = await town.found(**params)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await town.search(limit=1, **params, **cursor)
        seen += [town.names[item["lead_id"]] for item in page["items"]]
        assert page["total"] == 3
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == whole
    assert len(seen) == 3


async def test_states(town: Town) -> None:
    await town.buyer.hold(town.leads["loft"])
    await town.buyer.buy(town.leads["cottage"])
    assert await town.found() == ["ranch", "loft"]
    assert await town.found(lead_state="held") == ["loft"]
    assert await town.found(lead_state="sold,held") == ["loft", "cottage"]
    await town.world.submit("austin", Quarantine(town.leads["ranch"], "test"))
    assert await town.found() == ["loft"]
    hidden = await town.buyer.get(f"/v1/leads/{town.leads['ranch']}")
    assert_problem(hidden, 404, "not-found")
    assert_problem(await town.buyer.hold(town.leads["ranch"]), 404, "not-found")
    shown = await town.buyer.get(f"/v1/leads/{town.leads['cottage']}")
    assert shown.json()["lead_state"] == "sold"


async def test_facets(town: Town) -> None:
    page = await town.search(facets="property_type,source", limit=1)
    assert page["facets"] == {
        "property_type": [
            {"value": "Residential", "count": 2},
            {"value": "Residential Lease", "count": 1},
        ],
        "source": [
            {"value": "zillow", "count": 2},
            {"value": "craigslist", "count": 1},
            {"value": "redfin", "count": 1},
        ],
    }
    assert "facets" not in await town.search()


async def test_contact_values_are_not_searched(town: Town) -> None:
    assert await town.found(q=CANARY) == []
    assert CANARY not in (await town.buyer.get("/v1/leads")).text


BAD_SEARCHES: list[tuple[dict[str, Any], str]] = [
    ({"market": "atlantis"}, "query.market"),
    ({"near": "here"}, "query.near"),
    ({"near": "91,0"}, "query.near"),
    ({"near": "30,-97", "radius_m": 0}, "query.radius_m"),
    ({"radius_m": 5}, "query.radius_m"),
    ({"bbox": "1,2,3"}, "query.bbox"),
    ({"bbox": "-97,30,-98,31"}, "query.bbox"),
    ({"sort": "distance"}, "query.sort"),
    ({"sort": "relevance"}, "query.sort"),
    ({"sort": "colour"}, "query.sort"),
    ({"lead_state": "quarantined"}, "query.lead_state"),
    ({"facets": "phone"}, "query.facets"),
    ({"price_min": 2, "price_max": 1}, "query.price_min"),
    ({"price_min": 2**63}, "query.price_min"),
    ({"price_min": "1.5"}, "query.price_min"),
    ({"limit": 201}, "query.limit"),
    ({"limit": 0}, "query.limit"),
    ({"q": "nul\u0000"}, "query.q"),
    ({"q": ""}, "query.q"),
    ({"cursor": "AAAA"}, "query.cursor"),
    ({"cursor": "\u00e9"}, "query.cursor"),
]


async def test_bad_searches_name_the_parameter(world: World) -> None:
    buyer = await world.buyer()
    for params, location in BAD_SEARCHES:
        problem = assert_problem(await buyer.get("/v1/leads", **params), 422, "validation")
        assert problem["errors"][0]["location"].startswith(location), params


async def test_a_cursor_belongs_to_its_query(town: Town) -> None:
    page = await town.search(limit=1, sort="price")
    other = await town.buyer.get("/v1/leads", sort="price", cursor=page["next_cursor"])
    assert_problem(other, 422, "validation")


async def test_markets(town: Town) -> None:
    markets = (await town.world.http.get("/v1/markets")).json()["items"]
    assert [market["market"] for market in markets] == [
        "las-vegas",
        "dallas",
        "austin",
        "phoenix",
    ]
    austin = (await town.world.http.get("/v1/markets/austin")).json()
    assert austin["counts"]["available"] >= 3
    assert austin["price_index"] > 0
    assert austin["seq"] >= 3
    assert_problem(await town.world.http.get("/v1/markets/atlantis"), 404, "not-found")
