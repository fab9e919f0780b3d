"""The fetcher against real HTTP: a polite site, a broken one, a hostile one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from engine.adapters.sources import craigslist_site
from engine.adapters.sources.craigslist_site import (
    FetchFailed,
    fetch_index,
    fetch_post,
    site_client,
)
from engine.adapters.sources.replay_site import CapturedPosts, SamplePosts, main, replay_site
from engine.intake.craigslist import parse_post
from engine.intake.record import SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

MARKETS = load_markets()


@asynccontextmanager
async def served(site: Starlette) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(site, log_level="error", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(craigslist_site, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(craigslist_site, "BACK_OFF_SECONDS_MAX", 0.05)
    return


async def test_a_whole_market_is_fetched_and_parsed() -> None:
    world = SampleWorld(3, 800, list(MARKETS.values()))
    posts = SamplePosts(world, datetime.now(UTC))
    async with served(replay_site(posts)) as base, site_client() as client:
        pages = [urls async for urls in fetch_index(client, base, "austin")]
        assert len(pages) == 2
        urls = [url for page in pages for url in page]
        assert [u.rsplit("/", 1)[1][:-5] for u in urls] == list(world.post_ids("austin"))
        for url in urls[:20]:
            fetched = await fetch_post(client, url)
            assert fetched.content is not None
            assert isinstance(parse_post(fetched.content, url=url), SourceRecord)


async def test_an_unchanged_post_is_not_sent_again() -> None:
    world = SampleWorld(3, 80, list(MARKETS.values()))
    site = replay_site(SamplePosts(world, datetime.now(UTC)))
    async with served(site) as base, site_client() as client:
        url = f"{base}/dallas/posts/{next(world.post_ids('dallas'))}.html"
        first = await fetch_post(client, url)
        assert first.content is not None
        by_tag = await fetch_post(client, url, etag=first.etag)
        by_time = await fetch_post(client, url, last_modified=first.last_modified)
        assert by_tag.content is None
        assert by_time.content is None
        assert by_tag.etag == first.etag
        changed = await fetch_post(client, url, etag='"other"')
        assert changed.content == first.content


async def test_captured_posts_are_served_as_they_are(captures: Path) -> None:
    async with served(replay_site(CapturedPosts(captures))) as base, site_client() as client:
        urls = [url async for page in fetch_index(client, base, "las-vegas") for url in page]
        folder = captures / "craigslist" / "posts_html" / "lasvegas"
        assert len(urls) == sum(1 for _ in folder.glob("*.html"))
        fetched = await fetch_post(client, urls[0])
        assert fetched.content == (folder / urls[0].rsplit("/", 1)[1]).read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/atlantis/", "/dallas/posts/1.html", "/dallas/posts/..%2f..%2fx.html", "/dallas/?s=-1",
     "/dallas/posts/abc.html", "/dallas/?s=99999999999"],
)  # fmt: skip
async def test_the_replay_site_refuses_what_it_has_not(path: str) -> None:
    world = SampleWorld(3, 80, list(MARKETS.values()))
    site = replay_site(SamplePosts(world, datetime.now(UTC)))
    async with served(site) as base, httpx.AsyncClient() as client:
        assert (await client.get(base + path)).status_code in {400, 404}
        assert "User-agent" in (await client.get(f"{base}/robots.txt")).text


def hostile_site(calls: list[str]) -> Starlette:
    async def endless(_request: Request) -> Response:
        async def pour() -> AsyncIterator[bytes]:
            for _piece in range(400):  # 25 MiB; the reader leaves long before.
                yield b"x" * 65_536
                await asyncio.sleep(0)

        return StreamingResponse(pour())

    async def failing(request: Request) -> Response:
        calls.append(request.url.path)
        if request.url.path.endswith("twice") and len(calls) == 3:
            return HTMLResponse("at last")
        return Response(status_code=503, headers={"Retry-After": "0"})

    async def away(_request: Request) -> Response:
        return RedirectResponse("http://169.254.169.254/")

    async def turning(request: Request) -> Response:
        page = int(request.query_params.get("s", "0"))
        return HTMLResponse(
            f'<a class="result-title" href="/m/posts/{page}.html">x</a>'
            '<a class="result-title" href="http://elsewhere.example/1.html">x</a>'
            '<a class="result-title" href="http://[">x</a>'
            f'<a class="next" href="/loop/?s={(page + 1) % 3}">n</a>'
        )

    async def forever(request: Request) -> Response:
        page = int(request.query_params.get("s", "0"))
        return HTMLResponse(
            f'<a class="result-title" href="/m/posts/{page}.html">x</a>'
            f'<a class="next" href="/forever/?s={page + 1}">n</a>'
        )

    return Starlette(
        routes=[
            Route("/endless", endless),
            Route("/fails", failing),
            Route("/fails-twice", failing),
            Route("/away", away),
            Route("/loop/", turning),
            Route("/forever/", forever),
        ]
    )


@pytest.mark.parametrize(
    ("path", "reason", "tries"),
    [("/endless", "too-large", 0), ("/fails", "status-503", 4), ("/away", "status-307", 0),
     ("/none", "status-404", 0)],
)  # fmt: skip
async def test_a_hostile_answer_fails_with_its_reason(path: str, reason: str, tries: int) -> None:
    calls: list[str] = []
    async with served(hostile_site(calls)) as base, site_client() as client:
        with pytest.raises(FetchFailed) as failure:
            await fetch_post(client, base + path)
        assert failure.value.reason == reason
        assert len(calls) == tries


async def test_a_passing_fault_is_tried_again() -> None:
    calls: list[str] = []
    async with served(hostile_site(calls)) as base, site_client() as client:
        assert (await fetch_post(client, f"{base}/fails-twice")).content == b"at last"


async def test_an_index_that_turns_in_a_circle_ends() -> None:
    async with served(hostile_site([])) as base, site_client() as client:
        pages = [urls async for urls in fetch_index(client, base, "loop")]
        assert pages == [[f"{base}/m/posts/{n}.html"] for n in range(3)]
        endless = [urls async for urls in fetch_index(client, base, "forever", pages_max=5)]
        assert len(endless) == 5


async def test_a_site_that_is_not_there() -> None:
    async with site_client() as client:
        with pytest.raises(FetchFailed) as failure:
            await fetch_post(client, "http://127.0.0.1:9/x.html")
        assert failure.value.reason == "unreachable"
        for address in ("http://127.0.0.1:99999/x", "file:///etc/hosts", "http:///a", "x"):
            with pytest.raises(FetchFailed) as failure:
                await fetch_post(client, address)
            assert failure.value.reason == "bad-address"


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
