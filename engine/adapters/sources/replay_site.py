"""A small local site that serves post pages again: captured ones, or the sample world's.

It behaves like a polite classified site: an index per market in pages of 120 links,
robots.txt, and conditional requests, so that the fetcher is exercised as it will be
outside. Run it with

    python -m engine.adapters.sources.replay_site --port P --captures DIR
    python -m engine.adapters.sources.replay_site --port P --sample-seed S --sample-size N
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from engine.adapters.sources.captures import post_folder
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

LINKS_PER_PAGE = 120
_OFFSET_MAX = 10_000_000
ROBOTS = "User-agent: *\nAllow: /\nCrawl-delay: 0\n"


class Page(NamedTuple):
    """`modified` is aware UTC, whole seconds."""

    content: bytes
    modified: datetime


class Posts(Protocol):
    """What the site serves. `post_ids` of an unknown market is empty, a missing page None."""

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        """(ids, the next offset or None). An offset counts in units of the posts' origin."""
        ...

    def page(self, market: str, post_id: str) -> Page | None: ...


class CapturedPosts:
    """Post pages of a captures folder, served as the bytes they are."""

    def __init__(self, captures: Path) -> None:
        if not captures.is_dir():
            raise ValueError(f"captures folder {captures} does not exist")
        self._captures = captures
        self._ids: dict[str, list[str]] = {}

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        ids = self._ids_of(market)
        end = offset + limit
        return ids[offset:end], end if end < len(ids) else None

    def page(self, market: str, post_id: str) -> Page | None:
        folder = post_folder(self._captures, market)
        if folder is None or post_id not in self._ids_of(market):
            return None
        path = folder / f"{post_id}.html"
        try:
            content, changed = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return None
        return Page(content, datetime.fromtimestamp(int(changed), UTC))

    def _ids_of(self, market: str) -> list[str]:
        if market not in self._ids:
            folder = post_folder(self._captures, market)
            if folder is None:
                return []
            self._ids[market] = sorted(path.stem for path in folder.glob("*.html"))
        return self._ids[market]


class SamplePosts:
    """Post pages of a sample world, rendered when they are asked for."""

    def __init__(self, world: SampleWorld, rendered_at: datetime) -> None:
        self._world = world
        self._modified = rendered_at.replace(microsecond=0)

    def post_ids(self, market: str, offset: int, limit: int) -> tuple[list[str], int | None]:
        """Offsets count homes, so that no page of the index builds more than `limit`."""
        try:
            homes = len(self._world.homes_of(market))
        except KeyError:
            return [], None
        end = offset + limit
        ids = list(self._world.post_ids(market, slice(offset, end)))
        return ids, end if end < homes else None

    def page(self, market: str, post_id: str) -> Page | None:
        content = self._world.page(market, post_id)
        return None if content is None else Page(content, self._modified)


def replay_site(posts: Posts) -> Starlette:
    """The site as an ASGI application."""

    async def robots(_request: Request) -> Response:
        return PlainTextResponse(ROBOTS)

    async def index(request: Request) -> Response:
        market = request.path_params["market"]
        offset = _offset(request)
        ids, following = await run_in_threadpool(posts.post_ids, market, offset, LINKS_PER_PAGE)
        if not ids and following is None and offset == 0:
            raise HTTPException(404, f"no posts of market {market}")
        return HTMLResponse(_index_page(market, ids, following))

    async def post(request: Request) -> Response:
        market, name = request.path_params["market"], request.path_params["name"]
        post_id = name.removesuffix(".html")
        page = None
        if name.endswith(".html") and post_id.isascii() and post_id.isdigit():
            page = await run_in_threadpool(posts.page, market, post_id)
        if page is None:
            raise HTTPException(404, "no such post")
        return _conditional(request, page)

    return Starlette(
        routes=[
            Route("/robots.txt", robots),
            Route("/{market}/", index),
            Route("/{market}/posts/{name}", post),
        ]
    )


def _offset(request: Request) -> int:
    text = request.query_params.get("s", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and int(text) <= _OFFSET_MAX):
        raise HTTPException(400, f"s must be a whole number from 0 to {_OFFSET_MAX}")
    return int(text)


def _index_page(market: str, ids: Sequence[str], following: int | None) -> str:
    links = "\n".join(
        f'<li class="result-row"><a class="result-title" href="/{escape(market)}/posts/{post_id}'
        f'.html">{post_id}</a></li>'
        for post_id in ids
    )
    forward = (
        f'<a class="button next" href="/{escape(market)}/?s={following}">next</a>'
        if following is not None
        else ""
    )
    return f"<!DOCTYPE html><html><body><ul class='rows'>{links}</ul>{forward}</body></html>"


def _conditional(request: Request, page: Page) -> Response:
    """The page, or 304 when the reader's copy is this one."""
    etag = f'"{hashlib.sha256(page.content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Last-Modified": format_datetime(page.modified, usegmt=True)}
    known = request.headers.get("if-none-match")
    if known is not None:
        fresh = etag in {tag.strip() for tag in islice(known.split(","), 32)}
    else:
        fresh = _not_modified_since(request.headers.get("if-modified-since"), page.modified)
    if fresh:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(page.content, headers=headers)


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
    parser = argparse.ArgumentParser(prog="replay_site", description="Serve post pages again.")
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
        posts = _posts(chosen)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    (serve or _serve)(replay_site(posts), chosen.host, chosen.port)


def _posts(chosen: argparse.Namespace) -> Posts:
    if chosen.captures is not None:
        return CapturedPosts(chosen.captures)
    markets = list(load_markets(chosen.markets_file).values())
    world = SampleWorld(chosen.sample_seed, chosen.sample_size, markets)
    return SamplePosts(world, datetime.now(UTC))


def _serve(site: Starlette, host: str, port: int) -> None:
    uvicorn.run(site, host=host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
