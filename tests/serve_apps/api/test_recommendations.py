"""Recommendations over HTTP: whatever the model says, only what can be bought now is shown."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from actors.models import (
    ModelUnavailable,
    Picked,
    RecommendationAsked,
    Recommended,
    SimilarAsked,
)
from engine.market.commands import Quarantine, Withdraw
from engine.market.listing import Listing
from serve_apps.api.routes.recommendations import NEWEST, SPARE, WANTED
from tests.serve_apps.api.world import CANARY, World, assert_problem, running, world_settings

LISTING = Listing(property_type="Residential", latitude=30.27, longitude=-97.74)
FLAT = Listing(property_type="Residential Lease", latitude=30.60, longitude=-97.74)


class Scripted:
    """Answers what it was told to, available or not; away by default."""

    def __init__(self) -> None:
        self.lead_ids: list[str] | None = None
        self.asked: list[RecommendationAsked | SimilarAsked] = []

    async def recommend(self, asked: RecommendationAsked) -> Recommended:
        return self._answer(asked)

    async def similar(self, asked: SimilarAsked) -> Recommended:
        return self._answer(asked)

    def _answer(self, asked: RecommendationAsked | SimilarAsked) -> Recommended:
        self.asked.append(asked)
        if self.lead_ids is None:
            raise ModelUnavailable("recommender did not answer within 0.3 s")
        picks = [Picked(each, 0.9 - n / 100, ["new today"]) for n, each in enumerate(self.lead_ids)]
        return Recommended(7, picks)


@pytest.fixture
def model() -> Scripted:
    return Scripted()


@pytest.fixture
async def asking(fresh_database_url: str, redis_url: str, model: Scripted) -> AsyncIterator[World]:
    async with running(world_settings(fresh_database_url, redis_url), model) as started:
        yield started


async def test_the_models_order_with_live_teasers(asking: World, model: Scripted) -> None:
    ann = await asking.buyer(plan="pro")
    leads = [await asking.lead(listing=LISTING, price=10 + n) for n in range(3)]
    model.lead_ids = leads[::-1]
    page = (await ann.get("/v1/recommendations", market="austin", limit=2)).json()
    assert [item["lead_id"] for item in page["items"]] == [leads[2], leads[1]]
    assert page["items"][0]["price"] == 12
    assert page["items"][0]["reasons"] == ["new today"]
    assert page["items"][0]["score"] == 0.9
    assert page["model"] == {"name": "recommender", "version": 7}
    assert page["next_cursor"] is None
    assert CANARY not in str(page)
    assert model.asked == [
        RecommendationAsked(ann.user_id, ("austin",), 2 + SPARE, discount_percent=10)
    ]


async def test_what_can_not_be_bought_now_is_left_out(asking: World, model: Scripted) -> None:
    ann, bob = await asking.buyer(100), await asking.buyer(100)
    names = ("open", "sold", "held", "mine", "my_hold", "withdrawn", "hidden")
    leads = {name: await asking.lead(seats=3 if name[:2] in ("mi", "my") else 1) for name in names}
    assert (await bob.buy(leads["sold"])).status_code == 201
    assert (await bob.hold(leads["held"])).status_code == 201
    assert (await ann.buy(leads["mine"])).status_code == 201
    assert (await ann.hold(leads["my_hold"])).status_code == 201
    await asking.submit("austin", Withdraw(leads["withdrawn"], "gone"))
    await asking.submit("austin", Quarantine(leads["hidden"], "scam"))
    model.lead_ids = [*leads.values(), "nothing", leads["open"]]
    for path in ("/v1/recommendations", f"/v1/leads/{leads['sold']}/similar"):
        page = (await ann.get(path)).json()
        assert {item["lead_id"] for item in page["items"]} == {leads["open"]}


async def test_a_lead_joined_to_a_bought_one_is_bought(asking: World, model: Scripted) -> None:
    ann = await asking.buyer(100)
    bought, survivor = await asking.lead(seats=3), await asking.lead(seats=3)
    assert (await ann.buy(bought)).status_code == 201
    await asking.submit("austin", Withdraw(bought, "duplicate", merged_into=survivor))
    model.lead_ids = [survivor]
    assert (await ann.get("/v1/recommendations")).json()["items"] == []
    model.lead_ids = None
    assert (await ann.get("/v1/recommendations")).json()["items"] == []


async def test_without_an_answer_the_newest_and_most_wanted(asking: World, model: Scripted) -> None:
    ann, bob = await asking.buyer(100), await asking.buyer(100)
    wanted = await asking.lead(seats=3, listing=LISTING)
    others = [await asking.lead(listing=LISTING) for _ in range(2)]
    elsewhere = await asking.lead(market="dallas", listing=FLAT)
    assert (await bob.buy(wanted)).status_code == 201
    page = (await ann.get("/v1/recommendations", market="austin")).json()
    assert page["model"] == {"name": "fallback", "version": None}
    assert [item["lead_id"] for item in page["items"]] == [wanted, others[1], others[0]]
    assert page["items"][0]["reasons"] == [WANTED, NEWEST]
    assert page["items"][1]["reasons"] == [NEWEST]
    scores = [item["score"] for item in page["items"]]
    assert scores == sorted(scores, reverse=True)
    # Nobody is recommended what he has; the preferred market goes before all.
    mine = (await bob.get("/v1/recommendations", market="austin")).json()
    assert wanted not in [item["lead_id"] for item in mine["items"]]
    everywhere = (await ann.get("/v1/recommendations")).json()["items"]
    assert elsewhere in [item["lead_id"] for item in everywhere]
    changed = await ann.request("PATCH", "/v1/me", json={"preferred_market": "dallas"})
    assert changed.status_code == 200
    preferred = (await ann.get("/v1/recommendations")).json()["items"]
    assert [item["lead_id"] for item in preferred] == [elsewhere]


async def test_bounds_hold_for_the_fallback_too(asking: World, model: Scripted) -> None:
    ann = await asking.buyer()
    near, far = await asking.lead(listing=LISTING), await asking.lead(listing=FLAT)
    around = {"market": "austin", "near": "30.27,-97.74", "radius_m": 5_000}
    page = (await ann.get("/v1/recommendations", **around)).json()
    assert [item["lead_id"] for item in page["items"]] == [near]
    assert page["items"][0]["distance_m"] < 5_000
    typed = {"market": "austin", "property_type": "Residential Lease"}
    page = (await ann.get("/v1/recommendations", **typed)).json()
    assert [item["lead_id"] for item in page["items"]] == [far]
    model.lead_ids = [near]
    page = (await ann.get("/v1/recommendations", **around)).json()
    assert page["items"][0]["distance_m"] < 5_000
    assert model.asked[-1] == RecommendationAsked(
        ann.user_id, ("austin",), 20 + SPARE, near=(30.27, -97.74), radius_m=5_000
    )


async def test_similar_leads_fall_back_to_the_same_type(asking: World, model: Scripted) -> None:
    ann = await asking.buyer()
    one, like, unlike = [await asking.lead(listing=each) for each in (FLAT, FLAT, LISTING)]
    page = (await ann.get(f"/v1/leads/{one}/similar")).json()
    assert [item["lead_id"] for item in page["items"]] == [like]
    model.lead_ids = [unlike]
    page = (await ann.get(f"/v1/leads/{one}/similar", limit=5)).json()
    assert [item["lead_id"] for item in page["items"]] == [unlike]
    assert model.asked[-1] == SimilarAsked(ann.user_id, one, 5 + SPARE)


async def test_what_can_not_be_asked(asking: World) -> None:
    ann = await asking.buyer()
    for query in (
        {"market": "atlantis"},
        {"limit": 51},
        {"radius_m": 5},
        {"near": "91,0", "radius_m": 5},
        {"zip_codes": "78702"},
    ):
        assert_problem(await ann.get("/v1/recommendations", **query), 422, "validation")
    hidden = await asking.lead()
    await asking.submit("austin", Quarantine(hidden, "scam"))
    for lead_id in (hidden, "nothing"):
        assert_problem(await ann.get(f"/v1/leads/{lead_id}/similar"), 404, "not-found")
    answered = await asking.http.get("/v1/recommendations")
    assert_problem(answered, 401, "unauthorized")


async def test_what_is_shown_is_an_impression(asking: World, model: Scripted) -> None:
    ann, lead_id = await asking.buyer(), await asking.lead()
    model.lead_ids = [lead_id]
    await ann.get("/v1/recommendations")
    await (await asking.admin()).get("/v1/recommendations")
    assert asking.replica.deps is not None
    await asking.replica.deps.sightings.write()
    rows: list[asyncpg.Record] = []
    async with asyncio.timeout(10):
        # The replica's own task may be just writing it.
        while not rows:
            rows = await asking.replica.deps.pool.fetch(
                "SELECT lead_ids, user_ids, kinds, viewer_ids FROM demand_signals"
            )
    assert [tuple(row) for row in rows] == [([lead_id], [ann.user_id], [0], None)]


async def test_never_what_is_not_available_or_already_bought(
    asking: World, model: Scripted
) -> None:
    """Whatever the model answers, and whatever was done to the leads before."""
    ann, bob = await asking.buyer(10_000), await asking.buyer(10_000)
    leads = [await asking.lead(price=5, seats=1 + n % 2) for n in range(12)]
    open_to_ann = set(leads)
    for n, lead_id in enumerate(leads):
        seats = 1 + n % 2
        if n % 4 == 1:
            assert (await ann.buy(lead_id)).status_code == 201
            open_to_ann.discard(lead_id)
        elif n % 4 == 2 or n % 4 == 3:
            assert (await bob.buy(lead_id)).status_code == 201
            if seats == 1:
                open_to_ann.discard(lead_id)
    chance = random.Random(7)
    for _ in range(25):
        answered = chance.sample([*leads, "nothing"], chance.randrange(len(leads) + 2))
        model.lead_ids = answered
        page = (await ann.get("/v1/recommendations", limit=50)).json()
        shown = [item["lead_id"] for item in page["items"]]
        assert shown == [each for each in answered if each in open_to_ann]
