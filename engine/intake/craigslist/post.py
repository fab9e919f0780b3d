"""A post page of today's layout becomes a record: only what the page says."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from engine.intake.craigslist.attributes import Attributes, Fact, read_attributes
from engine.intake.craigslist.nodes import attribute_at, one_line, text_at
from engine.intake.craigslist.page import SOURCE, Page
from engine.intake.craigslist.sections import BY_OWNER, is_for_rent, section_in
from engine.intake.picture_ids import picture_ids
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    coordinates_of,
    moment_of,
    postal_code_of,
    price_of,
    rfc3339,
    state_of,
    text_of,
)
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.tables import whole_address
from engine.market.answers import Contact

REMARKS_LENGTH_MAX = 20_000
TITLE_LENGTH_MAX = 300

_POST_ID = re.compile(r"post id:\s*(\d{5,20})")
_REPOST_LINE = "\nrepost_of: "
_DIGITS = re.compile(r"\d{5,20}")
_NEAR = re.compile(r"(?:^|\s+)near\s+.*$", re.I | re.S)
_ATTRIBUTES = ".attrgroup > span, .attrgroup > .attr"
# The form has some thirty boxes. A page may nest what it repeats, and the text of each is
# read to its end.
_ATTRIBUTES_MAX = 100
_INFOS_MAX = 20
_PICTURES_MAX = 100
# What stands on lines of its own.
_BLOCKS = "hr, p, div, li, h1, h2, h3, h4, h5, h6, tr, blockquote, pre"
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")


def is_post(tree: LexborHTMLParser) -> bool:
    return (
        tree.css_first("#titletextonly") is not None and tree.css_first("#postingbody") is not None
    )


def read_post(page: Page) -> SourceRecord | Rejected:
    """The post of a page for which `is_post` holds. Reasons: `no-post-id`, `no-title`,
    and those of its section: `wanted`, `not-property`, `unknown-section`."""
    source_id = _post_id(page.tree) or page.id_in_url
    if source_id is None:
        return page.rejected("no-post-id", "neither the page nor its address carries a post id")
    title = (text_at(page.tree, "#titletextonly") or "")[:TITLE_LENGTH_MAX]
    if not title:
        return page.rejected("no-title", "the title is blank", source_id)
    section = section_in(attribute_at(page.tree, ".crumb.category a", "href"))
    section = section or section_in(_source_url(page))
    refused = page.refused_section(section, source_id)
    return refused or _record(page, source_id, title, section)


def _record(page: Page, source_id: str, title: str, section: str | None) -> SourceRecord:
    tree = page.tree
    facts = _linked_data(tree)
    address = facts.get("address")
    place: dict[str, Any] = address if isinstance(address, dict) else {}
    # Looked up once: a selector that finds nothing walks the whole page.
    heading = tree.css_first(".postingtitletext")
    said = read_attributes(
        (one_line(node.text()) for node in tree.css(_ATTRIBUTES)[:_ATTRIBUTES_MAX]),
        text_at(heading, ".housing"),
    )
    for_rent = is_for_rent(section)
    if for_rent is None and "lease_amount_frequency" in said.facts:
        for_rent = True
    property_type, property_sub_type = _kind(said, for_rent, section)
    latitude, longitude = _coordinates(tree, facts)
    posted, updated = _times(tree)
    street = _street(tree, place)
    city = text_of(place.get("addressLocality"))
    state = state_of(place.get("addressRegion"))
    postal_code = postal_code_of(place.get("postalCode"))
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        title=title,
        remarks=_remarks(tree),
        list_price=price_of(text_at(heading, ".price")),
        standard_status="Active",
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=said.bedrooms,
        bathrooms_total_integer=said.bathrooms_total,
        living_area=said.area,
        street_address=street,
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        posted_at=posted,
        modification_timestamp=updated or posted,
        pictures=_pictures(tree),
        contact=_contact(
            page,
            said,
            whole_address(street, city, state, postal_code),
            latitude,
            longitude,
        ),
        content_hash=page.digest,
        fetched_at=page.fetched_at,
        licence=page.licence,
        is_sample=page.is_sample,
        notes=_notes(page, said),
        extra=_extra(page, said, section, for_rent, _neighborhood(heading)),
    )


def _pictures(tree: LexborHTMLParser) -> tuple[str, ...]:
    """Of the thumbnails; a post with one picture shows it alone."""
    links = (node.attributes.get("href") for node in tree.css("#thumbs a.thumb")[:_PICTURES_MAX])
    shown = (node.attributes.get("src") for node in tree.css("figure.iw img")[:_PICTURES_MAX])
    return picture_ids(links) or picture_ids(shown)


def _kind(
    said: Attributes, for_rent: bool | None, section: str | None
) -> tuple[str | None, str | None]:
    """RESO's type and sub type; no type where the page does not say rent or sale."""
    if section == "off":
        return "Commercial Lease", None
    property_type, sub_type = property_kind(said.housing_type, for_rent=bool(for_rent))
    return (None if for_rent is None and property_type != "Land" else property_type), sub_type


