"""A partner's file on its way to the market: approved, taken by a run, listed, and once only."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from actors.intake_desk import IntakeDesk
from actors.intake_turn import Counts
from actors.page_tasks import Batch, PageReader, Reading
from actors.source_run import Progress, SourceRun
from engine.adapters.postgres import uploads
from engine.adapters.postgres.pool import open_pool
from engine.adapters.sources.parsers import open_parsers
from engine.adapters.upload_check import check_document
from engine.mapping_directory import load_mappings
from engine.market_directory import load_markets
from engine.settings import Settings
from engine.source_directory import load_sources
from tests.actors.trading_house import CANARY, TradingHouse

SOURCE = load_sources()["upload"]
FILE = (
    "id,street_address,city,state,zip,list_price,contact_name,contact_phone\n"
    f"1,12 Oak St,Austin,TX,78701,350000,{CANARY},(512) 555-0142\n"
    f"2,14 Oak St,Austin,TX,78701,360000,{CANARY},(512) 555-0143\n"
    f"3,Unknown,Austin,TX,78701,1,{CANARY},\n"
).encode()


class UploadDesk:
    """The ports of a run of `upload`, in this process."""

    def __init__(self, house: TradingHouse, desk: IntakeDesk, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._house = house
        self._desk = desk
        self._settings = Settings(_env_file=None, database_url=house.database_url, captures=None)
        austin = load_markets()["austin"]._replace(slug=house.market)
        self.markets = {house.market: austin}
        self.upload_ids: list[str] = []

    async def discover(self, walk: dict[str, Any]) -> AsyncGenerator[Batch]:
        async for upload_id, document in uploads.approved(self.pool, self._house.market):
            self.upload_ids.append(upload_id)
            yield Batch(documents=(document,))

    async def read(self, batch: Batch) -> AsyncGenerator[tuple[Any, Reading]]:
        parse = open_parsers(self._settings)["feed"]
        reader = PageReader(self._settings, SOURCE, self._house.market, self.markets, parse)
        async for found in reader.read(batch):
            yield found

    async def take(self, payload: Any) -> Counts:
        return msgspec.msgpack.decode(await self._desk.take_encoded(payload), type=Counts)

    async def run(self) -> Progress:
        progress = await SourceRun(self.pool, SOURCE, self._house.market, self).run()
        if progress.error is None:
            await uploads.note_taken(self.pool, self.upload_ids, progress.run_id)
        return progress


@pytest.fixture
async def desk(house: TradingHouse) -> AsyncIterator[UploadDesk]:
    await house.book()
    intake = IntakeDesk(house.market, house.database_url, house.client)
    await intake.start()
    pool = await open_pool(house.database_url, application="test")
    yield UploadDesk(house, intake, pool)
    await pool.close()
    await intake.stop()


async def hand_in(house: TradingHouse, desk: UploadDesk, upload_id: str, user_id: str) -> None:
    """Keep the file as the API does, and approve it."""
    given: dict[str, Any] = {
        "upload_id": f"{house.market}-{upload_id}",
        "user_id": user_id,
        "market": house.market,
        "media_type": "text/csv",
        "mapping": None,
    }
    document = uploads.document_of(FILE, **given, uploaded_us=1_770_000_000_000_000)
    checked = check_document(document, load_mappings(), desk.markets)
    assert (checked.records, checked.rejected) == (2, 1)
    async with desk.pool.acquire() as connection, connection.transaction():
        kept = await uploads.keep(
            connection,
            **given,
            filename=None,
            content=FILE,
            counts=msgspec.to_builtins(checked),
        )
        assert kept is not None
        decided = await uploads.decide(
            connection,
            kept.upload_id,
            approve=True,
            decided_by="admin",
            note=None,
            run_id=f"{house.market}-run-{upload_id}",
        )
        assert decided is not None


async def test_an_approved_file_is_listed_once(house: TradingHouse, desk: UploadDesk) -> None:
    assert (await desk.run()).counts == Counts()
    await hand_in(house, desk, "one", "user-1")
    done = await desk.run()
    assert done.error is None
    assert (done.counts.new, done.counts.rejected) == (2, 1)
    leads = await house.pool.fetch(
        "SELECT sources, list_price FROM leads WHERE market = $1 ORDER BY list_price", house.market
    )
    assert [(lead["sources"], lead["list_price"]) for lead in leads] == [
        (["upload"], 350_000),
        (["upload"], 360_000),
    ]
    kept = await house.pool.fetch(
        "SELECT source_id, licence FROM source_records WHERE market = $1 AND lead_id IS NOT NULL",
        house.market,
    )
    assert {row["licence"] for row in kept} == {"upload:user-1"}
    assert {row["source_id"] for row in kept} == {"user-1:1", "user-1:2"}
    upload = await house.pool.fetchrow(
        "SELECT state, content, run_id FROM uploads WHERE market = $1", house.market
    )
    assert (upload["state"], upload["content"], upload["run_id"]) == ("taken", None, done.run_id)
    assert (await desk.run()).counts == Counts()


async def test_the_same_homes_of_two_partners_are_one_lead_each(
    house: TradingHouse, desk: UploadDesk
) -> None:
    for name in ("one", "two"):
        await hand_in(house, desk, name, f"user-{name}")
    done = await desk.run()
    assert (done.counts.new, done.counts.merged) == (2, 2)
    assert done.drift == []
