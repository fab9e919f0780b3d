"""Recommendations on Ray: the packaged models, a real market, and what a buyer would be told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator

import pytest

from actors.lead_book import LeadBook
from actors.models import ModelUnavailable, RecommendationAsked, Recommended, SimilarAsked
from engine.adapters.postgres.pool import open_pool
from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.plan import load_plans
from engine.settings import Settings

MARKET = "reno"
LISTING = Listing(
    property_type="Residential",
    property_sub_type="Single Family Residence",
    list_price=450_000,
    living_area=1_800,
    public_remarks="A quiet house with a fenced yard and a garage.",
)


@pytest.fixture(scope="module")
def serving(settings: Settings) -> Iterator[Settings]:
    """The packaged embedder and recommender, live, in applications of their own."""
    from ray import serve
    from ray.serve.config import ProxyLocation

    from serve_apps.scoring.directory import build

    asyncio.run(_seed(settings))
    serve.start(proxy_location=ProxyLocation.Disabled)
    for app in ("embedder", "recommender"):
        serve.run(build(app, settings), name=app, route_prefix=None)
    yield settings
    serve.shutdown()


async def _seed(settings: Settings) -> None:
    from serve_apps.scoring.registering import seed, store_of

    pool = await open_pool(settings.database_url, application="tests", size_max=1)
    await pool.execute(
        "INSERT INTO markets (market, name, time_zone) VALUES ($1, 'Reno', 'America/Los_Angeles')"
        " ON CONFLICT DO NOTHING",
        MARKET,
    )
    for name in ("embedder", "recommender"):
        await seed(pool, store_of(settings), name)
    await pool.close()


async def test_a_lead_is_recommended_with_its_vector_and_not_when_it_is_sold(
    serving: Settings,
) -> None:
    from actors.served_models import RECOMMENDER, ServedApp, ServedRecommends

    app = ServedApp(RECOMMENDER, 5.0)
    model = ServedRecommends(app)
    pool = await open_pool(serving.database_url, application="tests", size_max=1)
    user_id = f"user-{secrets.token_hex(6)}"
    await pool.execute(
        "INSERT INTO users (user_id, email, full_name, password_hash)"
        " VALUES ($1, $1 || '@example.com', 'A Buyer', 'x')",
        user_id,
    )
    await pool.execute("INSERT INTO wallets VALUES ($1, 1000)", user_id)
    asked = RecommendationAsked("nobody", (MARKET,), 10)

    async def shown() -> set[str]:
        try:
            answered: Recommended = await model.recommend(asked)
        except ModelUnavailable:
            return set()
        assert answered.version == 1
        return {pick.lead_id for pick in answered.picks}

    async def until(holds: Callable[[set[str]], bool]) -> None:
        for _ in range(1_200):
            if holds(await shown()):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"still recommended after a minute: {await shown()}")

    book = LeadBook(MARKET, serving.database_url, serving.redis_url, load_plans())
    await book.start()
    try:
        leads = [f"lead-{secrets.token_hex(6)}" for _ in range(2)]
        for lead_id in leads:
            await _tell(book, c.ListLead(lead_id, 10, 1, LISTING))
        await until(lambda found: found >= set(leads))
        for _ in range(1_200):
            status = (await app.call("status"))["leads"]
            if status["with_vector"] >= len(leads):
                break
            await asyncio.sleep(0.05)
        assert (status["with_vector"], status["embedder_version"]) == (len(leads), 1)
        similar = await model.similar(SimilarAsked(user_id, leads[0], 5))
        assert [pick.lead_id for pick in similar.picks] == [leads[1]]
        assert "described alike" in similar.picks[0].reasons
        await _tell(book, c.Buy(leads[0], user_id, secrets.token_hex(8)))
        await until(lambda found: leads[0] not in found and leads[1] in found)
    finally:
        await book.stop()
        await pool.close()


async def _tell(book: LeadBook, command: c.Command) -> None:
    from actors.client import MarketClient

    async def transport(_: str, payload: bytes) -> bytes:
        return await book.submit(payload)

    await MarketClient(transport).submit(MARKET, command)
