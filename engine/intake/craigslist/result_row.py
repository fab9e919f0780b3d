"""One row of a list of results: the little that is shown of a post before it is opened."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urljoin

import msgspec

from engine.intake.craigslist.page import DETAIL_LENGTH_MAX, POST_ID_IN_URL, SOURCE
from engine.intake.craigslist.sections import is_for_rent, refusal, section_in
from engine.intake.property_kinds import property_kind
from engine.intake.readings import rfc3339
from engine.intake.record import Rejected, SourceRecord
from engine.market.answers import Contact

TITLE_LENGTH_MAX = 300


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """`shown_at` is the row's day or minute as written, in the zone of the site's city."""

    href: str
    title: str
    price: int | None = None
    bedrooms: int | None = None
    area: int | None = None
    place: str | None = None
    shown_at: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    images: int | None = None
    repost_of: str | None = None
    is_sample: bool = False


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The document that a row stands in. `section` is the list's own, where it says so."""

    url: str
    digest: str
    fetched_at: str | None = None
    licence: str = "public"
    section: str | None = None


def result_record(row: ResultRow, origin: Origin) -> SourceRecord | Rejected:
    """A thin record, marked `extra["result_row"]`. Reasons: `no-post-id`, `no-title`,
    and those of its section: `wanted`, `not-property`, `unknown-section`."""
    match = POST_ID_IN_URL.search(row.href)
    source_id = match[1] if match else None
    section = section_in(row.href) or origin.section
    refused = refusal(section)
    if source_id is None:
        refused = ("no-post-id", "the row leads to no post")
    elif not row.title:
        refused = ("no-title", "the title is blank")
    if refused is not None or source_id is None:
        reason, detail = refused or ("no-post-id", "")
        return Rejected(
            source=SOURCE,
            source_id=source_id,
            reason=reason,
            detail=f"{origin.url}: {row.href[:200]}: {detail}"[:DETAIL_LENGTH_MAX],
            content_hash=origin.digest,
        )
    return _record(row, origin, source_id, section)


def _record(row: ResultRow, origin: Origin, source_id: str, section: str | None) -> SourceRecord:
    for_rent = is_for_rent(section)
    url = _absolute(origin.url, row.href)
    stated: dict[str, str | int | float | bool | None] = {
        "result_row": True,
        "section": section,
        "neighborhood": row.place,
        "images": row.images,
        "repost_of": row.repost_of,
    }
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        title=row.title[:TITLE_LENGTH_MAX],
        list_price=row.price,
        standard_status="Active",
        property_type=None if for_rent is None else property_kind(None, for_rent=for_rent)[0],
        bedrooms_total=row.bedrooms,
        living_area=row.area,
        originating_system_name=SOURCE,
        modification_timestamp=_moment(row.shown_at),
        contact=Contact(latitude=row.latitude, longitude=row.longitude, source_url=url),
        content_hash=origin.digest,
        fetched_at=origin.fetched_at,
        licence=origin.licence,
        is_sample=row.is_sample,
        extra={name: value for name, value in stated.items() if value is not None},
    )


def _moment(stated: str | None) -> str | None:
    """Rows show the time of their city without its zone, and so does what is read here."""
    try:
        moment = datetime.fromisoformat(stated or "")
    except ValueError:
        return None
    return rfc3339(moment) if moment.tzinfo else moment.isoformat(timespec="seconds")


def _absolute(base: str, href: str) -> str | None:
    try:
        url = urljoin(base, href)
    except ValueError:
        return None
    return url if url.startswith(("http://", "https://")) else None
