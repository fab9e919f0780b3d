"""Documents read for a market: what goes to the desk, what belongs elsewhere, what fails."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import msgspec
import pytest

from actors.page_tasks import RECORDS_PER_CALL, Batch, PageReader, Reading
from actors.sorting import is_shared
from engine.adapters.postgres.fetched_pages import note_pages
from engine.intake.document import Document, Parsed
from engine.intake.prepared import Prepared
from engine.intake.readings import content_hash
from engine.intake.record import Rejected, Signal, SourceRecord
from engine.market.answers import Contact
from engine.market_directory import load_markets
from engine.settings import Settings
from engine.source_directory import Source
from tests.adapters.openai.model_server import ModelServer, says
from tests.adapters.sources.loopback import served

MARKETS = load_markets(None)
PLACES = {"austin": (30.27, -97.74, "TX"), "dallas": (32.78, -96.80, "TX")}
SHARED = Source(name="gazette", parser="feed", fetch="documents", address="http://a.example/")
OWN = Source(name="gazette", parser="feed", fetch="index", address="http://a.example/")

_decode = msgspec.msgpack.Decoder(tuple[list[Prepared], list[Rejected]]).decode


def home(number: int, place: str = "austin", **more: object) -> SourceRecord:
    latitude, longitude, state = PLACES[place]
    given = {
        "title": "A home",
        "state_or_province": state,
        "contact": Contact(latitude=latitude, longitude=longitude),
    } | more
    return SourceRecord(source="gazette", source_id=str(number), content_hash=f"h{number}", **given)  # type: ignore[arg-type]


def unusable(number: int) -> Rejected:
    return Rejected(source="gazette", source_id=f"r{number}", reason="no-price", detail="none")


class Reader:
    """Reads documents whose content names what is in them."""

    def __init__(self, settings: Settings, source: Source, **contents: list[Parsed]) -> None:
        self.settings = settings
        self.source = source
        self.contents = contents

    def _parse(self, document: Document) -> Iterator[Parsed]:
        for each in self.contents[document.content.decode()]:
            if isinstance(each, str):
                raise ValueError(each)
            yield each

    async def read(
        self, market: str = "austin", *, tokens: int = 0
    ) -> tuple[list[Prepared], list[Rejected], list[Reading]]:
        documents = tuple(
            Document(url=f"http://a.example/{name}", content=name.encode())
            for name in self.contents
        )
        reader = PageReader(self.settings, self.source, market, MARKETS, self._parse)
        records: list[Prepared] = []
        rejected: list[Rejected] = []
        readings: list[Reading] = []
        async for payload, reading in reader.read(Batch(documents=documents), tokens):
            told = _decode(payload) if payload else ([], [])
            assert (len(told[0]), len(told[1])) == (reading.records, reading.rejected)
            records += told[0]
            rejected += told[1]
            readings.append(reading)
        return records, rejected, readings


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(_env_file=None, database_url=database_url, captures=None)


@pytest.mark.parametrize(
    ("source", "replay", "captures", "shared"),
    [
        (OWN, False, False, False),
        (SHARED, False, False, True),
        (
            msgspec.structs.replace(SHARED, address="http://a.example/{market}/"),
            False,
            False,
            False,
        ),
        (msgspec.structs.replace(SHARED, markets=("austin",)), False, False, False),
        (SHARED, True, False, False),
        (SHARED, True, True, True),
        (Source(name="upload", parser="feed", fetch="uploads"), True, True, False),
    ],
)
def test_which_documents_several_markets_read(
    source: Source, replay: bool, captures: bool, shared: bool, settings: Settings
) -> None:
    more = {"replay_url": "http://127.0.0.1:1" if replay else "", "captures": None}
    if captures:
        more["captures"] = "."
    assert is_shared(source, settings.model_copy(update=more)) is shared


async def test_a_shared_document_gives_each_market_its_own(settings: Settings) -> None:
    reader = Reader(settings, SHARED, table=[home(1), home(2, "dallas"), home(3)])
    for market, ids in (("austin", ["1", "3"]), ("dallas", ["2"])):
        records, rejected, [reading] = await reader.read(market)
        assert [record.source_id for record in records] == ids
        assert rejected == []
        assert reading.elsewhere == 3 - len(ids)
        assert [page.url for page in reading.pages] == ["http://a.example/table"]


async def test_what_stands_on_a_markets_own_site_but_elsewhere_is_refused(
    settings: Settings,
) -> None:
    _, [rejected], [reading] = await Reader(settings, OWN, page=[home(2, "dallas")]).read()
    assert rejected.reason == "out-of-market"
    assert "dallas" in rejected.detail
    assert reading.elsewhere == 0


async def test_what_no_market_can_use_is_kept_by_the_first_that_reads_it(
    settings: Settings,
) -> None:
    reader = Reader(settings, SHARED, strays=[unusable(1), home(1), unusable(2)])
    _, rejected, [reading] = await reader.read("austin")
    assert len(rejected) == 2
    connection = await asyncpg.connect(settings.database_url)
    await note_pages(connection, "gazette", "austin", "run", reading.pages)
    await connection.close()
    assert reading.pages[0].content_hash == content_hash(b"strays")
    _, rejected, [reading] = await reader.read("dallas")
    assert rejected == []
    assert reading.elsewhere == 3
    _, rejected, _ = await reader.read("austin")
    assert len(rejected) == 2


async def test_a_long_document_leaves_in_calls_that_the_desk_takes(settings: Settings) -> None:
    many: list[Parsed] = [home(n) if n % 2 else unusable(n) for n in range(5 * RECORDS_PER_CALL)]
    records, rejected, readings = await Reader(settings, SHARED, long=many).read()
    assert len(records) == len(rejected) == len(many) // 2
    assert all(reading.records + reading.rejected <= 1_000 for reading in readings)
    # Its page counts as read with its last records.
    assert [bool(reading.pages) for reading in readings] == [False] * (len(readings) - 1) + [True]


async def test_a_parser_that_raises_costs_its_page(settings: Settings) -> None:
    contents: dict[str, list[Parsed]] = {
        "good": [home(1)],
        "bad": [home(2), "a parser's bug"],  # type: ignore[list-item]
        "fine": [home(3)],
    }
    records, _, [reading] = await Reader(settings, OWN, **contents).read()
    assert [record.source_id for record in records] == ["1", "2", "3"]
    assert [page.url for page in reading.pages] == [
        "http://a.example/good",
        "http://a.example/fine",
    ]
    [failed] = reading.failed
    assert (failed.url, failed.reason) == ("http://a.example/bad", "parser-failed")
    assert "a parser's bug" in failed.detail


async def test_signals_are_kept_and_are_no_leads(settings: Settings) -> None:
    signals: list[Parsed] = [
        Signal(source="gazette", source_id=str(n), kind="company", market=market, facts={"n": n})
        for n, market in enumerate(("austin", None, "dallas"))
    ]
    reader = Reader(settings, OWN, network=signals)
    for _ in range(2):
        records, rejected, [reading] = await reader.read()
        assert (records, rejected, reading.signals) == ([], [], 2)
    connection = await asyncpg.connect(settings.database_url)
    rows = await connection.fetch("SELECT source_id FROM signals WHERE source = 'gazette'")
    await connection.close()
    assert {row[0] for row in rows} == {"0", "1"}


async def test_an_invented_contact_is_for_captures_alone(settings: Settings) -> None:
    replayed = settings.model_copy(update={"captures": ".", "replay_url": "http://127.0.0.1:1"})
    for each, invented in ((settings, False), (replayed, True)):
        [record], _, [reading] = await Reader(each, OWN, page=[home(1)]).read()
        assert record.contact.is_invented is invented
        assert reading.filled["phone"] == 0


async def test_the_model_repairs_within_the_tasks_budget(settings: Settings) -> None:
    nothing = dict.fromkeys(["bathrooms_total_integer", "living_area", "year_built"])
    stated = home(1, remarks="A quiet home with three bedrooms and a yard", title="Home")
    server = ModelServer(says({**nothing, "bedrooms_total": 3}, tokens=700))
    async with served(server.app) as address:
        asking = settings.model_copy(
            update={
                "openai_api_key": Settings(_env_file=None, openai_api_key="k").openai_api_key,
                "openai_url": f"{address}/v1",
            }
        )
        reader = Reader(asking, OWN, page=[stated])
        _, _, [unasked] = await reader.read(tokens=0)
        assert (server.asked, unasked.tokens) == ([], 0)
        _, _, [asked] = await reader.read(tokens=20_000)
    assert len(server.asked) == 1
    assert asked.tokens == 700
