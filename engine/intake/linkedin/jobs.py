"""Openings: rows of a job search, and job pages (schema.org JobPosting)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.intake.document import Document
from engine.intake.linkedin.places import place_in_line, place_of_address
from engine.intake.linkedin.signals import id_in_address, line_of, rejected, signal
from engine.intake.readings import moment_of, number_of, rfc3339
from engine.intake.record import Rejected, Signal
from engine.intake.stated_json import cell_in, first_stated
from engine.market_directory import Market

_NUMBER_AT_END = re.compile(r"(\d{6,20})$")


def is_job_row(value: dict[str, Any]) -> bool:
    return "title" in value and ("jobUrl" in value or "companyUrl" in value)


def is_job_posting(value: dict[str, Any]) -> bool:
    return value.get("@type") == "JobPosting"


def read_job_row(
    row: dict[str, Any], document: Document, markets: Mapping[str, Market]
) -> Signal | Rejected:
    """A `job-opening`; Rejected as `no-id` or `no-title`."""
    title = line_of(row.get("title"))
    address = first_stated(row.get("jobUrl"), row.get("url"))
    path = id_in_address(address)
    if path is None:
        return rejected(document, "no-id", f"an opening without an address: {title}", row)
    if title is None:
        return rejected(document, "no-title", f"{path}: the title is blank", row)
    number = _NUMBER_AT_END.search(path)
    facts: dict[str, str | int | float | bool | None] = {
        "title": title,
        "company": line_of(row.get("company")),
        "company_id": id_in_address(row.get("companyUrl")),
        "posted_on": _day(row.get("timeAdded")),
        "salary": line_of(row.get("salary")),
        "address": line_of(address),
    }
    return signal(
        "job-opening",
        number[1] if number else path,
        facts,
        place_in_line(row.get("address")),
        row,
        document,
        markets,
        spoken_of=(title, line_of(row.get("company"))),
    )


def read_job_posting(
    job: dict[str, Any], document: Document, markets: Mapping[str, Market]
) -> Signal | Rejected:
    """A `job-opening`; Rejected as `no-title`. Its id is what makes it: the company, its own
    number of it or else the title, and the day."""
    title = line_of(job.get("title"))
    company = line_of(cell_in(job, "hiringOrganization", "name"))
    if title is None or company is None:
        return rejected(document, "no-title", "an opening without a title or a company", job)
    posted = rfc3339(moment_of(line_of(job.get("datePosted"))))
    number = line_of(cell_in(job, "identifier", "value"))
    place = place_of_address(cell_in(job, "jobLocation", "address"), job.get("jobLocation"))
    salary = cell_in(job, "baseSalary", "value")
    facts: dict[str, str | int | float | bool | None] = {
        "title": title,
        "company": company,
        "company_id": id_in_address(cell_in(job, "hiringOrganization", "sameAs")),
        "industry": line_of(job.get("industry")),
        "employment_type": line_of(job.get("employmentType")),
        "posted_at": posted,
        "valid_through": rfc3339(moment_of(line_of(job.get("validThrough")))),
        "salary_least": number_of(cell_in(salary, "minValue")),
        "salary_most": number_of(cell_in(salary, "maxValue")),
        "salary_per": line_of(cell_in(salary, "unitText")),
        "salary_currency": line_of(cell_in(job, "baseSalary", "currency")),
    }
    return signal(
        "job-opening",
        f"{company}/{number or title}/{(posted or '')[:10]}",
        facts,
        place,
        job,
        document,
        markets,
        spoken_of=(title, company, line_of(job.get("industry"))),
    )


def _day(cell: object) -> str | None:
    moment = moment_of(line_of(cell))
    return moment.date().isoformat() if moment else None
