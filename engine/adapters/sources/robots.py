"""What a site's robots.txt asks of us (RFC 9309), read by a maintained parser and kept a while.

A site without one (4xx) allows everything; one whose robots.txt can't be had (5xx, no
answer) is left alone for a while. The text is kept in Redis for all workers, the parsed
rules in the process.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

import httpx
from protego import Protego
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.safe_address import origin_of

# The name under which robots.txt files speak to us.
PRODUCT = "AIQLeads-intake"
# RFC 9309 asks for at least 500 KiB to be read, and that a copy be used for a day at most.
ROBOTS_BYTES_MAX = 512 * 1024
KEPT_SECONDS = 3_600.0
UNREACHABLE_SECONDS = 600.0
_SITES_MAX = 1_000
# These say nothing of the site's wishes: they are what they are, and are not remembered.
_NOT_THE_SITES = frozenset(
    {"bad-address", "private-address", "outside-replay", "circuit-open", "host-paused", "no-budget"}
)
_FORBID_ALL = "User-agent: *\nDisallow: /\n"

Download = Callable[[str], Awaitable[bytes]]


class Rules(NamedTuple):
    """A site's rules until `until` (of the process's clock). `why` says what stands in for them."""

    parsed: Protego
    until: float
    why: str | None = None

    def allow(self, url: str) -> bool:
        return bool(self.parsed.can_fetch(url, PRODUCT))

    @property
    def crawl_delay_seconds(self) -> float:
        """The most that Crawl-delay and Request-rate ask for, whatever hours it is meant for."""
        delay = float(self.parsed.crawl_delay(PRODUCT) or 0.0)
        rate = self.parsed.request_rate(PRODUCT)
        if rate is None or rate.requests < 1:
            return delay
        return max(delay, rate.seconds / rate.requests)


class Robots:
    """`download` gets a robots.txt, cut at ROBOTS_BYTES_MAX, and raises FetchFailed."""

    def __init__(
        self, download: Download, redis: Redis | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._download = download
        self._redis = redis
        self._clock = clock
        self._sites: OrderedDict[str, Rules] = OrderedDict()
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def check(self, address: httpx.URL) -> float:
        """The seconds the site wants between two requests. Raises FetchFailed `robots`."""
        rules = await self._rules(origin_of(address))
        if not rules.allow(str(address)):
            said = rules.why or f"robots.txt disallows it to {PRODUCT}"
            raise FetchFailed(str(address), "robots", said)
        return rules.crawl_delay_seconds

    async def _rules(self, origin: str) -> Rules:
        one_at_a_time = self._fetching.setdefault(origin, asyncio.Lock())
        async with one_at_a_time:
            rules = self._sites.get(origin)
            if rules is None or rules.until <= self._clock():
                rules = await self._kept(origin) or await self._fetched(origin)
                self._sites[origin] = rules
            self._sites.move_to_end(origin)
            if len(self._sites) > _SITES_MAX:
                self._sites.popitem(last=False)
            return rules

    async def _fetched(self, origin: str) -> Rules:
        try:
            text = _text(await self._download(f"{origin}/robots.txt"))
        except FetchFailed as failed:
            if failed.reason in _NOT_THE_SITES:
                raise
            if failed.reason.startswith("status-4") and failed.reason != "status-429":
                text = ""
            else:
                why = f"its robots.txt can't be had ({failed.reason}: {failed.detail})"
                return self._parsed(_FORBID_ALL, UNREACHABLE_SECONDS, why)
        await self._keep(origin, text)
        return self._parsed(text, KEPT_SECONDS)

    def _parsed(self, text: str, seconds: float, why: str | None = None) -> Rules:
        return Rules(Protego.parse(text), self._clock() + seconds, why)

    async def _kept(self, origin: str) -> Rules | None:
        """Rules by the text another worker fetched."""
        if self._redis is None:
            return None
        try:
            async with self._redis.pipeline() as ask:
                ask.get(_key(origin))
                ask.pttl(_key(origin))
                text, milliseconds = await ask.execute()
        except RedisError:
            return None  # Then it is fetched: one more request to the site.
        return None if text is None else self._parsed(_text(text), milliseconds / 1_000)

    async def _keep(self, origin: str, text: str) -> None:
        if self._redis is None:
            return
        try:
            await self._redis.set(_key(origin), text.encode(), ex=int(KEPT_SECONDS))
        except RedisError:
            return  # This process has it; the others fetch it themselves.


def _key(origin: str) -> str:
    return f"polite:robots:{origin}"


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")
