"""The client against real HTTP: what it sends, repeats, follows and remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.host_budget import HostBudget
from engine.adapters.sources.pace import Breaker, Pace
from engine.adapters.sources.polite_client import PoliteClient, user_agent
from engine.adapters.sources.retries import Retries, pause_seconds
from tests.adapters.sources.budgets import roomy_budget
from tests.adapters.sources.loopback import served

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
QUICK = Retries(attempts_max=3, back_off_seconds=0.01)
Page = Callable[[Request], Response]


class Site:
    """Pages by path; what was asked stands in `requests`."""

    def __init__(self, **pages: Page) -> None:
        self.pages = pages
        self.requests: list[Request] = []
        self.forms: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self.requests.append(request)
        self.forms.append(await request.body())
        page = self.pages.get(request.url.path.strip("/").replace(".", "_"))
        response = Response(status_code=404) if page is None else page(request)
        await response(scope, receive, send)

    def asked(self, path: str) -> list[Request]:
        return [each for each in self.requests if each.url.path == path]


def text(content: str, **settings: Any) -> Page:
    return lambda _request: PlainTextResponse(content, **settings)


def to(location: str, code: int = 302) -> Page:
    return lambda _request: RedirectResponse(location, code)


def status(code: int, **headers: str) -> Page:
    return lambda _request: Response(
        status_code=code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@asynccontextmanager
async def client_at(*urls: str, **settings: Any) -> AsyncIterator[PoliteClient]:
    chosen: dict[str, Any] = {"retries": QUICK, "budget": roomy_budget(), **settings}
    allowed = frozenset(url.removeprefix("http://") for url in urls)
    redis = chosen.pop("redis", None)
    async with PoliteClient(redis, Pace(1e5, 50), allowed=allowed, **chosen) as client:
        yield client


async def reason_of(client: PoliteClient, url: str) -> str:
    with pytest.raises(FetchFailed) as failure:
        await client.get(url)
    return failure.value.reason


# --- who asks, and for what ------------------------------------------------------------------


async def test_every_request_says_who_asks() -> None:
    site = Site(page=text("x"))
    async with served(site) as url, client_at(url, contact="ops@leads.example") as client:
        await client.get(f"{url}/page")
    assert {each.headers["user-agent"] for each in site.requests} == {
        "AIQLeads-intake/1.0 (+ops@leads.example)"
    }
    assert site.requests[-1].headers["host"] == url.removeprefix("http://")
    assert "cookie" not in site.requests[-1].headers


def test_a_contact_is_one_line() -> None:
    assert user_agent("") == "AIQLeads-intake/1.0"
    for contact in ("a b", "x\r\nX-Evil: 1", "é", "x" * 201):
        with pytest.raises(ValueError, match="web address or an e-mail"):
            user_agent(contact)


async def test_a_copy_that_is_current_is_not_sent_again() -> None:
    def page(request: Request) -> Response:
        known = request.headers.get("if-none-match") == '"1"' or "if-modified-since" in (
            request.headers
        )
        return Response(status_code=304) if known else PlainTextResponse("new")

    site = Site(page=page, always=status(304))
    async with served(site) as url, client_at(url) as client:
        assert await client.get(f"{url}/page", etag='"1"') is None
        assert (
            await client.get(f"{url}/page", last_modified="Fri, 01 May 2026 12:00:00 GMT") is None
        )
        changed = await client.get(f"{url}/page", etag='"0"')
        assert changed is not None
        assert changed.content == b"new"
        assert await reason_of(client, f"{url}/always") == "not-modified"


async def test_what_a_page_says_of_itself() -> None:
    site = Site(
        latin=lambda _: Response(
            "caf\u00e9".encode("latin-1"),
            headers={"Content-Type": 'Text/HTML; Charset="ISO-8859-1"'},
        ),
        bare=lambda _: Response(b"x"),
    )
    async with served(site) as url, client_at(url) as client:
        latin = await client.get(f"{url}/latin#there")
        bare = await client.get(f"{url}/bare")
    assert latin is not None
    assert bare is not None
    assert (latin.media_type, latin.charset) == ("text/html", "iso-8859-1")
    assert latin.content == b"caf\xe9"
    assert latin.url == f"{url}/latin"
    assert (bare.media_type, bare.charset) == (None, None)


# --- again -----------------------------------------------------------------------------------


async def test_a_passing_fault_is_tried_again() -> None:
    def page(_request: Request) -> Response:
        return (
            PlainTextResponse("at last")
            if len(site.asked("/page")) == 3
            else Response(status_code=503)
        )

    site = Site(page=page)
    async with served(site) as url, client_at(url) as client:
        answer = await client.get(f"{url}/page")
    assert answer is not None
    assert answer.content == b"at last"


@pytest.mark.parametrize(("code", "tries"), [(500, 3), (502, 3), (429, 3), (404, 1), (403, 1),
                                             (401, 1), (410, 1), (204, 1), (206, 1)])  # fmt: skip
async def test_what_is_no_answer_fails_with_its_status(code: int, tries: int) -> None:
    site = Site(page=status(code))
    async with served(site) as url, client_at(url) as client:
        assert await reason_of(client, f"{url}/page") == f"status-{code}"
    assert len(site.asked("/page")) == tries


async def test_retry_after_is_waited_for_by_everybody(redis_url: str) -> None:
    asked = asyncio.Event()

    def page(_request: Request) -> Response:
        asked.set()
        first = len(site.asked("/page")) == 1
        headers = {"Retry-After": "1"}
        return Response(status_code=429, headers=headers) if first else PlainTextResponse("now")

    site = Site(page=page, other=text("other"))
    async with (
        served(site) as url,
        client_at(url, redis=Redis.from_url(redis_url), budget=None) as one,
        client_at(url, redis=Redis.from_url(redis_url), budget=None) as two,
    ):
        await two.get(f"{url}/other")
        began = time.monotonic()
        asking = asyncio.create_task(one.get(f"{url}/page"))
        await asyncio.wait_for(asked.wait(), 10)
        await asyncio.sleep(0.1)
        await two.get(f"{url}/other")
        assert time.monotonic() - began >= 1.0
        answer = await asking
    assert answer is not None
    assert answer.content == b"now"


def test_retry_after_in_seconds_or_as_a_date() -> None:
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    earlier = format_datetime(NOW - timedelta(seconds=90), usegmt=True)
    for header, seconds in {
        None: 0, "0": 0, "7": 7, " 7 ": 7, later: 90, earlier: 0, "9" * 400: 3_600, "-5": 0,
        "soon": 0, "1.5": 0, "\u0667": 0, "": 0,
        "Fri, 31 Dec 9999 23:59:59 GMT": 3_600, "Fri, 99 Dec 2026 23:59:59 GMT": 0,
    }.items():  # fmt: skip
        assert pause_seconds(header, NOW) == seconds, header


def test_back_off_doubles_below_a_ceiling() -> None:
    retries = Retries(back_off_seconds=1.0, back_off_seconds_max=5.0)
    for attempt, ceiling in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (400, 5.0)):
        waits = [retries.wait_seconds(attempt) for _ in range(200)]
        assert 0 <= min(waits) < ceiling * 0.2
        assert ceiling * 0.8 < max(waits) <= ceiling


async def test_a_host_that_fails_is_left_alone_then_tried(redis_url: str) -> None:
    well = False

    def page(_request: Request) -> Response:
        return PlainTextResponse("well") if well else Response(status_code=500)

    site = Site(page=page)
    redis = Redis.from_url(redis_url)
    budget = HostBudget(redis, breaker=Breaker(failures_max=3, open_seconds=0.3))
    async with served(site) as url, client_at(url, redis=redis, budget=budget) as client:
        assert await reason_of(client, f"{url}/page") == "status-500"
        assert await reason_of(client, f"{url}/page") == "circuit-open"
        assert len(site.asked("/page")) == 3
        await asyncio.sleep(0.32)
        well = True
        for _ in range(3):
            assert await client.get(f"{url}/page") is not None


async def test_a_site_that_is_not_there() -> None:
    async with client_at("127.0.0.1:9") as client:
        with pytest.raises(FetchFailed) as failure:
            await client.get("http://127.0.0.1:9/x")
        # Port 9 is none of a web site's.
        assert failure.value.reason == "bad-address"
    async with served(Site()) as url:
        pass
    async with client_at(url) as client:
        with pytest.raises(FetchFailed) as failure:
            await client.get(f"{url}/x")
        assert failure.value.reason == "robots"
        assert "unreachable" in failure.value.detail


# --- elsewhere -------------------------------------------------------------------------------


async def test_redirects_are_followed_and_judged() -> None:
    hops = {f"hop{n}": to(f"hop{n + 1}") for n in range(6)}
    site = Site(page=text("here"), there=to("/page#x"), **hops, hop6=text("the end"))
    async with served(site) as url, client_at(url) as client:
        answer = await client.get(f"{url}/there")
        assert answer is not None
        assert answer.url == f"{url}/page"
        assert (await client.get(f"{url}/hop1")) is not None
        assert await reason_of(client, f"{url}/hop0") == "too-many-redirects"


async def test_credentials_stay_with_their_host() -> None:
    other = Site(page=text("other"))
    async with served(other) as there:
        site = Site(away=to(f"{there}/page"), near=to("/page"), page=text("x"))
        async with served(site) as url, client_at(url, there) as client:
            secrets = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "X-Other": "kept"}
            await client.get(f"{url}/near", headers=secrets)
            await client.get(f"{url}/away", headers=secrets)
    assert site.asked("/page")[0].headers["authorization"] == "Bearer secret"
    assert site.asked("/robots.txt")[0].headers.get("authorization") is None
    [arrived] = other.asked("/page")
    assert arrived.headers["x-other"] == "kept"
    assert "secret" not in str(arrived.headers.raw)


async def test_a_form_is_sent_and_not_sent_on() -> None:
    site = Site(token=text("granted"), away=to("/token", 307))
    async with served(site) as url, client_at(url) as client:
        answer = await client.post(f"{url}/token", {"a": "1 &2"}, {"Accept": "application/json"})
        assert answer.content == b"granted"
        with pytest.raises(FetchFailed) as failure:
            await client.post(f"{url}/away", {"a": "1"}, {})
    assert failure.value.reason == "bad-redirect"
    assert b"a=1+%262" in site.forms or b"a=1%20%262" in site.forms
    assert len(site.asked("/token")) == 1
