"""Recommendations in step with a real market: what comes, what goes, and what is remembered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from actors import recommending as module
from actors import vector_filler
from actors.lead_shelves import LeadShelves
from actors.models import Embedded, ModelUnavailable, RecommendationAsked, SimilarAsked
from actors.recommending import Recommending
from engine.adapters.postgres import lead_vectors, recommendable, shelf_journal, tastes
from engine.adapters.postgres.shelf_journal import OnOffer
from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter, StandingTerms
from models_ml.recommend.reasons import ASKED
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


async def test_a_text_that_changes_while_it_is_embedded_is_embedded_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = await stand.start()
    await until(lambda: by.filler.is_filling)
    embed, hear = stand.embedder.embed, by.filler.heard
    times = 0

    def count(lead_ids: Iterable[str]) -> None:
        nonlocal times
        told = list(lead_ids)
        times += bool(told)
        hear(told)

    monkeypatch.setattr(by.shelves, "_said", count)
    changed = msgspec.structs.replace(LISTING, public_remarks="Now with a pool.")

    async def while_it_changes(texts: list[str], role: str) -> Embedded:
        if not any("pool" in text for text in texts):
            before = times
            await stand.tell(c.UpdateLead(lead, changed))
            await until(lambda: times > before)
        return await embed(texts, role)

    monkeypatch.setattr(stand.embedder, "embed", while_it_changes)
    lead = await stand.lead()
    await until(lambda: any("pool" in text for text in stand.embedder.texts))


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


async def test_what_came_while_the_database_was_away_is_not_lost(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted: list[str] = []
    shelves = LeadShelves(acted=acted.extend)
    await shelves.load(stand.house.pool)
    lead, ann = await stand.lead(seats=2), await stand.house.buyer()
    await stand.tell(c.Hold(lead, ann, "15m"))
    read = shelf_journal.some_on_offer

    async def away(pool: asyncpg.Pool, lead_ids: list[str]) -> list[OnOffer]:
        raise OSError("away")

    monkeypatch.setattr(shelf_journal, "some_on_offer", away)
    with pytest.raises(OSError, match="away"):
        await shelves.follow(stand.house.pool)
    assert lead not in shelves
    assert acted == [ann]
    monkeypatch.setattr(shelf_journal, "some_on_offer", read)
    await shelves.follow(stand.house.pool)
    assert lead in shelves


async def test_what_went_between_two_loads_is_forgotten(stand: Stand) -> None:
    shelves = LeadShelves()
    gone, kept = await stand.lead(), await stand.lead()
    await shelves.load(stand.house.pool)
    await stand.tell(c.Withdraw(gone, "sold elsewhere"))
    await shelves.load(stand.house.pool)
    assert (gone in shelves, kept in shelves) == (False, True)


async def test_a_taste_of_another_version_is_not_compared(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.embedder.dimensions = {2: 64}
    by = await stand.start()
    leads, ann = [await stand.lead(seats=3) for _ in range(4)], await stand.house.buyer()
    await stand.tell(c.Buy(leads[0], ann, secrets.token_hex(8)))
    await until(has_vector(by, *leads))
    read = tastes.mine

    async def swapped_meanwhile(pool: asyncpg.Pool, user_id: str) -> frozenset[str]:
        stand.embedder.versions = {"live": 2}
        await until(lambda: by.shelves.version == 2)
        return await read(pool, user_id)

    monkeypatch.setattr(tastes, "mine", swapped_meanwhile)
    assert set(await stand.shown(by, ann)) == set(leads[1:])
    stand.embedder.versions = {"live": 1}
    await until(lambda: by.shelves.version == 1)
    with pytest.raises(ModelUnavailable, match="swapped"):
        await by.similar(SimilarAsked(ann, leads[1], 5), STARTING)
    monkeypatch.setattr(tastes, "mine", read)
    assert set(await stand.shown(by, ann)) == set(leads[1:])


async def test_a_taste_that_was_read_while_its_buyer_acted_is_not_kept(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = await stand.start()
    bought, other = await stand.lead(seats=3), await stand.lead()
    await until(lambda: bought in by.shelves and other in by.shelves)
    ann, read, acted = await stand.house.buyer(), tastes.mine, by.shelves._acted
    seen = asyncio.Event()

    def noted(user_ids: set[str]) -> None:
        acted(user_ids)
        if ann in user_ids:
            seen.set()

    async def acting_meanwhile(pool: asyncpg.Pool, user_id: str) -> frozenset[str]:
        found = await read(pool, user_id)
        await stand.tell(c.Buy(bought, ann, secrets.token_hex(8)))
        await asyncio.wait_for(seen.wait(), 10)
        return found

    monkeypatch.setattr(by.shelves, "_acted", noted)
    monkeypatch.setattr(tastes, "mine", acting_meanwhile)
    assert set(await stand.shown(by, ann)) == {bought, other}
    monkeypatch.setattr(tastes, "mine", read)
    assert await stand.shown(by, ann) == [other]


async def test_the_database_is_away_and_comes_back(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = await stand.start()
    lead = await stand.lead()
    await until(lambda: lead in by.shelves)
    known, unknown = await stand.house.buyer(), await stand.house.buyer()
    assert await stand.shown(by, known) == [lead]

    refused = asyncio.Event()

    async def away(pool: asyncpg.Pool, *_: object) -> None:
        refused.set()
        raise asyncpg.CannotConnectNowError("starting up")

    with monkeypatch.context() as broken:
        broken.setattr(shelf_journal, "after", away)
        broken.setattr(tastes, "acts", away)
        # Who is known is answered from memory, and the API looks at every lead once more.
        assert await stand.shown(by, known) == [lead]
        with pytest.raises(ModelUnavailable, match="no taste"):
            await stand.shown(by, unknown)
        refused.clear()
        await asyncio.wait_for(refused.wait(), 10)
        new = await stand.lead()
        await asyncio.sleep(0.3)
        assert new not in by.shelves
        assert by.is_following
    await until(lambda: new in by.shelves)
    assert set(await stand.shown(by, unknown)) == {lead, new}


async def test_a_standing_order_is_a_wish_in_its_market(stand: Stand) -> None:
    by = await stand.start()
    house = msgspec.structs.replace(LISTING, property_sub_type="Single Family Residence")
    land = msgspec.structs.replace(LISTING, property_type="Land", property_sub_type=None)
    asked, other = await stand.lead(listing=land), await stand.lead(listing=house)
    ann = await stand.house.buyer()
    wanted = StandingTerms(
        name="land", price_max=30, filter=StandingFilter(property_type=("Land",))
    )
    await stand.tell(c.PlaceStanding(f"so-{secrets.token_hex(6)}", ann, wanted))
    await until(lambda: asked in by.shelves and other in by.shelves)
    picks = await by.recommend(RecommendationAsked(ann, (stand.house.market,), 5), STARTING)
    assert [(pick.lead_id, ASKED in pick.reasons) for pick in picks] == [
        (asked, True),
        (other, False),
    ]


_LEADS, _BUYERS = 4, 2
_done = st.lists(
    st.tuples(
        st.sampled_from(
            ["hold", "release", "buy", "withdraw", "quarantine", "approve", "update", "relist"]
        ),
        st.integers(0, _LEADS - 1),
        st.integers(0, _BUYERS - 1),
    ),
    min_size=6,
    max_size=20,
)


@examples(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_done)
async def test_whatever_happened_nothing_unavailable_is_answered(
    stand: Stand, done: list[tuple[str, int, int]]
) -> None:
    """At every moment of what is shown; and when it has caught up, all that is on offer is."""
    by = stand.running[0] if stand.running else await stand.start()
    leads = [await stand.lead(seats=1 + n % 2) for n in range(_LEADS)]
    buyers = [await stand.house.buyer() for _ in range(_BUYERS)]
    for what, lead, buyer in done:
        await stand.tell(_command(what, leads[lead], buyers[buyer]))
        for user_id in buyers:
            assert set(await _answered(stand, by, user_id)) <= await _open(stand, user_id)
    for user_id in buyers:
        wanted = await _open(stand, user_id)
        async with asyncio.timeout(10):
            while set(await stand.shown(by, user_id)) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    for lead_id in leads:
        await stand.tell(c.Withdraw(lead_id, "the end"))


def _command(what: str, lead_id: str, user_id: str) -> c.Command:
    """What is not allowed just then is refused by the book, and changes nothing."""
    changed = msgspec.structs.replace(LISTING, quality=0.9)
    return {
        "hold": c.Hold(lead_id, user_id, "15m"),
        "release": c.Release(lead_id, user_id),
        "buy": c.Buy(lead_id, user_id, secrets.token_hex(8)),
        "withdraw": c.Withdraw(lead_id, "sold elsewhere"),
        "quarantine": c.Quarantine(lead_id, "scam"),
        "approve": c.Approve(lead_id),
        "update": c.UpdateLead(lead_id, changed),
        "relist": c.Relist(lead_id),
    }[what]


async def _answered(stand: Stand, by: Recommending, user_id: str) -> list[str]:
    """As the API answers: what the recommender says, looked at once more."""
    ranked = await stand.shown(by, user_id)
    teasers = await recommendable.available(stand.house.pool, ranked, user_id)
    return [lead_id for lead_id in ranked if lead_id in teasers]


async def _open(stand: Stand, user_id: str) -> set[str]:
    """What the buyer could have now, by the tables."""
    rows = await stand.house.pool.fetch(
        "SELECT lead_id FROM lead_trading t JOIN leads l USING (lead_id) WHERE l.market = $1"
        " AND t.lead_state = 'available'"
        " AND lead_id NOT IN (SELECT lead_id FROM orders WHERE user_id = $2)"
        " AND lead_id NOT IN (SELECT lead_id FROM seats WHERE user_id = $2)",
        stand.house.market,
        user_id,
    )
    return {row[0] for row in rows}
