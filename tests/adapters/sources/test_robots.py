"""robots.txt: asked for before anything else, obeyed, kept for a while."""

from __future__ import annotations

import time

import httpx
import pytest
from redis.asyncio import Redis
from starlette.responses import RedirectResponse

from engine.adapters.sources import robots
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.host_budget import HostBudget
from engine.adapters.sources.robots import ROBOTS_BYTES_MAX, Robots
from tests.adapters.sources.loopback import served
from tests.adapters.sources.test_polite_client import Site, client_at, reason_of, status, text

RULES = """\
User-agent: AIQLeads-intake
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$
Crawl-delay: 0.2

User-agent: *
Disallow: /
"""


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Download:
    """Answers with what stands in `answer`, and counts."""

    def __init__(self, answer: bytes | FetchFailed) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.answer, FetchFailed):
            raise self.answer
        return self.answer


def failed(reason: str) -> FetchFailed:
    return FetchFailed("http://a.example/robots.txt", reason, "so it was")


async def allowed(rules: Robots, url: str) -> bool:
    try:
        await rules.check(httpx.URL(url))
    except FetchFailed as refused:
        if refused.reason != "robots":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("path", "may"),
    [("/", True), ("/private", False), ("/private/x", False), ("/private/open/x", True),
     ("/a.pdf", False), ("/a.pdf?x", True), ("/robots.txt", True), ("/priv%61te", False)],
)  # fmt: skip
async def test_the_rules_for_us_are_obeyed(path: str, may: bool) -> None:
    rules = Robots(Download(RULES.encode()), None)
    assert await allowed(rules, f"http://a.example{path}") == may


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("Crawl-delay: 2.5", 2.5), ("Request-rate: 1/7", 7), ("Request-rate: 30/1m", 2),
     ("Crawl-delay: 3\nRequest-rate: 1/2", 3), ("Crawl-delay: -1", 0), ("Crawl-delay: soon", 0),
     ("Request-rate: 0/5", 0), ("Allow: /", 0)],
)  # fmt: skip
async def test_a_site_may_ask_for_time_between_requests(said: str, seconds: float) -> None:
    rules = Robots(Download(f"User-agent: *\n{said}\n".encode()), None)
    assert await rules.check(httpx.URL("http://a.example/x")) == seconds


async def test_rules_for_others_are_not_ours() -> None:
    # Words of our user agent's comment or of other names are not our name.
    rules = Robots(Download(b"User-agent: intake\nUser-agent: Mozilla\nDisallow: /\n"), None)
    assert await allowed(rules, "http://a.example/x")
    everybody = Robots(Download("\ufeffUser-agent: *\r\nDisallow: /\r\n".encode()), None)
    assert not await allowed(everybody, "http://a.example/x")


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe\x00", b"<html>no robots here</html>", b"Disallow"]
)
async def test_what_says_nothing_allows_everything(text: bytes) -> None:
    assert await allowed(Robots(Download(text), None), "http://a.example/x")


@pytest.mark.parametrize(
    ("reason", "may"),
    [("status-404", True), ("status-403", True), ("status-410", True), ("status-429", False),
     ("status-500", False), ("status-503", False), ("timeout", False), ("unreachable", False),
     ("too-many-redirects", False), ("undecodable", False)],
)  # fmt: skip
async def test_a_site_without_one_is_open_and_one_that_fails_is_not(reason: str, may: bool) -> None:
    assert await allowed(Robots(Download(failed(reason)), None), "http://a.example/x") == may


@pytest.mark.parametrize("reason", ["private-address", "circuit-open", "host-paused", "no-budget"])
async def test_what_is_not_of_the_sites_making_is_told_as_it_is(reason: str) -> None:
    download = Download(failed(reason))
    rules = Robots(download, None)
    for _ in range(2):
        with pytest.raises(FetchFailed) as failure:
            await rules.check(httpx.URL("http://a.example/x"))
        assert failure.value.reason == reason
    assert len(download.asked) == 2


async def test_rules_are_kept_for_a_while() -> None:
    clock, download = Clock(), Download(b"User-agent: *\nDisallow: /no\n")
    rules = Robots(download, None, clock)
    for _ in range(3):
        assert not await allowed(rules, "http://a.example/no")
    assert await allowed(rules, "http://a.example/yes")
    assert len(download.asked) == 1
    assert await allowed(rules, "http://a.example:8080/yes")
    assert download.asked == ["http://a.example:80/robots.txt", "http://a.example:8080/robots.txt"]
    clock.seconds = robots.KEPT_SECONDS + 1
    download.answer = b""
    assert await allowed(rules, "http://a.example/no")


