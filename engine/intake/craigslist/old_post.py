"""A post page of 2008 to 2013: one heading for everything, dates in words, no facts apart."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from engine.intake.craigslist.attributes import Attributes, read_attributes
from engine.intake.craigslist.headline import Headline, read_headline
from engine.intake.craigslist.nodes import attribute_at, first, one_line, text_at
from engine.intake.craigslist.page import SOURCE, Page
from engine.intake.craigslist.post import TITLE_LENGTH_MAX, body_text
from engine.intake.craigslist.sections import BY_OWNER, is_for_rent, section_in
from engine.intake.property_kinds import property_kind
from engine.intake.readings import coordinates_of, rfc3339, text_of
from engine.intake.record import Rejected, SourceRecord
from engine.market.answers import Contact

_POST_ID = re.compile(r"Posting\s?ID:\s*(\d{5,20})", re.I)
_POSTING_URL = re.compile(r'\bpostingURL\s*=\s*"(https?%3A%2F%2F[^"\s]{1,500})"')
_DATE = re.compile(
    r"(posted|date|edited|updated):\s*(\d{4}-\d{2}-\d{2}),\s*(\d{1,2}:\d{2}[AP]M)\s+([A-Z]{3,4})\b",
    re.I,
)
_LOCATION = re.compile(r"^Location:\s*(.+)$", re.I)
_HOURS = {
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
    **{"AKST": -9, "AKDT": -8, "HST": -10, "UTC": 0, "GMT": 0},
}


def is_old_post(tree: LexborHTMLParser) -> bool:
    return tree.css_first("#userbody") is not None and tree.css_first("h2") is not None


def read_old_post(page: Page) -> SourceRecord | Rejected:
    """The post of a page for which `is_old_post` holds. Reasons as of `read_post`."""
    source_id = _last(_POST_ID, page.text) or page.id_in_url
    if source_id is None:
        return page.rejected("no-post-id", "neither the page nor its address carries a post id")
    headline = read_headline(
        text_at(page.tree, "h2.postingtitle") or text_at(page.tree, "h2") or "",
        text_at(page.tree, "title") or "",
    )
    if not headline.title:
        return page.rejected("no-title", "the title is blank", source_id)
    section = section_of_crumbs(page.tree) or section_in(_source_url(page))
    refused = page.refused_section(section, source_id)
    return refused or _record(page, source_id, section, headline)


def section_of_crumbs(tree: LexborHTMLParser) -> str | None:
    """The section that the page's path ends with (`south florida > miami > real estate`)."""
    crumbs = tree.css(".bchead > a, .bchead > .contents > a, .breadcrumbs a")
    hrefs = [node.attributes.get("href") for node in crumbs]
    return section_in(hrefs[-1]) if hrefs else None


def _record(page: Page, source_id: str, section: str | None, headline: Headline) -> SourceRecord:
    tree = page.tree
    said = read_attributes(_list_items(tree), None)
    place = headline.place or _location(tree)
    posted, updated = _dates(page)
    for_rent = is_for_rent(section)
    property_type, sub_type = property_kind(said.housing_type, for_rent=bool(for_rent))
    latitude, longitude = coordinates_of(
        attribute_at(tree, "#leaflet, #map", "data-latitude"),
        attribute_at(tree, "#leaflet, #map", "data-longitude"),
    )
    extra = _extra(tree, said, section, place)
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        title=headline.title[:TITLE_LENGTH_MAX],
        list_price=headline.price,
        standard_status="Active",
        property_type=None if for_rent is None else property_type,
        property_sub_type=sub_type,
        bedrooms_total=headline.bedrooms,
        living_area=headline.area,
        originating_system_name=SOURCE,
        posted_at=posted,
        modification_timestamp=updated or posted,
        contact=Contact(
            email=_email(tree),
            latitude=latitude,
            longitude=longitude,
            source_url=_source_url(page),
        ),
        content_hash=page.digest,
        fetched_at=page.fetched_at,
        licence=page.licence,
        notes=page.text_notes("title", "remarks"),
        extra=extra,
        # Reading the text takes the tree apart.
        remarks=_remarks(tree),
    )


def _source_url(page: Page) -> str:
    return unquote(first(_POSTING_URL, page.text) or page.url)


def _extra(
    tree: LexborHTMLParser, said: Attributes, section: str | None, place: str | None
) -> dict[str, str | int | float | bool | None]:
    extra = dict(said.facts)
    extra["images"] = len(tree.css("#iwt .tn")) or len(tree.css("table[summary] img"))
    if section is not None:
        extra["section"] = section
    if place is not None:
        extra["neighborhood"] = place
    if section in BY_OWNER:
        extra["listed_by"] = "owner"
        extra["for_sale_by_owner"] = True
    return extra


def _sites_list(tree: LexborHTMLParser) -> LexborNode | None:
    """The list that the site adds after the advertiser's text."""
    lists = tree.css("#userbody ul")
    return lists[-1] if lists and "contact this poster" in lists[-1].text() else None


def _list_items(tree: LexborHTMLParser) -> list[str]:
    added = _sites_list(tree)
    return [] if added is None else [one_line(node.text()) for node in added.css("li")]


def _location(tree: LexborHTMLParser) -> str | None:
    return next((m[1] for text in _list_items(tree) if (m := _LOCATION.match(text))), None)


def _remarks(tree: LexborHTMLParser) -> str | None:
    added = _sites_list(tree)
    if added is not None:
        added.decompose()
    body = tree.css_first("#postingbody") or tree.css_first("#userbody")
    return body_text(body) if body is not None else None


def _email(tree: LexborHTMLParser) -> str | None:
    href = attribute_at(tree, 'a[href^="mailto:"]', "href") or ""
    return text_of(href.removeprefix("mailto:").split("?", 1)[0])


def _dates(page: Page) -> tuple[str | None, str | None]:
    """(posted, updated): `Date: 2009-06-05, 6:56PM EDT`, outside the advertiser's text."""
    posted = updated = None
    for label, text in _dated_lines(page.tree):
        if label in {"edited", "updated"}:
            updated = updated or text
        else:
            posted = posted or text
    return posted, updated


def _dated_lines(tree: LexborHTMLParser) -> list[tuple[str, str | None]]:
    nodes = tree.css(".postingdate, .postinginfo") or tree.css("body")
    return [
        (label.lower(), _moment(day, clock.upper(), zone.upper()))
        for node in nodes
        for label, day, clock, zone in _DATE.findall(one_line(node.text()))
    ]


def _moment(day: str, clock: str, zone: str) -> str | None:
    if zone not in _HOURS:
        return None
    try:
        local = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %I:%M%p")  # noqa: DTZ007
        return rfc3339(local.replace(tzinfo=timezone(timedelta(hours=_HOURS[zone]))))
    except (ValueError, OverflowError):
        return None


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return found[-1] if found else None
