"""A small local site that serves every source again: as captured, or as the sample world has it.

    /robots.txt
    /sources/craigslist/{market}/           an index of posts, in pages of 120 links
    /sources/{source}/{market}/             a manifest of the source's documents
    /sources/{source}/{market}/files/{name}
    /sources/mls/{market}/                  a RESO Web API (reso_site)

It behaves like a polite site, conditional requests included, so that the fetchers are
exercised as they will be outside. Run it with

    python -m engine.adapters.sources.replay_site --port P --captures DIR
    python -m engine.adapters.sources.replay_site --port P --sample-seed S --sample-size N
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from engine.adapters.sources.replay_documents import (
    CapturedDocuments,
    Documents,
    SampleDocuments,
)
from engine.adapters.sources.replay_posts import CapturedPosts, Page, Posts, SamplePosts
from engine.adapters.sources.reso_replay import CapturedListings, SampleListings
from engine.adapters.sources.reso_site import ResoSite
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

LINKS_PER_PAGE = 120
_OFFSET_MAX = 10_000_000
ROBOTS = "User-agent: *\nAllow: /\nCrawl-delay: 0\n"


def replay_site(
    posts: Posts,
    documents: Documents,
    services: Mapping[str, ASGIApp] | None = None,
) -> Starlette:
    """The site as an ASGI application.

    `services` are sources that are no pages but a service of their own, by name: each is
    mounted at `/sources/{name}` and sees `/{market}/...`.
    """
    return Starlette(
        routes=[
            Route("/robots.txt", _robots),
            *(Mount(f"/sources/{name}", app) for name, app in (services or {}).items()),
            *_post_routes(posts),
            *_document_routes(documents),
        ]
    )


async def _robots(_request: Request) -> Response:
    return PlainTextResponse(ROBOTS)


def _post_routes(posts: Posts) -> list[Route]:
    async def index(request: Request) -> Response:
        market = request.path_params["market"]
        offset = _offset(request)
        ids, following = await run_in_threadpool(posts.post_ids, market, offset, LINKS_PER_PAGE)
        if not ids and following is None and offset == 0:
            raise HTTPException(404, f"no posts of market {market}")
        return HTMLResponse(_index_page(request.url.path, ids, following))

    async def post(request: Request) -> Response:
        market, name = request.path_params["market"], request.path_params["name"]
        post_id = name.removesuffix(".html")
        page = None
        if name.endswith(".html") and post_id.isascii() and post_id.isdigit():
            page = await run_in_threadpool(posts.page, market, post_id)
        return _conditional(request, page)

    return [
        Route("/sources/craigslist/{market}/", index),
        Route("/sources/craigslist/{market}/posts/{name}", post),
    ]


def _document_routes(documents: Documents) -> list[Route]:
    async def manifest(request: Request) -> Response:
        source, market = request.path_params["source"], request.path_params["market"]
        names = await run_in_threadpool(documents.names, source, market)
        listed = [
            {"url": f"files/{quote(name)}", "media_type": media_type} for name, media_type in names
        ]
        return JSONResponse({"documents": listed})

    async def document(request: Request) -> Response:
        wanted = (request.path_params[key] for key in ("source", "market", "name"))
        return _conditional(request, await run_in_threadpool(documents.document, *wanted))

    return [
        Route("/sources/{source}/{market}/", manifest),
        Route("/sources/{source}/{market}/files/{name:path}", document),
    ]


def _offset(request: Request) -> int:
    text = request.query_params.get("s", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and int(text) <= _OFFSET_MAX):
        raise HTTPException(400, f"s must be a whole number from 0 to {_OFFSET_MAX}")
    return int(text)


def _index_page(path: str, ids: Sequence[str], following: int | None) -> str:
    here = escape(path)
    links = "\n".join(
        f'<li class="result-row"><a class="result-title" href="{here}posts/{post_id}.html">'
        f"{post_id}</a></li>"
        for post_id in ids
    )
    forward = (
        f'<a class="button next" href="{here}?s={following}">next</a>'
        if following is not None
        else ""
    )
    return f"<!DOCTYPE html><html><body><ul class='rows'>{links}</ul>{forward}</body></html>"


def _conditional(request: Request, page: Page | None) -> Response:
    """The page, or 304 when the reader's copy is this one."""
    if page is None:
        raise HTTPException(404, "no such document")
    etag = f'"{hashlib.sha256(page.content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Last-Modified": format_datetime(page.modified, usegmt=True)}
    known = request.headers.get("if-none-match")
    if known is not None:
        fresh = etag in {tag.strip() for tag in islice(known.split(","), 32)}
    else:
        fresh = _not_modified_since(request.headers.get("if-modified-since"), page.modified)
    if fresh:
        return Response(status_code=304, headers=headers)
    # Captured pages say their character set themselves, and not all say UTF-8.
    headers["Content-Type"] = page.media_type
    return Response(page.content, headers=headers)


def _not_modified_since(header: str | None, modified: datetime) -> bool:
    if header is None:
        return False
    try:
        since = parsedate_to_datetime(header)
    except ValueError:
        return False
    return since.tzinfo is not None and modified <= since


def main(
    arguments: Sequence[str] | None = None,
    *,
    serve: Callable[[Starlette, str, int], None] | None = None,
) -> None:
    """Serves until it is stopped. Exits with status 2 and the reason on bad arguments."""
    parser = argparse.ArgumentParser(prog="replay_site", description="Serve sources again.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--captures", type=Path, help="folder of captured sources")
    parser.add_argument("--sample-seed", type=int, help="serve a sample world of this seed")
    parser.add_argument("--sample-size", type=int, default=4000, help="homes in it")
    parser.add_argument("--markets-file", type=Path, help="markets of the sample world")
    chosen = parser.parse_args(arguments)
    if (chosen.captures is None) == (chosen.sample_seed is None):
        parser.error("give either --captures DIR or --sample-seed S")
    try:
        site = _site(chosen)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    (serve or _serve)(site, chosen.host, chosen.port)


def _site(chosen: argparse.Namespace) -> Starlette:
    if chosen.captures is not None:
        return replay_site(
            CapturedPosts(chosen.captures),
            CapturedDocuments(chosen.captures),
            {"mls": ResoSite(CapturedListings(chosen.captures)).app()},
        )
    markets = list(load_markets(chosen.markets_file).values())
    world = SampleWorld(chosen.sample_seed, chosen.sample_size, markets)
    now = datetime.now(UTC)
    services = {"mls": ResoSite(SampleListings(world, now)).app()}
    return replay_site(SamplePosts(world, now), SampleDocuments(world, now), services)


def _serve(site: Starlette, host: str, port: int) -> None:
    uvicorn.run(site, host=host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
