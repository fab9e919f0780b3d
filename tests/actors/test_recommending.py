"""Recommendations in step with a real market: what comes, what goes, and what is remembered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from actors import recommending as module
from actors import vector_filler
from actors.models import ModelUnavailable, RecommendationAsked, SimilarAsked
from actors.recommending import Recommending
from engine.adapters.postgres import lead_vectors
from engine.market import commands as c
from engine.market.listing import Listing
from models_ml.recommend.settings import STARTING
from tests.actors.embedders import HashingEmbedder
from tests.actors.trading_house import TradingHouse

LISTING = Listing(
    property_type="Residential",
    property_sub_type="Condominium",
    list_price=300_000,
    living_area=900,
    latitude=30.27,
    longitude=-97.74,
    quality=0.5,
    public_remarks="A bright home with a patio.",
)


class Stand:
    """A market with a book, and a recommender beside it."""

    def __init__(self, house: TradingHouse) -> None:
        self.house = house
        self.embedder = HashingEmbedder()
        self.running: list[Recommending] = []

    async def start(self) -> Recommending:
        started = Recommending(self.house.database_url, self.embedder, self.embedder.wanted)
        await started.start()
        self.running.append(started)
        await until(lambda: bool(started.stats()["is_loaded"]))
        return started

    async def stop(self) -> None:
        for started in self.running:
            await started.stop()
        self.running.clear()

    async def lead(self, seats: int = 1, listing: Listing = LISTING) -> str:
        lead_id = f"lead-{secrets.token_hex(6)}"
        await self.house.client.submit(self.house.market, c.ListLead(lead_id, 10, seats, listing))
        return lead_id

    async def tell(self, command: c.Command) -> None:
        await self.house.client.submit(self.house.market, command)

    async def shown(self, by: Recommending, user_id: str = "nobody") -> list[str]:
        asked = RecommendationAsked(user_id, (self.house.market,), 50)
        return [pick.lead_id for pick in await by.recommend(asked, STARTING)]


@pytest.fixture
async def stand(house: TradingHouse, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    for name, seconds in (("FOLLOW", 0.02), ("VIEWS", 0.1), ("VERSIONS", 0.1), ("AWAY", 0.1)):
        monkeypatch.setattr(module, f"{name}_SECONDS", seconds)
    for name in ("LOCK", "IDLE", "AWAY"):
        monkeypatch.setattr(vector_filler, f"{name}_SECONDS", 0.05)
    await house.book()
    stand = Stand(house)
    try:
        yield stand
    finally:
        await stand.stop()


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def has_vector(by: Recommending, *lead_ids: str) -> Callable[[], bool]:
    def holds() -> bool:
        shelves = by.shelves.shelves.values()
        return all(any(lead_id in shelf.index for shelf in shelves) for lead_id in lead_ids)

    return holds


async def test_a_new_lead_is_recommended_and_a_taken_one_is_not(stand: Stand) -> None:
    by = await stand.start()
    kept, sold, held, gone, hidden = [await stand.lead() for _ in range(5)]
    await until(lambda: all(each in by.shelves for each in (kept, sold, held, gone, hidden)))
    assert set(await stand.shown(by)) >= {kept, sold, held, gone, hidden}
    ann = await stand.house.buyer()
    await stand.tell(c.Buy(sold, ann, secrets.token_hex(8)))
    await stand.tell(c.Hold(held, ann, "15m"))
    await stand.tell(c.Withdraw(gone, "sold elsewhere"))
    await stand.tell(c.Quarantine(hidden, "scam"))
    await until(lambda: not any(each in by.shelves for each in (sold, held, gone, hidden)))
    assert await stand.shown(by) == [kept]
    await stand.tell(c.Release(held, ann))
    await stand.tell(c.Approve(hidden))
    await until(lambda: held in by.shelves and hidden in by.shelves)
    await until(has_vector(by, kept, held, hidden))


async def test_what_a_buyer_has_is_not_recommended_to_him(stand: Stand) -> None:
    by = await stand.start()
    bought, held, other = [await stand.lead(seats=3) for _ in range(3)]
    ann, bob = [await stand.house.buyer() for _ in range(2)]
    await until(lambda: all(each in by.shelves for each in (bought, held, other)))
    assert set(await stand.shown(by, ann)) == {bought, held, other}
    await stand.tell(c.Buy(bought, ann, secrets.token_hex(8)))
    await stand.tell(c.Hold(held, ann, "15m"))
    async with asyncio.timeout(10):
        while await stand.shown(by, ann) != [other]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert set(await stand.shown(by, bob)) == {bought, held, other}


async def test_a_restart_embeds_nothing_again_and_a_changed_text_once(stand: Stand) -> None:
    by = await stand.start()
    leads = [await stand.lead() for _ in range(3)]
    await until(has_vector(by, *leads))
    await stand.stop()
    stand.embedder.texts.clear()
    again = await stand.start()
    await until(lambda: again.filler.is_filling)
    assert has_vector(again, *leads)()
    changed = msgspec.structs.replace(LISTING, public_remarks="Now with a pool.")
    await stand.tell(c.UpdateLead(leads[0], changed))
    await until(lambda: len(stand.embedder.texts) == 1)
    assert "pool" in stand.embedder.texts[0]
    # News that change no word of the text need no new vector.
    await stand.tell(c.UpdateLead(leads[1], msgspec.structs.replace(LISTING, quality=0.9)))
    new = await stand.lead(listing=changed)
    await until(has_vector(again, new))
    assert len(stand.embedder.texts) == 2


async def test_without_the_embedder_facts_recommend_and_vectors_come_later(stand: Stand) -> None:
    stand.embedder.is_away = True
    by = await stand.start()
    lead = await stand.lead()
    await until(lambda: lead in by.shelves)
    assert await stand.shown(by) == [lead]
    assert not has_vector(by, lead)()
    stand.embedder.is_away = False
    await until(has_vector(by, lead))


async def test_a_new_version_is_used_when_it_covers_what_is_on_offer(stand: Stand) -> None:
    by = await stand.start()
    leads = [await stand.lead() for _ in range(4)]
    await until(has_vector(by, *leads))
    stand.embedder.versions = {"live": 1, "shadow": 2}
    async with asyncio.timeout(10):
        while len(await lead_vectors.digests(stand.house.pool, 2, leads)) < len(leads):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert by.shelves.version == 1
    stand.embedder.versions = {"live": 2}
    await until(lambda: by.shelves.version == 2)
    assert has_vector(by, *leads)()


async def test_only_one_of_several_fills(stand: Stand) -> None:
    one, two = await stand.start(), await stand.start()
    await until(lambda: one.filler.is_filling or two.filler.is_filling)
    leads = [await stand.lead() for _ in range(3)]
    await until(has_vector(one, *leads))
    await until(has_vector(two, *leads))
    assert [one.filler.is_filling, two.filler.is_filling].count(True) == 1
    assert min(one.filler.written, two.filler.written) == 0


async def test_similar_leads_are_found_for_one_that_is_sold(stand: Stand) -> None:
    by = await stand.start()
    sold, like = await stand.lead(), await stand.lead()
    ann = await stand.house.buyer()
    await stand.tell(c.Buy(sold, ann, secrets.token_hex(8)))
    await until(lambda: sold not in by.shelves and like in by.shelves)
    found = await by.similar(SimilarAsked(ann, sold, 5), STARTING)
    assert [pick.lead_id for pick in found] == [like]
    assert "the same kind of home" in found[0].reasons
    with pytest.raises(ModelUnavailable, match="not known"):
        await by.similar(SimilarAsked(ann, "nothing", 5), STARTING)


async def test_it_is_away_until_it_has_loaded(house: TradingHouse) -> None:
    embedder = HashingEmbedder()
    by = Recommending(house.database_url, embedder, embedder.wanted)
    with pytest.raises(ModelUnavailable, match="still being read"):
        await by.recommend(RecommendationAsked("ann", (house.market,), 5), STARTING)