async def test_a_site_that_failed_is_asked_again_later() -> None:
    clock, download = Clock(), Download(failed("status-500"))
    rules = Robots(download, None, clock)
    assert not await allowed(rules, "http://a.example/x")
    assert not await allowed(rules, "http://a.example/y")
    assert len(download.asked) == 1
    clock.seconds = robots.UNREACHABLE_SECONDS + 1
    download.answer = b""
    assert await allowed(rules, "http://a.example/x")


async def test_not_every_site_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "_SITES_MAX", 2)
    download = Download(b"")
    rules = Robots(download, None)
    for host in ("a", "b", "c", "c", "b", "a"):
        assert await allowed(rules, f"http://{host}.example/")
    assert len(download.asked) == 4


async def test_workers_share_what_one_has_read(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        first, second = Download(b"User-agent: *\nDisallow: /no\n"), Download(b"")
        assert not await allowed(Robots(first, redis), "http://shared.example/no")
        assert not await allowed(Robots(second, redis), "http://shared.example/no")
        assert second.asked == []
        [key] = await redis.keys("polite:robots:*shared*")
        assert 0 < await redis.ttl(key) <= robots.KEPT_SECONDS


# --- in the client ---------------------------------------------------------------------------


async def test_a_disallowed_page_is_not_asked_for() -> None:
    site = Site(robots_txt=text(RULES), private=text("secret"), page=text("x"))
    async with served(site) as url, client_at(url) as client:
        assert await reason_of(client, f"{url}/private") == "robots"
        assert await client.get(f"{url}/page") is not None
    assert [each.url.path for each in site.requests] == ["/robots.txt", "/page"]


async def test_a_licensed_service_is_not_crawled() -> None:
    site = Site(robots_txt=text("User-agent: *\nDisallow: /\n"), page=text("x"))
    async with served(site) as url, client_at(url, crawls=False) as client:
        assert await client.get(f"{url}/page") is not None
    assert site.asked("/robots.txt") == []


async def test_redirects_do_not_lead_around_it() -> None:
    site = Site(
        robots_txt=text(RULES), page=lambda _: RedirectResponse("/private"), private=text("secret")
    )
    async with served(site) as url, client_at(url) as client:
        assert await reason_of(client, f"{url}/page") == "robots"
    assert site.asked("/private") == []


async def test_a_robots_txt_elsewhere_counts() -> None:
    site = Site(
        robots_txt=lambda _: RedirectResponse("/rules"), rules=text(RULES), private=text("secret")
    )
    async with served(site) as url, client_at(url) as client:
        assert await reason_of(client, f"{url}/private") == "robots"


async def test_a_site_that_only_fails_is_left_alone() -> None:
    site = Site(robots_txt=status(500), page=text("x"))
    async with served(site) as url, client_at(url) as client:
        for _ in range(3):
            assert await reason_of(client, f"{url}/page") == "robots"
    assert len(site.asked("/robots.txt")) == 3  # Three tries, once.
    assert site.asked("/page") == []


async def test_a_huge_robots_txt_is_read_as_far_as_it_must_be() -> None:
    long = "User-agent: *\nDisallow: /private\n" + "#" * ROBOTS_BYTES_MAX + "\nDisallow: /\n"
    site = Site(robots_txt=text(long), page=text("x"))
    async with served(site) as url, client_at(url) as client:
        assert await client.get(f"{url}/page") is not None
        assert await reason_of(client, f"{url}/private") == "robots"


async def test_the_sites_delay_is_the_least(redis_url: str) -> None:
    site = Site(robots_txt=text(RULES), page=text("x"))
    async with (
        Redis.from_url(redis_url) as redis,
        served(site) as url,
        client_at(url, budget=HostBudget(redis)) as client,
    ):
        await client.get(f"{url}/page")
        began = time.monotonic()
        for _ in range(4):
            await client.get(f"{url}/page")
    # Five a second, however many the source's entry allows.
    assert time.monotonic() - began >= 4 * 0.2 - 0.02
