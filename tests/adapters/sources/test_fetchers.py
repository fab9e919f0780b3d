"""Fetchers by kind: where a source starts, what is found there, and where a walk goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from engine.adapters.sources import documents_fetcher, index_fetcher
from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.fetchers import (
    FETCHERS,
    client_for,
    discover,
    fetch,
    start_address,
    why_off,
)
from engine.adapters.sources.polite_client import PoliteClient
from engine.settings import Settings
from engine.source_directory import Source, load_sources
from tests.adapters.sources.loopback import served
from tests.adapters.sources.test_polite_client import Site, client_at, text

POSTS = Source(name="gazette", parser="craigslist", fetch="index")
FILES = Source(name="county", parser="feed", fetch="documents", licence="open-data")


def settings(**chosen: Any) -> Settings:
    return Settings(_env_file=None, **chosen)


async def found(
    source: Source, client: PoliteClient, base: str, checkpoint: dict[str, Any] | None = None
) -> list[list[Any]]:
    walk = {} if checkpoint is None else checkpoint
    return [batch async for batch in discover(source, "austin", client, base=base, checkpoint=walk)]


# --- where a source starts --------------------------------------------------------------------


def test_every_source_has_a_fetcher() -> None:
    # Uploads come from their buyers and are fetched from nowhere.
    kinds = {source.fetch for source in load_sources().values()} - {"uploads"}
    assert kinds == set(FETCHERS)


def test_a_source_starts_at_its_address() -> None:
    source = Source(
        name="a", parser="a", fetch="index", address="https://{market}.example/?m={market}"
    )
    assert start_address(source, "las-vegas", settings()) == (
        "https://las-vegas.example/?m=las-vegas"
    )
    assert why_off(source, "las-vegas", settings()) is None


def test_the_replay_site_stands_in_for_every_source() -> None:
    replayed = settings(replay_url="http://127.0.0.1:8000/")
    for source in load_sources().values():
        if source.fetch in {"index", "documents", "reso"} and source.serves("austin"):
            assert start_address(source, "austin", replayed) == (
                f"http://127.0.0.1:8000/sources/{source.name}/austin/"
            )


def test_what_is_off_says_why() -> None:
    only = Source(name="a", parser="a", fetch="index", address="https://a/", markets=("austin",))
    assert why_off(only, "austin", settings()) is None
    assert why_off(only, "dallas", settings()) == "it serves austin only"
    assert why_off(only, "dallas", settings(replay_url="http://r/")) == "it serves austin only"
    nowhere = Source(name="a", parser="a", fetch="index")
    assert "AIQLEADS_SOURCES_FILE" in str(why_off(nowhere, "austin", settings()))
    asks = Source(name="a", parser="a", fetch="index", address="https://a/", needs_permission=True)
    licensed = {"a": "contract 7 of 2026"}
    lets_in = {"a": {"token": SecretStr("t")}}
    for chosen, missing in (
        ({}, "LICENCES"),
        ({"source_credentials": lets_in}, "LICENCES"),
        ({"source_licences": licensed}, "CREDENTIALS"),
        ({"source_licences": {"a": ""}, "source_credentials": lets_in}, "LICENCES"),
    ):
        assert missing in str(why_off(asks, "austin", settings(**chosen)))
        assert start_address(asks, "austin", settings(**chosen)) is None
    both = settings(source_licences=licensed, source_credentials=lets_in)
    assert start_address(asks, "austin", both) == "https://a/"


async def test_a_client_is_made_from_settings() -> None:
    chosen = settings(
        crawler_contact="ops@leads.example",
        source_credentials={"county": {"token": SecretStr("t")}},
    )
    async with client_for(FILES, chosen) as client:
        assert client.user_agent.endswith("(+ops@leads.example)")
        assert client.credentials == {"token": "t"}
        assert not client.only_allowed
    async with client_for(FILES, settings(replay_url="http://127.0.0.1:8000")) as client:
        assert client.only_allowed


# --- index pages -------------------------------------------------------------------------------


def index_site(pages: int, *, circle: bool = False) -> Site:
    def page(request: Request) -> Response:
        number = int(request.query_params.get("s", "0"))
        following = (number + 1) % pages if circle else number + 1
        link = f'<a class="next" href="?s={following}">n</a>' if circle or following < pages else ""
        return HTMLResponse(
            f'<a class="result-title" href="/posts/{number}.html#top">x</a>'
            f'<a class="result-title" href="posts/../../posts/{number}.html">again</a>'
            '<a class="result-title" href="http://elsewhere.example/1.html">x</a>'
            '<a class="result-title" href="http://[">x</a>'
            f'<a class="result-title">no href</a><a class="result-title" href="">x</a>{link}'
        )

    return Site(posts=page)


async def test_an_index_is_walked_to_its_end() -> None:
    site = index_site(3)
    async with served(site) as url, client_at(url) as client:
        checkpoint: dict[str, Any] = {}
        batches = await found(POSTS, client, f"{url}/posts/", checkpoint)
    posts = [[each.url for each in batch if each.url.endswith("html")] for batch in batches]
    assert posts == [[f"{url}/posts/{n}.html"] for n in range(3)]
    assert checkpoint == {}


async def test_result_lists_of_both_layouts() -> None:
    pages = {
        "list": '<link rel="next" href="/more"><ol class="cl-static-search-results">'
        '<li class="cl-static-search-result"><a href="/a/1.html"><div>x</div></a></li></ol>',
        "more": '<li><a class="result-title hdrlnk" href="/a/2.html">x</a></li>',
    }
    site = Site(**{name: text(page, media_type="text/html") for name, page in pages.items()})
    async with served(site) as url, client_at(url) as client:
        batches = await found(POSTS, client, f"{url}/list")
    assert [[each.url for each in batch] for batch in batches] == [
        [f"{url}/a/1.html"], [f"{url}/a/2.html"]
    ]  # fmt: skip


async def test_a_circle_ends() -> None:
    site = index_site(3, circle=True)
    async with served(site) as url, client_at(url) as client:
        assert len(await found(POSTS, client, f"{url}/posts/")) == 3
    assert len(site.asked("/posts/")) == 4  # The first page under both of its names.


async def test_a_walk_goes_on_where_it_was_left() -> None:
    async with served(index_site(4)) as url, client_at(url) as client:
        checkpoint: dict[str, Any] = {}
        walk = discover(POSTS, "austin", client, base=f"{url}/posts/", checkpoint=checkpoint)
        await anext(walk)
        await anext(walk)
        kept = json.loads(json.dumps(checkpoint))
        await walk.aclose()  # type: ignore[attr-defined]
        rest = await found(POSTS, client, f"{url}/posts/", kept)
        assert [batch[0].url for batch in rest] == [f"{url}/posts/{n}.html" for n in (2, 3)]
        # Of a site that has moved nothing is remembered.
        moved = {"next": "http://elsewhere.example/posts/?s=3", "pages": 3}
        assert len(await found(POSTS, client, f"{url}/posts/", moved)) == 4


async def test_endless_pages_are_counted_over_resumed_walks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_fetcher, "PAGES_MAX", 5)
    async with served(index_site(100)) as url, client_at(url) as client:
        checkpoint: dict[str, Any] = {"next": f"{url}/posts/?s=3", "pages": 3}
        with pytest.raises(FetchFailed) as failure:
            await found(POSTS, client, f"{url}/posts/", checkpoint)
    assert failure.value.reason == "endless-pages"
    assert checkpoint == {}


async def test_a_post_is_fetched_as_a_document() -> None:
    def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"7"':
            return Response(status_code=304)
        headers = {"ETag": '"7"', "Last-Modified": "Fri, 01 May 2026 12:00:00 GMT"}
        return HTMLResponse("caf\u00e9", headers=headers)

    async with served(Site(post=page)) as url, client_at(url) as client:
        document = await fetch(POSTS, "austin", Address(f"{url}/post"), client)
        assert document is not None
        assert (document.url, document.content) == (f"{url}/post", "caf\u00e9".encode())
        assert (document.media_type, document.charset) == ("text/html", "utf-8")
        assert (document.market, document.licence) == ("austin", "public")
        assert str(document.fetched_at).endswith("Z")
        again = Address(f"{url}/post", document.etag, document.last_modified)
        assert await fetch(POSTS, "austin", again, client) is None


@pytest.mark.parametrize("etag", ["\u00e9", "x" * 501])
async def test_a_tag_that_can_not_be_sent_back_is_not_kept(etag: str) -> None:
    site = Site(post=lambda _: Response(b"x", headers={"ETag": etag, "Last-Modified": ""}))
    async with served(site) as url, client_at(url) as client:
        document = await fetch(POSTS, "austin", Address(f"{url}/post"), client)
    assert document is not None
    assert (document.etag, document.last_modified) == (None, None)


# --- documents ---------------------------------------------------------------------------------


def manifest_of(*entries: object) -> Site:
    return Site(
        list=lambda _: JSONResponse({"documents": list(entries), "made_by": "us"}),
        **{"a_csv": lambda _: Response(b"a,b")},
    )


async def test_a_manifest_lists_documents() -> None:
    site = manifest_of(
        {"url": "a.csv", "media_type": "text/csv", "modified": "2026-05-01"},
        {"url": "/b.json"}, {"url": "a.csv"}, {"url": "https://data.example/c.csv"},
    )  # fmt: skip
    async with served(site) as url, client_at(url) as client:
        [batch] = await found(FILES, client, f"{url}/list")
        assert [each.url for each in batch] == [
            f"{url}/a.csv", f"{url}/b.json", "https://data.example/c.csv"
        ]  # fmt: skip
        document = await fetch(FILES, "austin", batch[0], client)
    assert document is not None
    # What the manifest says of it where the site says nothing.
    assert (document.media_type, document.licence) == (None, "open-data")


async def test_a_manifest_is_handed_over_in_batches_and_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents_fetcher, "BATCH", 2)
    site = manifest_of(*({"url": f"{n}.csv"} for n in range(5)))
    async with served(site) as url, client_at(url) as client:
        checkpoint: dict[str, Any] = {}
        walk = discover(FILES, "austin", client, base=f"{url}/list", checkpoint=checkpoint)
        assert len(await anext(walk)) == 2
        kept = json.loads(json.dumps(checkpoint))
        await walk.aclose()  # type: ignore[attr-defined]
        rest = await found(FILES, client, f"{url}/list", kept)
        assert [[each.url[-5:] for each in batch] for batch in rest] == [
            ["2.csv", "3.csv"], ["4.csv"]
        ]  # fmt: skip
        assert kept == {}
        gone = {"after": f"{url}/gone.csv"}
        assert len(await found(FILES, client, f"{url}/list", gone)) == 3


@pytest.mark.parametrize(
    "content",
    ['{"documents": 3}', '{"documents": [{"address": "a"}]}', '{"documents": [{"url": 3}]}',
     '{"documents": ["a.csv"]}', '{"documents": [{"url": "http://["}]}'],
)  # fmt: skip
async def test_a_manifest_that_is_none_says_so(content: str) -> None:
    site = Site(list=text(content, media_type="application/json"))
    async with served(site) as url, client_at(url) as client:
        with pytest.raises(FetchFailed) as failure:
            await found(FILES, client, f"{url}/list")
    assert failure.value.reason == "bad-manifest"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [('{"type": "FeatureCollection"}', "application/json"), ('[{"url": "x"}]', "application/json"),
     ("a,b\n1,2\n", "text/csv"), ("{", "application/json"), ("[" * 5_000, "application/json"),
     ('{"documents": []}', "application/geo+json"), ("", "application/json")],
)  # fmt: skip
async def test_anything_else_is_the_document(content: str, media_type: str) -> None:
    def page(request: Request) -> Response:
        if request.headers.get("if-none-match"):
            return Response(status_code=304)
        return PlainTextResponse(content, media_type=media_type, headers={"ETag": '"1"'})

    async with served(Site(list=page)) as url, client_at(url) as client:
        checkpoint: dict[str, Any] = {}
        [[document]] = await found(FILES, client, f"{url}/list", checkpoint)
        assert isinstance(document, FetchedDocument)
        assert (document.content.decode(), document.media_type) == (content, media_type)
        # What was taken once is not taken again until it changes.
        assert await found(FILES, client, f"{url}/list", json.loads(json.dumps(checkpoint))) == []


async def test_credentials_go_to_the_sources_own_host_only() -> None:
    other = Site(page=text("x"))
    site = Site(page=text("x"))
    async with served(other) as there, served(site) as url:
        own = Source(name="a", parser="a", fetch="documents", address=f"{url}/{{market}}/list")
        secrets = {"token": "t0ken", "api_key": "k3y", "client_secret": "never"}
        async with client_at(url, there, credentials=secrets) as client:
            await fetch(own, "austin", Address(f"{url}/page"), client)
            await fetch(own, "austin", Address(f"{there}/page"), client)
    [asked] = site.asked("/page")
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert asked.headers["x-api-key"] == "k3y"
    assert all("t0ken" not in str(each.headers.raw) for each in other.requests)
    assert all("never" not in str(each.headers.raw) for each in site.requests)
