"""The replay site: every source from captures or the sample world, politely."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from engine.adapters.sources.replay_documents import CapturedDocuments, SampleDocuments
from engine.adapters.sources.replay_posts import CapturedPosts, SamplePosts
from engine.adapters.sources.replay_site import main, replay_site
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

MARKETS = load_markets()
NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def sample_site(homes: int) -> Starlette:
    world = SampleWorld(3, homes, list(MARKETS.values()))
    return replay_site(SamplePosts(world, NOW), SampleDocuments(world, NOW))


def captured_site(folder: Path) -> Starlette:
    return replay_site(CapturedPosts(folder), CapturedDocuments(folder))


def asking(site: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://replay")


@pytest.fixture
async def sample() -> AsyncIterator[httpx.AsyncClient]:
    async with asking(sample_site(200)) as client:
        yield client


async def test_a_manifest_leads_to_documents(sample: httpx.AsyncClient) -> None:
    listed = (await sample.get("/sources/redfin/austin/")).json()["documents"]
    assert listed
    world = SampleWorld(3, 200, list(MARKETS.values()))
    contents = [content for _, _, content in world.documents("redfin", "austin")]
    for each, content in zip(listed, contents, strict=True):
        answer = await sample.get(f"/sources/redfin/austin/{each['url']}")
        assert answer.content == content
        assert answer.headers["content-type"] == each["media_type"]


async def test_every_document_is_conditional(sample: httpx.AsyncClient) -> None:
    index = (await sample.get("/sources/craigslist/dallas/")).text
    post = index.partition('href="')[2].partition('"')[0]
    manifest = (await sample.get("/sources/zillow/dallas/")).json()
    table = f"/sources/zillow/dallas/{manifest['documents'][0]['url']}"
    for path in (post, table):
        first = await sample.get(path)
        assert first.headers["last-modified"] == "Fri, 01 May 2026 12:00:00 GMT"
        for header, name in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
            again = await sample.get(path, headers={header: first.headers[name]})
            assert (again.status_code, again.content) == (304, b"")
        changed = await sample.get(path, headers={"If-None-Match": '"other"'})
        assert changed.content == first.content


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sources/craigslist/atlantis/", 404), ("/sources/craigslist/dallas/posts/1.html", 404),
     ("/sources/craigslist/dallas/posts/abc.html", 404),
     ("/sources/craigslist/dallas/posts/..%2f..%2fx.html", 404),
     ("/sources/craigslist/dallas/?s=-1", 400),
     ("/sources/craigslist/dallas/?s=99999999999", 400),
     ("/sources/zillow/dallas/files/none.csv", 404), ("/sources/none/dallas/files/x", 404)],
)  # fmt: skip
async def test_what_it_has_not_is_refused(
    sample: httpx.AsyncClient, path: str, status: int
) -> None:
    assert (await sample.get(path)).status_code == status


async def test_sources_and_markets_it_does_not_know_list_nothing(
    sample: httpx.AsyncClient,
) -> None:
    for path in ("/sources/none/dallas/", "/sources/zillow/atlantis/"):
        assert (await sample.get(path)).json() == {"documents": []}
    assert "Allow: /" in (await sample.get("/robots.txt")).text


async def test_a_source_may_be_a_service_of_its_own() -> None:
    world = SampleWorld(3, 8, list(MARKETS.values()))

    async def root(request: httpx.Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["market"])  # type: ignore[attr-defined]

    service = Starlette(routes=[Route("/{market}/", root)])
    site = replay_site(SamplePosts(world, NOW), SampleDocuments(world, NOW), {"mls": service})
    async with asking(site) as client:
        assert (await client.get("/sources/mls/austin/")).text == "austin"
        assert "documents" in (await client.get("/sources/zillow/austin/")).text


async def test_captured_files_belong_to_their_sources(tmp_path: Path) -> None:
    for name in ("zillow/a_20260105.csv", "zillow/api/b_20250101.json", "zillow/notes.txt",
                 "zumper/fort-worth_2023-01.csv", "zumper/austin_2023-01.csv",
                 "craigslist/search_rows/x.csv", "secret.csv"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    async with asking(captured_site(tmp_path)) as client:

        async def listed(source: str, market: str) -> list[str]:
            found = (await client.get(f"/sources/{source}/{market}/")).json()["documents"]
            return [each["url"] for each in found]

        oldest_first = ["files/zillow/api/b_20250101.json", "files/zillow/a_20260105.csv"]
        assert await listed("zillow", "dallas") == await listed("zillow", "austin") == oldest_first
        assert await listed("dallas", "dallas") == ["files/zumper/fort-worth_2023-01.csv"]
        assert await listed("austin", "austin") == ["files/zumper/austin_2023-01.csv"]
        assert await listed("redfin", "austin") == []
        one = await client.get(f"/sources/zillow/austin/{oldest_first[0]}")
        assert one.text == "zillow/api/b_20250101.json"
        for name in ("secret.csv", "zillow/notes.txt", "zillow/../secret.csv", "%2fetc%2fhosts"):
            assert (await client.get(f"/sources/zillow/austin/files/{name}")).status_code == 404


async def test_captured_posts_are_served_as_they_are(captures: Path) -> None:
    folder = captures / "craigslist" / "posts_html" / "lasvegas"
    name = sorted(path.name for path in folder.glob("*.html"))[0]
    async with asking(captured_site(captures)) as client:
        answer = await client.get(f"/sources/craigslist/las-vegas/posts/{name}")
        assert answer.content == (folder / name).read_bytes()


async def test_every_capture_of_a_source_is_served(captures: Path) -> None:
    async with asking(captured_site(captures)) as client:
        for source in ("zillow", "redfin", "realtor", "fsbo", "facebook", "linkedin", "dallas"):
            listed = (await client.get(f"/sources/{source}/dallas/")).json()["documents"]
            assert listed, source
            for each in listed[:3]:
                answer = await client.get(f"/sources/{source}/dallas/{each['url']}")
                assert answer.content == (captures / each["url"][6:]).read_bytes()


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments, said in (
        (["--port", "1"], "either --captures DIR or --sample-seed S"),
        (["--port", "1", "--captures", str(tmp_path / "none")], "does not exist"),
        (["--port", "1", "--sample-seed", "1", "--sample-size", "0"], "at least one home"),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert said in capsys.readouterr().err
    started: list[tuple[str, int]] = []
    main(
        ["--port", "8123", "--sample-seed", "1"],
        serve=lambda _site, host, port: started.append((host, port)),
    )
    assert started == [("127.0.0.1", 8123)]