def _extra(
    page: Page,
    said: Attributes,
    section: str | None,
    for_rent: bool | None,
    neighborhood: str | None,
) -> dict[str, Fact]:
    tree = page.tree
    stated: dict[str, Fact] = {
        "section": section,
        "housing_type": said.housing_type,
        "neighborhood": neighborhood,
        "bathrooms_stated": said.bathrooms_stated,
        "availability_date": _availability(tree),
        "map_accuracy": attribute_at(tree, "#map", "data-accuracy"),
        "repost_of": _repost_of(page.text),
    }
    extra: dict[str, Fact] = {key: value for key, value in stated.items() if value is not None}
    extra["images"] = len(tree.css("#thumbs a.thumb")) or len(tree.css("figure.iw img"))
    extra.update(said.facts)
    if section in BY_OWNER or (said.listed_by or "").lower() == "owner":
        extra["listed_by"] = "owner"
        extra["for_sale_by_owner"] = for_rent is False
    return extra


def _notes(page: Page, said: Attributes) -> dict[str, FieldNote]:
    notes = page.text_notes("title", "remarks")
    if said.is_at_least:
        notes["bathrooms_total_integer"] = FieldNote("stated-as-at-least", 0.7)
    return notes


def _linked_data(tree: LexborHTMLParser) -> dict[str, Any]:
    node = tree.css_first("#ld_posting_data")
    if node is None:
        return {}
    try:
        data = json.loads(node.text())
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _post_id(tree: LexborHTMLParser) -> str | None:
    for node in tree.css("p.postinginfo")[:_INFOS_MAX]:
        match = _POST_ID.search(node.text())
        if match:
            return match[1]
    return None


def _repost_of(text: str) -> str | None:
    """The post that this one repeats: a line of the site's own script, above the text."""
    start = text.find(_REPOST_LINE)
    if start < 0 or start > text.find('id="postingbody"'):
        return None
    match = _DIGITS.match(text, start + len(_REPOST_LINE))
    return match[0] if match else None


def _neighborhood(heading: LexborNode | None) -> str | None:
    """`(East Austin)` beside the title: free text, often an advertisement."""
    shown = text_at(heading, "small")
    return shown.strip("()").strip() or None if shown else None


def _availability(tree: LexborHTMLParser) -> str | None:
    """`2022-07-21`; the site itself writes some of them `2022-7-21`."""
    day = _DAY.fullmatch(attribute_at(tree, ".property_date", "data-date") or "")
    if day is None:
        return None
    try:
        return date(int(day[1]), int(day[2]), int(day[3])).isoformat()
    except ValueError:
        return None


def _coordinates(
    tree: LexborHTMLParser, facts: dict[str, Any]
) -> tuple[float | None, float | None]:
    node = tree.css_first("#map")
    if node is not None:
        latitude, longitude = coordinates_of(
            node.attributes.get("data-latitude"), node.attributes.get("data-longitude")
        )
        if latitude is not None:
            return latitude, longitude
    parts = (attribute_at(tree, 'meta[name="geo.position"]', "content") or "").split(";")
    if len(parts) == 2:
        latitude, longitude = coordinates_of(parts[0], parts[1])
        if latitude is not None:
            return latitude, longitude
    return coordinates_of(facts.get("latitude"), facts.get("longitude"))


def _times(tree: LexborHTMLParser) -> tuple[str | None, str | None]:
    """(posted, updated), None where the page has none."""
    posted = updated = None
    for node in tree.css(".postinginfos p.postinginfo")[:_INFOS_MAX]:
        stated = attribute_at(node, "time", "datetime")
        if stated is None:
            continue
        label = node.text().strip().lower()
        if label.startswith("updated"):
            updated = rfc3339(moment_of(stated))
        elif label.startswith("posted"):
            posted = rfc3339(moment_of(stated))
    return posted, updated


def _street(tree: LexborHTMLParser, place: dict[str, Any]) -> str | None:
    stated = text_of(place.get("streetAddress"))
    if stated:
        return one_line(stated)
    shown = text_at(tree, "div.mapaddress")
    return _NEAR.sub("", shown).strip() or None if shown else None


def _remarks(tree: LexborHTMLParser) -> str | None:
    body = tree.css_first("#postingbody")
    return body_text(body) if body is not None else None


def body_text(body: LexborNode) -> str | None:
    """The advertisement as lines of plain text, without what the site put around it."""
    for node in body.css(
        ".print-information, script, style, a.show-contact, .iw, .blurbs, table[summary]"
    ):
        node.decompose()
    for node in body.css("br"):
        node.replace_with("\n")
    for node in body.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    lines = (one_line(line) for line in body.text().split("\n"))
    text = "\n".join(line for line in lines if line)
    return text[:REMARKS_LENGTH_MAX] or None


def _contact(
    page: Page,
    said: Attributes,
    address: str | None,
    latitude: float | None,
    longitude: float | None,
) -> Contact:
    reply = page.tree.css_first(".reply-info")
    href = attribute_at(reply, ".reply-email-address a", "href") or ""
    lister = said.listed_by if (said.listed_by or "").lower() != "owner" else None
    return Contact(
        name=text_at(reply, ".reply-contact-name") or lister,
        phone=text_at(reply, ".reply-tel-number"),
        email=text_of(href.removeprefix("mailto:").split("?", 1)[0]),
        unparsed_address=address,
        latitude=latitude,
        longitude=longitude,
        source_url=_source_url(page),
    )


def _source_url(page: Page) -> str:
    href = attribute_at(page.tree, 'link[rel="canonical"]', "href") or ""
    return href if href.startswith(("http://", "https://")) else page.url
