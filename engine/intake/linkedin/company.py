"""A company's page: what it is, who it shows and what it is hiring for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.intake.document import Document
from engine.intake.linkedin.jobs import read_job_row
from engine.intake.linkedin.places import StatedPlace, place_in_line, place_of_address
from engine.intake.linkedin.relevance import real_estate_word
from engine.intake.linkedin.signals import id_in_address, line_of, rejected, signal
from engine.intake.readings import whole_of
from engine.intake.record import Rejected, Signal
from engine.intake.stated_json import first_stated, objects_in
from engine.market_directory import Market

_ROWS_MAX = 1_000
_EMPLOYEES_MAX = 10_000_000


def read_company(
    company: dict[str, Any], document: Document, markets: Mapping[str, Market]
) -> Iterator[Signal | Rejected]:
    """A `company`, an `agent` for each person shown whose title speaks of real estate, a
    `job-opening` for each job. Rejected as `no-id`."""
    found = company.get("overview")
    overview: dict[str, Any] = found if isinstance(found, dict) else {}
    source_id = id_in_address(overview.get("url"))
    name = line_of(overview.get("name"))
    if source_id is None or name is None:
        yield rejected(document, "no-id", "a company without a name or an address", company)
        return
    industry = line_of(overview.get("Industry"))
    place = _place(overview)
    facts: dict[str, str | int | float | bool | None] = {
        "company": name,
        "industry": industry,
        "company_size": line_of(overview.get("Company size")),
        "employees": whole_of(overview.get("numberOfEmployees"), 1, _EMPLOYEES_MAX),
        "company_type": line_of(overview.get("Type")),
        "founded": line_of(overview.get("Founded")),
        "website": line_of(overview.get("Website")),
        "profile": line_of(overview.get("url")),
    }
    spoken_of = (name, industry, line_of(overview.get("Specialties")))
    yield signal(
        "company", source_id, facts, place, company, document, markets, spoken_of=spoken_of
    )
    for person in _people(company):
        yield from _agent(person, name, place, document, markets)
    for job in objects_in(company, "jobs")[:_ROWS_MAX]:
        yield read_job_row({"company": name, **job}, document, markets)


def _place(overview: dict[str, Any]) -> StatedPlace:
    headquarters = place_in_line(overview.get("Headquarters"))
    address = place_of_address(overview.get("mainAddress"))
    return headquarters if headquarters.city else address


def _people(company: dict[str, Any]) -> list[dict[str, Any]]:
    """People shown on the page itself, and leaders on its page about working there."""
    life = company.get("life")
    return [*objects_in(company, "people"), *objects_in(life, "leaders")][:_ROWS_MAX]


def _agent(
    person: dict[str, Any],
    company: str,
    place: StatedPlace,
    document: Document,
    markets: Mapping[str, Market],
) -> Iterator[Signal]:
    address = first_stated(person.get("url"), person.get("linkeinUrl"), person.get("profileUrl"))
    source_id = id_in_address(address)
    title = line_of(first_stated(person.get("title"), person.get("jobTitle")))
    if source_id is None or real_estate_word(title) is None:
        return
    facts: dict[str, str | int | float | bool | None] = {
        "name": line_of(person.get("name")),
        "title": title,
        "company": company,
        "profile": line_of(address),
    }
    yield signal("agent", source_id, facts, place, person, document, markets, spoken_of=(title,))
