"""The one way out of the intake: asks sites as they wish to be asked, and survives what they do.

Every request is preceded by robots.txt and a turn of the host's budget, goes to a public
address only, is bounded in time and bytes, and is repeated at most a few times. Redirects
are followed by hand, each target judged like a first address. No cookies, no proxies.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

import httpx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.host_budget import HostBudget
from engine.adapters.sources.http_exchange import (
    Answer,
    Exchange,
    Limits,
    Outgoing,
    PassingFault,
)
from engine.adapters.sources.pace import Outcome, Pace
from engine.adapters.sources.retries import RETRIED_STATUSES, Retries, pause_seconds
from engine.adapters.sources.robots import PRODUCT, ROBOTS_BYTES_MAX, Robots
from engine.adapters.sources.safe_address import (
    GuardedNetwork,
    Resolver,
    host_of,
    origin_of,
    parsed_address,
    resolve,
)

REDIRECTS_MAX = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A turn's lease outlives its request by this.
_LEASE_MARGIN_SECONDS = 5.0
# Rest for a host that has had too many requests and doesn't say for how long.
TOO_MANY_SECONDS = 15.0
_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_CONTACT = re.compile(r"[\x21-\x7e]{1,200}")
_RETRIES = Retries()


_LIMITS = Limits()


class PoliteClient:
    """Use it with `async with`, within one event loop.

    `allowed` are `host:port`s that are asked although they are private; with `only_allowed`
    nothing else is asked. One that does not crawl, but asks a service as its licence allows,
    asks for no robots.txt: a service's keeps crawlers out. `credentials` are the source's, for
    its fetcher. `redis` is closed with the client.
    """

    def __init__(
        self,
        redis: Redis | None,
        pace: Pace,
        *,
        contact: str = "",
        allowed: frozenset[str] = frozenset(),
        only_allowed: bool = False,
        crawls: bool = True,
        credentials: Mapping[str, str] | None = None,
        limits: Limits = _LIMITS,
        retries: Retries = _RETRIES,
        budget: HostBudget | None = None,
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.user_agent = user_agent(contact)
        self.credentials = dict(credentials or {})
        self.only_allowed = only_allowed
        self._crawls = crawls
        self._redis = redis
        self._pace = pace
        self._allowed = allowed
        self._limits = limits
        self._retries = retries
        self._budget = budget or HostBudget(redis)
        # The replay site is this machine's own and comes and goes: nobody keeps its rules.
        self._robots = Robots(self._robots_text, None if only_allowed else redis)
        network = GuardedNetwork(allowed, resolver)
        self._exchange = Exchange(network, self.user_agent, limits, ssl_context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._exchange.aclose()
        if self._redis is not None:
            await self._redis.aclose()

    async def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        headers: Mapping[str, str] | None = None,
        bytes_max: int | None = None,
    ) -> Answer | None:
        """The answer, None if it is the copy that `etag` or `last_modified` stands for.

        `bytes_max` replaces the client's limit. Raises FetchFailed.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        known = {name: value for name, value in conditions.items() if value}
        request = Outgoing("GET", parsed_address(url), {**(headers or {}), **known}, bytes_max)
        answer = await self._follow(request, ask_robots=self._crawls)
        if answer.status == 304 and not known:
            raise FetchFailed(url, "not-modified", "answered 304 without a condition")
        return None if answer.status == 304 else answer

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """The answer to a form, as a token endpoint takes it. Raises FetchFailed."""
        content = str(httpx.QueryParams(dict(form))).encode()
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        request = Outgoing("POST", parsed_address(url), sent, None, content)
        answer = await self._follow(request, ask_robots=self._crawls)
        if answer.status == 304:
            raise FetchFailed(url, "not-modified", "answered 304 to a form")
        return answer

    async def _follow(self, request: Outgoing, *, ask_robots: bool) -> Answer:
        """The answer at the end of the redirects, each of which is judged like the first."""
        first = str(request.address)
        for _hop in range(REDIRECTS_MAX + 1):
            self._check_replay(request.address)
            interval = await self._robots.check(request.address) if ask_robots else 0.0
            answer = await self._attempts(request, interval)
            if answer.status not in _REDIRECTS:
                return answer
            request = _redirected(request, answer)
        raise FetchFailed(first, "too-many-redirects", f"more than {REDIRECTS_MAX}")

    async def _robots_text(self, url: str) -> bytes:
        request = Outgoing("GET", parsed_address(url), {}, ROBOTS_BYTES_MAX, cut=True)
        answer = await self._follow(request, ask_robots=False)
        return answer.content

    def _check_replay(self, address: httpx.URL) -> None:
        if self.only_allowed and host_of(address) not in self._allowed:
            raise FetchFailed(str(address), "outside-replay", "only the replay site is asked")

    async def _attempts(self, request: Outgoing, interval_seconds: float) -> Answer:
        """A 200, 304 or redirect; a passing fault is tried again."""
        pace = self._pace.no_faster_than(interval_seconds)
        for attempt in range(1, self._retries.attempts_max + 1):
            last = attempt == self._retries.attempts_max
            try:
                return await self._attempt(request, pace)
            except PassingFault as fault:
                if last:
                    detail = f"{fault.detail}, in {attempt} tries"
                    raise FetchFailed(str(request.address), fault.reason, detail) from fault
            await asyncio.sleep(self._retries.wait_seconds(attempt))
        raise AssertionError("unreachable")

    async def _attempt(self, request: Outgoing, pace: Pace) -> Answer:
        url, host = str(request.address), host_of(request.address)
        lease_seconds = self._limits.request_seconds + _LEASE_MARGIN_SECONDS
        turn = await self._budget.take(url, host, pace, lease_seconds)
        outcome: Outcome = "unknown"
        pause = 0.0
        try:
            answer = await self._exchange.send(request)
            outcome = "bad" if answer.status >= 500 else "good"
            pause = _pause(answer)
        except PassingFault:
            outcome = "bad"
            raise
        except FetchFailed as failed:
            outcome = "unknown" if failed.reason == "private-address" else "good"
            raise
        finally:
            await self._budget.give_back(turn, outcome, pause)
        if answer.status in {200, 304} or answer.status in _REDIRECTS:
            return answer
        reason, detail = f"status-{answer.status}", "answered so"
        if answer.status in RETRIED_STATUSES:
            raise PassingFault(reason, detail)
        raise FetchFailed(url, reason, detail)


