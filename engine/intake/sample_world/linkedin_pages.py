"""The professional network in the sample world: invented agents, companies and openings.

They are of no home, so they are drawn from the market's name alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from engine.intake.invented_contact import FIRST_NAMES, LAST_NAMES
from engine.intake.sample_world.page_frame import framed
from engine.intake.sample_world.places import NEIGHBOURHOODS
from engine.intake.sample_world.seen import Seen

AGENTS_PER_MARKET = 12
OPENINGS_PER_MARKET = 20

_HOST = "https://www.linkedin.com"
_MOVED_SHARE = 0.3
_TITLES = ("Realtor", "Associate Broker", "Property Manager", "Leasing Consultant")
_TRADES = ("Realty", "Property Management", "Real Estate Group", "Mortgage")


def linkedin_documents(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """A page for each agent, one list of companies, one of openings; none after part 0."""
    if part > 0:
        return
    rng = random.Random(f"linkedin/{market}")
    areas = NEIGHBOURHOODS.get(market)
    place = f"Greater {areas[0].city if areas else market.replace('-', ' ').title()} Area"
    companies = [f"{name} {trade}" for name, trade in zip(_names(rng), _TRADES, strict=False)]
    for number in range(AGENTS_PER_MARKET):
        person = _agent(market, number, place, companies, as_of, rng)
        script = 'type="application/ld+json"'
        page = framed(person["name"], person, script=script)
        yield f"{market}_agent_{number:02d}.html", "text/html", page
    overviews = [_company(company, place, rng) for company in companies]
    yield f"{market}_companies.json", "application/json", json.dumps(overviews).encode()
    rows = [_opening(market, n, place, companies, as_of, rng) for n in range(OPENINGS_PER_MARKET)]
    yield f"{market}_openings.json", "application/json", json.dumps(rows).encode()


def _names(rng: random.Random) -> list[str]:
    return rng.sample(sorted(LAST_NAMES), len(_TRADES))


def _agent(
    market: str,
    number: int,
    place: str,
    companies: list[str],
    as_of: datetime,
    rng: random.Random,
) -> dict[str, Any]:
    """Some have left one company for another within the year."""
    joined, left = rng.sample(companies, 2)
    started = as_of - timedelta(days=rng.randrange(30, 300))
    posts = [{"name": joined, "member": {"startDate": f"{started:%Y-%m}"}}]
    if rng.random() < _MOVED_SHARE:
        ended = started - timedelta(days=31)
        member = {"startDate": started.year - 4, "endDate": f"{ended:%Y-%m}"}
        posts.append({"name": left, "member": member})
    return {
        "@context": "http://schema.org",
        "@type": "Person",
        "name": f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
        "url": f"{_HOST}/in/sample-{market}-{number}",
        "jobTitle": [rng.choice(_TITLES)],
        "address": {"@type": "PostalAddress", "addressLocality": place},
        "worksFor": posts,
        "is_sample": True,
    }


def _company(company: str, place: str, rng: random.Random) -> dict[str, Any]:
    overview = {
        "name": company,
        "url": f"{_HOST}/company/sample-{_slug(company)}",
        "Headquarters": place,
        "Industry": "Real Estate",
        "numberOfEmployees": rng.randrange(4, 400),
        "Founded": str(rng.randrange(1960, 2020)),
    }
    return {"overview": overview, "life": {"leaders": []}, "is_sample": True}


def _opening(
    market: str,
    number: int,
    place: str,
    companies: list[str],
    as_of: datetime,
    rng: random.Random,
) -> dict[str, Any]:
    company, title = rng.choice(companies), rng.choice(_TITLES)
    day = as_of - timedelta(days=rng.randrange(30))
    path = f"jobs/view/{_slug(title)}-sample-{market}-{900_000 + number}"
    return {
        "title": title,
        "company": company,
        "address": place,
        "timeAdded": f"{day:%Y-%m-%d}",
        "jobUrl": f"{_HOST}/{path}",
        "companyUrl": f"{_HOST}/company/sample-{_slug(company)}",
        "is_sample": True,
    }


def _slug(words: str) -> str:
    return words.lower().replace(" ", "-")
