"""People, companies and openings become signals of what the network states, no more."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.document import Document, Parsed
from engine.intake.linkedin import linkedin_parser, parse
from engine.intake.linkedin.places import market_of, place_in_line
from engine.intake.linkedin.relevance import real_estate_word
from engine.intake.record import Rejected, Signal
from engine.market_directory import load_markets

MARKETS = load_markets()
PERSON: dict[str, Any] = {
    "@type": "Person",
    "name": "Ada Example",
    "url": "https://www.linkedin.com/in/ada-example?trk=x",
    "jobTitle": ["Realtor", "Trainer"],
    "address": {"addressLocality": "Austin, Texas, United States", "addressCountry": "US"},
    "email": "ada@example.com",
    "worksFor": [
        [
            {"name": "Lake Homes", "member": {"startDate": "2025-03"}},
            {"name": "Old Realty", "member": {"startDate": 2015, "endDate": "2025-01"}},
        ]
    ],
    "alumniOf": [
        {
            "@type": "EducationalOrganization",
            "name": "A School",
            "member": {"startDate": 2010, "endDate": 2014},
        }
    ],
}
COMPANY: dict[str, Any] = {
    "overview": {
        "name": "Desert Realty",
        "url": "https://www.linkedin.com/company/desert-realty",
        "Headquarters": "Phoenix, AZ",
        "Industry": "Real Estate",
        "Company size": "11-50 employees",
        "numberOfEmployees": 31,
        "Founded": "1999",
    },
    "life": {
        "leaders": [
            {"name": "B", "title": "Managing Broker", "url": "https://www.linkedin.com/in/b"},
            {"name": "C", "title": "Cook", "url": "https://www.linkedin.com/in/c"},
        ]
    },
    "jobs": [{"title": "Leasing Agent", "url": "https://www.linkedin.com/jobs/view/x-3703082773"}],
}
ROW: dict[str, Any] = {
    "title": "Property Manager",
    "company": "MindPal",
    "address": "Las Vegas, NV",
    "timeAdded": "2023-08-24",
    "jobUrl": "https://www.linkedin.com/jobs/view/property-manager-at-mindpal-3703087172",
    "companyUrl": "https://www.linkedin.com/company/mindpal.co",
    "salary": None,
}
POSTING: dict[str, Any] = {
    "@type": "JobPosting",
    "title": "Python Developer",
    "datePosted": "2024-03-07T14:20:22.000Z",
    "hiringOrganization": {"name": "L", "sameAs": "https://in.linkedin.com/company/l"},
    "identifier": {"value": "1474"},
    "jobLocation": {
        "address": {"addressLocality": "Irving", "addressRegion": "TX"},
        "latitude": 32.81,
        "longitude": -96.95,
    },
    "baseSalary": {"currency": "USD", "value": {"minValue": 98015, "unitText": "YEAR"}},
}


def found(value: object) -> list[Parsed]:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    document = Document(url="u", content=content, fetched_at="2026-01-15T00:00:00Z")
    return list(linkedin_parser(MARKETS)(document))


def signals(value: object) -> list[Signal]:
    return [each for each in found(value) if isinstance(each, Signal)]


def refusal(value: object) -> str:
    [rejected] = found(value)
    assert isinstance(rejected, Rejected)
    return rejected.reason


def test_an_agent_who_moved() -> None:
    agent, move = signals([{"profile": PERSON, "posts": [{"@type": "Article"}]}])
    assert (agent.kind, agent.source_id, agent.market) == ("agent", "in/ada-example", "austin")
    assert agent.facts == {
        "name": "Ada Example",
        "title": "Realtor",
        "company": "Lake Homes",
        "profile": "https://www.linkedin.com/in/ada-example?trk=x",
        "city": "Austin",
        "state": "Texas",
        "real_estate": True,
        "real_estate_word": "Realtor",
    }
    assert agent.seen_at == "2026-01-15T00:00:00Z"
    assert move.kind == "job-move"
    assert (move.facts["left_company"], move.facts["left_at"]) == ("Old Realty", "2025-01")
    assert (move.facts["joined_company"], move.facts["joined_at"]) == ("Lake Homes", "2025-03")


@pytest.mark.parametrize(
    ("left", "joined"),
    [
        ({"startDate": 2015}, {"startDate": "2025-03"}),
        ({"startDate": 2015, "endDate": "2023-01"}, {"startDate": "2025-03"}),
        ({"endDate": "2025-06"}, {"startDate": "2025-03"}),
        ({"endDate": "2025-01"}, {}),
        ({"endDate": "2025-01"}, {"startDate": "2025-03", "endDate": "2025-09"}),
        ({"endDate": "2025-13"}, {"startDate": "soon"}),
        ([], "x"),
    ],
)
def test_no_move_is_made_of_less(left: object, joined: object) -> None:
    works_for = [{"name": "Old Realty", "member": left}, {"name": "New", "member": joined}]
    kinds = [each.kind for each in signals(PERSON | {"worksFor": works_for})]
    assert kinds == ["agent"]


def test_no_private_contact_is_kept() -> None:
    assert "ada@example.com" not in str(signals(PERSON))


def test_a_person_of_another_trade_is_no_agent() -> None:
    other = PERSON | {"jobTitle": ["Founder"], "worksFor": [{"name": "Microsoft"}]}
    assert refusal(other) == "not-real-estate"


def test_a_company_its_people_and_its_openings() -> None:
    company, agent, job = signals([COMPANY])
    assert (company.kind, company.source_id) == ("company", "company/desert-realty")
    assert company.market == "phoenix"
    assert company.facts["employees"] == 31
    assert company.facts["real_estate_word"] == "Realty"
    assert (agent.kind, agent.source_id, agent.facts["title"]) == (
        "agent",
        "in/b",
        "Managing Broker",
    )
    assert (job.kind, job.source_id, job.facts["company"]) == (
        "job-opening",
        "3703082773",
        "Desert Realty",
    )


def test_a_row_of_a_job_search() -> None:
    [job] = signals([ROW])
    assert (job.kind, job.source_id, job.market) == ("job-opening", "3703087172", "las-vegas")
    assert job.facts["company_id"] == "company/mindpal.co"
    assert job.facts["posted_on"] == "2023-08-24"
    assert job.facts["real_estate"] is True


def test_a_job_page() -> None:
    script = f'<script type="application/ld+json">{json.dumps(POSTING)}</script>'
    [job] = signals(f"<html>{script}</html>".encode())
    assert [job] == signals([POSTING])
    assert (job.source_id, job.market) == ("L/1474/2024-03-07", "dallas")
    assert job.facts["posted_at"] == "2024-03-07T14:20:22Z"
    assert job.facts["salary_least"] == 98015
    assert job.facts["real_estate"] is False


def test_without_markets_there_is_no_market() -> None:
    [job] = parse(Document(url="u", content=json.dumps([ROW]).encode()))
    assert isinstance(job, Signal)
    assert job.market is None


@pytest.mark.parametrize(
    ("line", "market"),
    [
        ("Las Vegas, NV", "las-vegas"),
        ("Las Vegas, New Mexico", None),
        ("Greater Phoenix Area", "phoenix"),
        ("Dallas-Fort Worth Metroplex", "dallas"),
        ("Fort Worth, Texas, United States", "dallas"),
        ("Austin, MN", None),
        ("Georgia", None),
        ("Phoenixville, PA", None),
        ("", None),
    ],
)
def test_places(line: str, market: str | None) -> None:
    assert market_of(place_in_line(line), MARKETS) == market


@pytest.mark.parametrize(
    ("title", "word"),
    [
        ("REALTOR® at X", "REALTOR"),
        ("Broker/Owner", "Broker"),
        ("Insurance Broker", None),
        ("Software Engineer, Message Broker", None),
        ("Property Management Assistant", "Property Management"),
        ("Surrealty artist", None),
        (None, None),
    ],
)
def test_real_estate_words(title: str | None, word: str | None) -> None:
    assert real_estate_word(title) == word


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty-document"),
        (b"{", "broken-json"),
        ([], "no-objects"),
        ([1, None], "no-objects"),
        (b"<html></html>", "no-objects"),
        ([{"a": 1}], "unknown-object"),
        ([{"overview": None}], "no-id"),
        ([PERSON | {"url": None}], "no-id"),
        ([ROW | {"jobUrl": "x"}], "no-id"),
        ([ROW | {"title": " "}], "no-title"),
        ([POSTING | {"title": None}], "no-title"),
    ],
)
def test_refusals(value: object, reason: str) -> None:
    assert refusal(value) == reason


_KEYS = [*PERSON, *COMPANY, *COMPANY["overview"], *ROW, *POSTING, "profile", "member", "name"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_JSON, st.sampled_from([PERSON, COMPANY, ROW, POSTING]), st.sampled_from(_KEYS))
def test_any_json_is_taken(odd: object, whole: dict[str, Any], key: str) -> None:
    for value in (odd, [whole | {key: odd}], {"overview": odd, "jobs": [odd]}):
        for each in found(json.dumps(value).encode()):
            assert isinstance(each, Signal | Rejected)


def test_a_page_of_open_scripts_takes_no_longer_than_its_length() -> None:
    page = b"<html>" + b'<script type="application/ld+json">{' * 200_000
    started = time.process_time()
    assert len(found(page)) == 1
    assert time.process_time() - started < 10


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 1500), st.integers(0, 1500))
def test_any_bytes_are_taken(noise: bytes, start: int, length: int) -> None:
    whole = json.dumps([PERSON, COMPANY, ROW, POSTING]).encode()
    for each in found(whole[:start] + noise + whole[start + length :]):
        assert isinstance(each, Signal | Rejected)


def test_captured_documents(captures: Path) -> None:
    for path in sorted((captures / "linkedin").glob("*.json")):
        parsed = found(path.read_bytes())
        assert len(parsed) >= len(json.loads(path.read_bytes()))
        for each in parsed:
            assert isinstance(each, Signal) or each.reason == "not-real-estate"
