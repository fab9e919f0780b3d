"""Fetching posts from a classified site over HTTP: bounded in time, size and retries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser

USER_AGENT = "AIQLeads-intake/1.0 (reads public listings; honours robots.txt)"
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
INDEX_PAGES_MAX = 20_000
ATTEMPTS_MAX = 4
BACK_OFF_SECONDS = 0.25
BACK_OFF_SECONDS_MAX = 8.0
REQUEST_SECONDS_MAX = 30.0
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})


class FetchFailed(Exception):
    """A page could not be had. `reason` is a slug: `status-404`, `too-large`, `timeout`,
    `unreachable`, `undecodable`, `bad-address`."""

    def __init__(self, url: str, reason: str, detail: str) -> None:
        super().__init__(url, reason, detail)
        self.url, self.reason, self.detail = url, reason, detail

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}: {self.detail}"


class FetchedPost(NamedTuple):
    """A post page as fetched. `content` is None when it has not changed since last time."""

    url: str
    content: bytes | None
    etag: str | None
    last_modified: str | None


def site_client(*, connections: int = 8) -> httpx.AsyncClient:
    """A client for one site: named, with time limits, following no redirect."""
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept": "text/html"},
        timeout=httpx.Timeout(10.0, connect=5.0),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
    )


async def fetch_index(
    client: httpx.AsyncClient, base_url: str, market: str, *, pages_max: int = INDEX_PAGES_MAX
) -> AsyncIterator[list[str]]:
    """Addresses of a market's posts, one list per index page, each address once.

    Ends at the last page, at a page without anything new, or after `pages_max` pages.
    Links that leave the site are ignored. Raises FetchFailed.
    """
    url: str | None = urljoin(base_url, f"/{market}/")
    seen: set[str] = set()
    for _page in range(pages_max):
        if url is None:
            return
        content = (await _get(client, url, {})).content
        tree = LexborHTMLParser(content)
        links = [
            link
            for link in _links(tree, "a.result-title", url)
            if link not in seen and _same_site(link, base_url)
        ]
        if not links and url in seen:
            return
        seen.add(url)
        seen.update(links)
        if links:
            yield links
        following = [link for link in _links(tree, "a.next", url) if _same_site(link, base_url)]
        url = next((link for link in following if link not in seen), None)


async def fetch_post(
    client: httpx.AsyncClient,
    url: str,
    *,
    etag: str | None = None,
    last_modified: str | None = None,
) -> FetchedPost:
    """One post page; with a tag or time of an earlier fetch, only if it has changed.

    Raises FetchFailed after at most `ATTEMPTS_MAX` tries.
    """
    conditions = {
        name: value
        for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified))
        if value is not None
    }
    answer = await _get(client, url, conditions)
    return FetchedPost(
        url=url,
        content=None if answer.status == 304 else answer.content,
        etag=answer.headers.get("etag", etag),
        last_modified=answer.headers.get("last-modified", last_modified),
    )


class _Answer(NamedTuple):
    status: int
    headers: httpx.Headers
    content: bytes


async def _get(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> _Answer:
    """A 200, or a 304 to a conditional request; all else is tried again or fails."""
    _check_address(url)
    attempt = 0
    while True:
        attempt += 1
        last = attempt >= ATTEMPTS_MAX
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                answer = await _read(client, url, headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            if last:
                raise FetchFailed(url, "timeout", f"no answer in {attempt} tries") from error
            await asyncio.sleep(_back_off(attempt, None))
            continue
        except httpx.TransportError as error:
            if last:
                raise FetchFailed(url, "unreachable", f"{error} in {attempt} tries") from error
            await asyncio.sleep(_back_off(attempt, None))
            continue
        except httpx.DecodingError as error:
            raise FetchFailed(url, "undecodable", str(error)) from error
        if answer.status == 200 or (answer.status == 304 and headers):
            return answer
        if last or answer.status not in _RETRIED_STATUSES:
            raise FetchFailed(url, f"status-{answer.status}", f"answered so in try {attempt}")
        await asyncio.sleep(_back_off(attempt, answer.headers.get("retry-after")))


def _check_address(url: str) -> None:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise FetchFailed(url, "bad-address", str(error)) from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise FetchFailed(url, "bad-address", "not an http or https address with a host")
    if address.port is not None and not 1 <= address.port <= 65_535:
        raise FetchFailed(url, "bad-address", f"port {address.port} is not from 1 to 65535")


async def _read(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> _Answer:
    """The answer with its body, which is counted unpacked: a gzip bomb ends here too."""
    async with client.stream("GET", url, headers=headers) as response:
        content = bytearray()
        async for piece in response.aiter_bytes(64 * 1024):
            content += piece
            if len(content) > RESPONSE_BYTES_MAX:
                raise FetchFailed(url, "too-large", f"more than {RESPONSE_BYTES_MAX} bytes")
        return _Answer(response.status_code, response.headers, bytes(content))


def _back_off(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait: doubled each time, spread at random, or what the site asks for."""
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:6]), BACK_OFF_SECONDS_MAX)
    most = min(BACK_OFF_SECONDS * 2.0 ** (attempt - 1), BACK_OFF_SECONDS_MAX)
    return random.uniform(most / 2, most)


def _links(tree: LexborHTMLParser, selector: str, url: str) -> list[str]:
    hrefs = (node.attributes.get("href") for node in tree.css(selector))
    joined = (_joined(url, href) for href in hrefs if href)
    return list(dict.fromkeys(link for link in joined if link is not None))


def _joined(url: str, href: str) -> str | None:
    try:
        return urljoin(url, href)
    except ValueError:
        return None  # A link that is no address leads nowhere.


def _same_site(url: str, base_url: str) -> bool:
    try:
        one, other = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)
