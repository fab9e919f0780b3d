"""A person's public page (schema.org Person): an agent, and a move if the page states one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from engine.intake.document import Document
from engine.intake.linkedin.places import place_of_address
from engine.intake.linkedin.relevance import real_estate_word
from engine.intake.linkedin.signals import id_in_address, line_of, rejected, signal
from engine.intake.record import Rejected, Signal
from engine.intake.stated_json import cell_in
from engine.market_directory import Market

# A start so many months after an end is still the same move.
_MOVE_MONTHS_MAX = 12
_EXPERIENCES_MAX = 200
_SCHOOL = re.compile(r"School|Education|College|University")


class Experience(msgspec.Struct, frozen=True):
    """A post at a company. Months are counted from the year 0; a bare year is its January."""

    company: str
    started: str | None
    ended: str | None
    started_month: int | None
    ended_month: int | None


def read_person(
    person: dict[str, Any], document: Document, markets: Mapping[str, Market]
) -> Iterator[Signal | Rejected]:
    """An `agent`, and a `job-move` where one post ends and another starts. Rejected as
    `no-id`, or as `not-real-estate` if no title or company speaks of it."""
    source_id = id_in_address(person.get("url")) or id_in_address(person.get("sameAs"))
    if source_id is None:
        yield rejected(document, "no-id", "a person without an address", person)
        return
    titles = [line for each in _listed(person.get("jobTitle")) if (line := line_of(each))]
    experiences = _experiences(person)
    companies = [each.company for each in experiences]
    spoken_of = (*titles, *companies)
    if real_estate_word(*spoken_of) is None:
        yield rejected(
            document, "not-real-estate", f"{source_id}: no title speaks of it", person, source_id
        )
        return
    place = place_of_address(person.get("address"))
    current = next((each for each in experiences if each.ended is None), None)
    facts: dict[str, str | int | float | bool | None] = {
        "name": line_of(person.get("name")),
        "title": titles[0] if titles else None,
        "company": current.company if current else None,
        "profile": line_of(person.get("url")),
    }
    yield signal("agent", source_id, facts, place, person, document, markets, spoken_of=spoken_of)
    move = _move(experiences)
    if move is not None:
        left, joined = move
        moved: dict[str, str | int | float | bool | None] = {
            "name": facts["name"],
            "title": facts["title"],
            "left_company": left.company,
            "left_at": left.ended,
            "joined_company": joined.company,
            "joined_at": joined.started,
        }
        move_id = f"{source_id}#{joined.company}:{joined.started}"
        yield signal(
            "job-move", move_id, moved, place, person, document, markets, spoken_of=spoken_of
        )


def _experiences(person: dict[str, Any]) -> list[Experience]:
    found = []
    for organisation in _flat(person.get("worksFor")) + _flat(person.get("alumniOf")):
        # Schools stand among the former employers.
        if _SCHOOL.search(str(organisation.get("@type"))):
            continue
        company = line_of(organisation.get("name"))
        if company is not None:
            found.append(_experience(company, organisation.get("member")))
    return found


def _experience(company: str, member: object) -> Experience:
    role = member[0] if isinstance(member, list) and member else member
    started, ended = line_of(cell_in(role, "startDate")), line_of(cell_in(role, "endDate"))
    return Experience(
        company=company,
        started=started,
        ended=ended,
        started_month=_month(started),
        ended_month=_month(ended),
    )


def _move(experiences: list[Experience]) -> tuple[Experience, Experience] | None:
    """The latest (left, joined), None unless one post states its end and another, lasting
    one its start, at most a year apart."""
    pairs = [
        (left, joined)
        for left in experiences
        for joined in experiences
        if left.company != joined.company and _is_move(left, joined)
    ]
    return max(pairs, key=lambda pair: pair[1].started_month or 0, default=None)


def _is_move(left: Experience, joined: Experience) -> bool:
    if left.ended_month is None or joined.started_month is None or joined.ended is not None:
        return False
    return 0 <= joined.started_month - left.ended_month <= _MOVE_MONTHS_MAX


def _month(text: str | None) -> int | None:
    """Months since the year 0 of `2015` or `2015-03`."""
    year, _, rest = (text or "").partition("-")
    month = rest.partition("-")[0] or "1"
    if not (year.isdecimal() and len(year) == 4 and month.isdecimal() and len(month) <= 2):
        return None
    return int(year) * 12 + int(month) - 1 if 1 <= int(month) <= 12 else None


def _listed(value: object) -> list[Any]:
    return value[:_EXPERIENCES_MAX] if isinstance(value, list) else [value]


def _flat(value: object) -> list[dict[str, Any]]:
    """Objects in lists, which the site nests once more at times."""
    found: list[dict[str, Any]] = []
    for each in _listed(value):
        inner = each if isinstance(each, list) else [each]
        found.extend(one for one in inner[:_EXPERIENCES_MAX] if isinstance(one, dict))
    return found[:_EXPERIENCES_MAX]
