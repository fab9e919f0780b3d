"""A folder of captured posts in which some contacts are canaries: words that occur nowhere else.

They stand in every contact field and again, in several spellings, in the remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.home import Home, Person, Sighting
from engine.intake.sample_world.post_page import post_page
from engine.intake.sample_world.seen import Seen, as_seen
from engine.market_directory import load_markets

HOMES = 60
_SEED = 77
_AS_OF = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_FOLDERS = {"las-vegas": "lasvegas"}
_BODY = '<section id="postingbody">\n'

PERSON = Person(
    name="Zephyrina Quokkafeather",
    phone="+1 512 555 0177 ext. 4242",
    email="zq.canary7731@quokkamail.example",
)
LATITUDE, LONGITUDE = 30.271937, -97.745219
STREET_NAME = "Wombatgrove Trl"
MARKET = "austin"
# Each home's number makes its canaries one lead of their own.
_SPELLINGS = (
    "Call Zephyrina Quokkafeather at (512) 555-0177!",
    "ZEPHYRINA   QUOKKAFEATHER // 512.555.0177 x4242",
    "Quokkafeather, Zephyrina: 5 1 2 5 5 5 0 1 7 7",
    "five one two five five five zero one seven seven, ask for zephyrina.quokkafeather",
    "Zéphyrina Quökkafeather +1-512-555-0177",
    "ZQ.CANARY7731@QUOKKAMAIL.EXAMPLE or zq.canary7731 at quokkamail dot example",
    "zq.canary7731 (at) quokkamail (dot) example",
    "{number} Wombatgrove Trail, {number} WOMBATGROVE TRL, {number} wombatgrove trl.",
    "Pin: 30.271937, -97.745219",
    "https://quokkamail.example/zq.canary7731?m=5125550177 www.quokkamail.example",
)
# How a canary reads when only letters and digits are kept.
NEEDLES = (
    "zephyrina",
    "quokkafeather",
    "5125550177",
    "fiveonetwofivefivefive",
    "zqcanary7731",
    "quokkamail",
    "wombatgrove",
    "30271937",
    "97745219",
)
# What somebody would search for who knows the canary.
QUESTIONS = (
    "Zephyrina",
    "Quokkafeather",
    '"Zephyrina Quokkafeather"',
    "zq.canary7731@quokkamail.example",
    "5125550177",
    "512-555-0177",
    "Wombatgrove",
    "quokkamail",
)


def write_captures(folder: Path) -> int:
    """Write the posts; how many homes carry canaries."""
    markets = list(load_markets().values())
    world = SampleWorld(_SEED, HOMES, markets)
    canaries = 0
    for market in world_markets(world, (market.slug for market in markets)):
        place = folder / "craigslist" / "posts_html" / _FOLDERS.get(market, market)
        place.mkdir(parents=True)
        for index in world.homes_of(market):
            home = world.homes[index]
            planted = market == MARKET and home.for_rent
            post_id = str(7_000_000_000 + index * 10)
            seen = as_seen(home, Sighting("craigslist", post_id))
            if planted:
                canaries += 1
                seen = _with_canaries(home, seen)
            page = post_page(seen, as_of=_AS_OF)
            (place / f"{post_id}.html").write_bytes(_plant(page, seen) if planted else page)
        if market == MARKET:
            home = world.homes[world.homes_of(market)[0]]
            seen = as_seen(home, Sighting("craigslist", "7900000000"))
            _write_broken_pages(place, _with_canaries(home, seen))
    return canaries


def world_markets(world: SampleWorld, slugs: Iterable[str]) -> list[str]:
    return [slug for slug in slugs if len(world.homes_of(slug))]


def _with_canaries(home: Home, seen: Seen) -> Seen:
    planted = msgspec.structs.replace(
        home, street=f"{4000 + home.index} {STREET_NAME}", person=PERSON, scam=None
    )
    return msgspec.structs.replace(
        as_seen(planted, Sighting(seen.source, seen.source_id)),
        street=planted.street,
        person=PERSON,
        latitude=LATITUDE,
        longitude=LONGITUDE,
    )


def _plant(page: bytes, seen: Seen) -> bytes:
    assert seen.street is not None
    number = seen.street.split()[0]
    lines = "<br>\n".join(_SPELLINGS).format(number=number)
    text = page.decode()
    assert _BODY in text
    return text.replace(_BODY, f"{_BODY}{lines}<br>\n").encode()


def _write_broken_pages(place: Path, seen: Seen) -> None:
    """Pages that can't become leads: what is kept of them must not tell either."""
    whole = _plant(post_page(seen, as_of=_AS_OF), seen)
    broken = {
        "7900000010": whole[: len(whole) // 3],
        "7900000020": whole.replace(b"30.271937", b"61.271937"),
        "7900000030": re.sub(rb'<script type="application/ld.json".*?</script>', b"", whole),
        "7900000040": re.sub(rb"<h1.*?</h1>", b"", whole, flags=re.DOTALL),
        "7900000050": whole.replace(b"</script>", b"{", 1),
    }
    for post_id, page in broken.items():
        (place / f"{post_id}.html").write_bytes(page)


def canaries_in(text: str) -> list[str]:
    """Which canaries a text gives away, however they are written."""
    folded = re.sub(r"\\u00[0-9a-f]{2}", "", text.lower())
    bare = re.sub(r"[^a-z0-9]", "", folded)
    return [needle for needle in NEEDLES if needle in bare]
