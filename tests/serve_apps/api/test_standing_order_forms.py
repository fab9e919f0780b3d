"""What a standing order can't ask for is refused by its place."""

from __future__ import annotations

from typing import Any

from tests.serve_apps.api.world import World, assert_problem

SHORT: dict[str, Any] = {"market": "austin", "price_max": 10}


def asking(**filter_: Any) -> dict[str, Any]:
    return {**SHORT, "filter": filter_}


def hours(**window: Any) -> dict[str, Any]:
    return {**SHORT, "hours": [{"days": ["mon"], "from": "08:00", "to": "09:00"} | window]}


BAD_ORDERS: list[tuple[Any, str]] = [
    ({}, "body.market"),
    ({"market": "austin"}, "body.price_max"),
    ({**SHORT, "market": "atlantis"}, "body.market"),
    ({**SHORT, "market": None}, "body.market"),
    ({**SHORT, "price_max": 0}, "body.price_max"),
    ({**SHORT, "price_max": 2.5}, "body.price_max"),
    ({**SHORT, "price_max": "10"}, "body.price_max"),
    ({**SHORT, "price_max": 2**63}, "body.price_max"),
    ({**SHORT, "per_day": 0}, "body.per_day"),
    ({**SHORT, "budget": -1}, "body.budget"),
    ({**SHORT, "name": ""}, "body.name"),
    ({**SHORT, "name": "x" * 201}, "body.name"),
    ({**SHORT, "name": "nul\u0000"}, "body.name"),
    ({**SHORT, "seats": "two"}, "body.seats"),
    ({**SHORT, "is_paused": 1}, "body.is_paused"),
    ({**SHORT, "colour": "red"}, "body.colour"),
    (asking(zip_codes=["78701"]), "body.filter.zip_codes"),
    (asking(q=""), "body.filter.q"),
    (asking(q="the"), "body.filter.q"),
    (asking(q="nul\u0000"), "body.filter.q"),
    (asking(near=[30, -97]), "body.filter.near"),
    (asking(near=[91, -97], radius_m=5), "body.filter.near"),
    (asking(near=[30], radius_m=5), "body.filter.near"),
    (asking(near="here", radius_m=5), "body.filter.near"),
    (asking(near=[30, "x"], radius_m=5), "body.filter.near.1"),
    (asking(near=[30, 181], radius_m=5), "body.filter.near.1"),
    (asking(radius_m=5), "body.filter.radius_m"),
    (asking(near=[30, -97], radius_m=0), "body.filter.radius_m"),
    (asking(bbox=[-97, 30, -98, 31]), "body.filter.bbox"),
    (asking(bbox=[-98, 31, -97, 30]), "body.filter.bbox"),
    (asking(bbox=[-98, -91, -97, 30]), "body.filter.bbox"),
    (asking(bbox="1,2,3"), "body.filter.bbox"),
    (asking(property_type=["x"] * 21), "body.filter.property_type"),
    (asking(property_type=[""]), "body.filter.property_type.0"),
    (asking(source=[5]), "body.filter.source.0"),
    (asking(source=["x" * 201]), "body.filter.source.0"),
    (asking(year_built_min=2000, year_built_max=1999), "body.filter.year_built_min"),
    (asking(list_price_min=-1), "body.filter.list_price_min"),
    (asking(price_min=11), "body.filter.price_min"),
    (hours(days=[]), "body.hours.0.days"),
    (hours(days=["mon", "mon"]), "body.hours.0.days"),
    (hours(days=["monday"]), "body.hours.0.days.0"),
    (hours(**{"from": "8:00"}), "body.hours.0.from"),
    (hours(**{"from": "24:00"}), "body.hours.0.from"),
    (hours(to="25:00"), "body.hours.0.to"),
    (hours(to="08:00"), "body.hours.0.to"),
    (hours(**{"from": "22:00", "to": "06:00"}), "body.hours.0.to"),
    ({**SHORT, "hours": [{"days": ["mon"], "from": "08:00"}]}, "body.hours.0.to"),
    ({**SHORT, "hours": [hours()["hours"][0]] * 29}, "body.hours"),
    ([], "body"),
]


async def test_a_bad_order_is_refused_by_its_place(world: World) -> None:
    buyer = await world.buyer()
    for body, location in BAD_ORDERS:
        answered = await buyer.post("/v1/standing-orders", body)
        problem = assert_problem(answered, 422, "validation")
        assert problem["errors"][0]["location"] == location, (body, problem)
    assert (await buyer.get("/v1/standing-orders")).json()["items"] == []


FAIR_HOUSING: list[tuple[dict[str, Any], str, str]] = [
    ({"zip_codes": ["78701"]}, "body.filter.zip_codes", "place-lists"),
    ({"not_postal_code": ["78702"]}, "body.filter.not_postal_code", "place-lists"),
    ({"school_rating_min": 8}, "body.filter.school_rating_min", "schools"),
    ({"pct_white": 50}, "body.filter.pct_white", "race-or-colour"),
    ({"q": "pool, no kids"}, "body.filter.q", "familial-status"),
    ({"q": "christian neighborhood"}, "body.filter.q", "religion"),
    ({"q": "-78702"}, "body.filter.q", "place-lists"),
]


async def test_who_lives_there_can_t_be_asked_for(world: World) -> None:
    buyer = await world.buyer()
    placed = (await buyer.post("/v1/standing-orders", asking(q="pool"))).json()
    path = f"/v1/standing-orders/{placed['standing_order_id']}"
    for filter_, location, rule in FAIR_HOUSING:
        for answered in (
            await buyer.post("/v1/standing-orders", asking(**filter_)),
            await buyer.post("/v1/standing-orders/preview", asking(**filter_)),
            await buyer.request("PATCH", path, json={"filter": filter_}),
        ):
            problem = assert_problem(answered, 422, "validation")
            assert problem["errors"][0]["location"] == location, (filter_, problem)
            assert f"fair-housing rule {rule}" in problem["detail"]
    assert (await buyer.get(path)).json()["filter"] == {"q": "pool"}


async def test_a_search_has_no_such_parameter(world: World) -> None:
    buyer = await world.buyer()
    for name, rule in (("zip", "place-lists"), ("crime_score_max", "crime"), ("lang", "language")):
        problem = assert_problem(await buyer.get("/v1/leads", **{name: "1"}), 422, "validation")
        assert problem["errors"][0]["location"] == f"query.{name}"
        assert f"fair-housing rule {rule}" in problem["detail"]
    problem = assert_problem(await buyer.get("/v1/leads", roof="1"), 422, "validation")
    assert "unknown parameter" in problem["detail"]
    # A person reads what a search finds; nothing is selected by itself.
    assert (await buyer.get("/v1/leads", q="near schools")).status_code == 200