def open_client(
    redis_url: str,
    pace: Pace,
    *,
    contact: str = "",
    replay_url: str = "",
    credentials: Mapping[str, str] | None = None,
    crawls: bool = True,
) -> PoliteClient:
    """A client of this installation; with a replay site it asks that site and no other."""
    redis = None
    if redis_url:
        redis = Redis.from_url(
            redis_url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
    allowed = frozenset({host_of(parsed_address(replay_url))} if replay_url else ())
    return PoliteClient(
        redis,
        pace,
        contact=contact,
        allowed=allowed,
        only_allowed=bool(replay_url),
        credentials=credentials,
        crawls=crawls,
    )


def user_agent(contact: str) -> str:
    """Who asks. `contact` is a web address or e-mail. Raises ValueError if it is neither."""
    if not contact:
        return f"{PRODUCT}/1.0"
    if not _CONTACT.fullmatch(contact):
        raise ValueError(f"crawler contact {contact!r} must be a web address or an e-mail address")
    return f"{PRODUCT}/1.0 (+{contact})"


def _redirected(request: Outgoing, answer: Answer) -> Outgoing:
    """The request for where an answer points. Raises FetchFailed."""
    address = request.address
    url, location = str(address), answer.headers.get("location")
    if request.method != "GET":
        raise FetchFailed(url, "bad-redirect", "a form is not sent on")
    if not location:
        raise FetchFailed(url, "bad-redirect", f"{answer.status} without a Location")
    try:
        target = str(address.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchFailed(url, "bad-redirect", str(error)) from error
    following = parsed_address(target)
    if address.scheme == "https" and following.scheme == "http":
        raise FetchFailed(url, "bad-redirect", "from https to http")
    if origin_of(following) == origin_of(address):
        return request._replace(address=following)
    return request._replace(address=following, headers=_without_credentials(request.headers))


def _without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in headers.items() if name.lower() not in _CREDENTIAL_HEADERS
    }


def _pause(answer: Answer) -> float:
    """For how long the host is left alone by everybody, as it asked."""
    if answer.status not in RETRIED_STATUSES:
        return 0.0
    asked_for = answer.headers.get("retry-after")
    if asked_for is None and answer.status == 429:
        return TOO_MANY_SECONDS
    return pause_seconds(asked_for, datetime.now(UTC))
