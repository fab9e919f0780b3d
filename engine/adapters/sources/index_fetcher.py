"""Index pages that link to posts, page after page: the way of classified sites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urljoin

import httpx
from selectolax.lexbor import LexborHTMLParser

from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.http_exchange import Answer
from engine.adapters.sources.one_document import credential_headers, fetch_document
from engine.adapters.sources.polite_client import PoliteClient
from engine.adapters.sources.safe_address import origin_of
from engine.source_directory import Source

# In result lists with paging, and in the newer ones for readers without scripts.
_POSTS = "a.result-title, li.cl-static-search-result > a"
_FOLLOWING = "a.next, a[rel~=next], link[rel~=next]"
PAGE_BYTES_MAX = 4 * 1024 * 1024
PAGES_MAX = 5_000
# A market's posts, at 120 a page; what bounds the memory of one walk.
POSTS_MAX = 600_000


async def discover(
    source: Source,
    market: str,
    client: PoliteClient,
    *,
    base: str,
    checkpoint: dict[str, Any],
) -> AsyncIterator[list[Address]]:
    """Posts, one batch per index page, each address once; links off the site are ignored.

    Ends at the last page or one without anything new. The checkpoint names the page to go on
    from and how many were read, and is empty again at the end. Raises FetchFailed: after
    `PAGES_MAX` pages `endless-pages`, and then the next walk starts at the front.
    """
    url = _going_on(base, checkpoint)
    pages = int(checkpoint.get("pages", 0)) if checkpoint.get("next") == url else 0
    seen: set[str] = set()
    while url is not None:
        if pages >= PAGES_MAX or len(seen) >= POSTS_MAX:
            checkpoint.clear()
            raise FetchFailed(url, "endless-pages", f"not at an end after {pages} pages")
        headers = credential_headers(source, market, client, url)
        answer = await client.get(url, headers=headers, bytes_max=PAGE_BYTES_MAX)
        assert answer is not None
        posts, following = _page_links(answer, base)
        new = [post for post in posts if post not in seen]
        seen.update(new)
        seen.add(url)
        pages += 1
        # A page with nothing new leads in a circle.
        url = next((link for link in following if link not in seen), None) if new else None
        checkpoint.clear()
        if url is not None:
            checkpoint.update(next=url, pages=pages)
        if new:
            yield [Address(post) for post in new]


async def fetch(
    source: Source, market: str, address: Address, client: PoliteClient
) -> FetchedDocument | None:
    """The post's page, None when it has not changed. Raises FetchFailed."""
    return await fetch_document(source, market, address, client, PAGE_BYTES_MAX)


def _going_on(base: str, checkpoint: dict[str, Any]) -> str | None:
    following = checkpoint.get("next")
    return following if isinstance(following, str) and _same_site(following, base) else base


def _page_links(answer: Answer, base: str) -> tuple[list[str], list[str]]:
    """(posts, following pages) of an index page."""
    tree = LexborHTMLParser(answer.content)
    posts = _links(tree, _POSTS, answer.url, base)
    return posts, _links(tree, _FOLLOWING, answer.url, base)


def _links(tree: LexborHTMLParser, selector: str, url: str, base: str) -> list[str]:
    hrefs = (node.attributes.get("href") for node in tree.css(selector))
    joined = (_joined(url, href) for href in hrefs if href)
    found = (link for link in joined if link is not None and _same_site(link, base))
    return list(dict.fromkeys(found))


def _joined(url: str, href: str) -> str | None:
    try:
        return urljoin(url, href.strip()).partition("#")[0]
    except ValueError:
        return None  # A link that is no address leads nowhere.


def _same_site(url: str, base: str) -> bool:
    try:
        return origin_of(httpx.URL(url)) == origin_of(httpx.URL(base))
    except (httpx.InvalidURL, KeyError, ValueError):
        return False
