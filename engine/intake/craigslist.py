"""A Craigslist post page becomes a record: only what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from engine.intake.property_kinds import is_known_sub_type_word, property_kind
from engine.intake.readings import (
    area_of,
    bathrooms_of,
    bedrooms_of,
    content_hash,
    coordinates_of,
    moment_of,
    postal_code_of,
    price_of,
    rfc3339,
    state_of,
    text_of,
)
from engine.intake.record import Rejected, SourceRecord
from engine.intake.tables import whole_address
from engine.market.answers import Contact

SOURCE = "craigslist"
PAGE_BYTES_MAX = 4 * 1024 * 1024
REMARKS_LENGTH_MAX = 20_000
TITLE_LENGTH_MAX = 300

_POST_ID_IN_PAGE = re.compile(r"post id:\s*(\d{5,20})")
_POST_ID_IN_URL = re.compile(r"/(\d{5,20})\.html(?:[?#]|$)")
_BEDROOMS = re.compile(r"(\d{1,2})\s*br\b", re.I)
_BATHROOMS = re.compile(r"(\d{1,2}(?:\.\d)?)\s*ba\b", re.I)
_AREA = re.compile(r"(\d{1,7})\s*ft2?\b", re.I)
_RENT_PERIOD = re.compile(r"rent period:\s*(\w+)", re.I)
_SALE_SECTIONS = frozenset({"rea", "reo", "reb"})
_SECTION = re.compile(r"/search/(?:[a-z]{3}/)?([a-z]{3})\b")
_NEAR = re.compile(r"\s+near\s+.*$", re.I | re.S)
_END_STATES = (
    ("expired", "this posting has expired"),
    ("deleted", "this posting has been deleted by its author"),
    ("flagged", "this posting has been flagged for removal"),
)
_LEASE_FREQUENCIES = {"daily": "Daily", "weekly": "Weekly", "monthly": "Monthly"}


def parse_post(page: bytes, *, url: str) -> SourceRecord | Rejected:
    """One post page as a record, or why it is none. Never raises on any bytes.

    Reasons: `empty-page`, `page-too-large`, `expired`, `deleted`, `flagged`,
    `unknown-layout`, `no-post-id`, `no-title`. `list_price` is the price as the page
    shows it, per `extra["lease_amount_frequency"]` when it is for rent.
    """
    digest = content_hash(page)
    id_in_url = _POST_ID_IN_URL.search(url)

    def rejected(reason: str, detail: str, source_id: str | None = None) -> Rejected:
        return Rejected(
            source=SOURCE,
            source_id=source_id or (id_in_url[1] if id_in_url else None),
            reason=reason,
            detail=f"{url}: {detail}"[:500],
            content_hash=digest,
        )

    if not page.strip():
        return rejected("empty-page", "the page has no content")
    if len(page) > PAGE_BYTES_MAX:
        return rejected("page-too-large", f"{len(page)} bytes, at most {PAGE_BYTES_MAX}")
    tree = LexborHTMLParser(page)
    title_node, body_node = tree.css_first("#titletextonly"), tree.css_first("#postingbody")
    if title_node is None or body_node is None:
        reason, detail = _end_state(tree)
        return rejected(reason, detail)
    source_id = _post_id(tree) or (id_in_url[1] if id_in_url else None)
    if source_id is None:
        return rejected("no-post-id", "neither the page nor its address carries a post id")
    title = _one_line(title_node.text())[:TITLE_LENGTH_MAX]
    if not title:
        return rejected("no-title", "the title is blank", source_id)
    return _record(tree, body_node, source_id, title, url, digest)


def _record(
    tree: LexborHTMLParser,
    body_node: LexborNode,
    source_id: str,
    title: str,
    url: str,
    digest: str,
) -> SourceRecord:
    facts = _linked_data(tree)
    address = facts.get("address")
    place: dict[str, Any] = address if isinstance(address, dict) else {}
    attributes = [_one_line(node.text()) for node in tree.css("p.attrgroup span")]
    section = _section(tree)
    for_rent = section not in _SALE_SECTIONS
    words = next((text for text in attributes if is_known_sub_type_word(text)), None)
    property_type, property_sub_type = property_kind(words, for_rent=for_rent)
    bubbles = " / ".join(
        _one_line(node.text()) for node in tree.css("p.attrgroup .shared-line-bubble")
    )
    housing = _text_at(tree, ".postingtitletext .housing")
    bathrooms, bathrooms_stated = bathrooms_of(_first(_BATHROOMS, bubbles))
    latitude, longitude = _coordinates(tree, facts)
    posted, updated = _times(tree)
    street = _street(tree, place)
    city = text_of(place.get("addressLocality"))
    state = state_of(place.get("addressRegion"))
    postal_code = postal_code_of(place.get("postalCode"))
    source_url = _source_url(tree, url)
    extra: dict[str, str | int | float | bool | None] = {
        "images": len(tree.css("#thumbs a.thumb")) or len(tree.css("figure.iw img")),
        "section": section,
    }
    if bathrooms_stated is not None:
        extra["bathrooms_stated"] = bathrooms_stated
    elif "sharedba" in bubbles.lower():
        extra["bathrooms_shared"] = True
    frequency = _LEASE_FREQUENCIES.get((_first(_RENT_PERIOD, "\n".join(attributes)) or "").lower())
    if for_rent and frequency:
        extra["lease_amount_frequency"] = frequency
    if section == "reo" or _listed_by_owner(attributes):
        extra["for_sale_by_owner"] = not for_rent
        extra["listed_by"] = "owner"
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        title=title,
        remarks=_remarks(body_node),
        list_price=price_of(_text_at(tree, ".postingtitletext .price")),
        standard_status="Active",
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=_bedrooms(bubbles, housing),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(_first(_AREA, bubbles) or _first(_AREA, housing or "")),
        street_address=street,
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        posted_at=rfc3339(posted),
        modification_timestamp=rfc3339(updated or posted),
        contact=_contact(
            tree, whole_address(street, city, state, postal_code), latitude, longitude, source_url
        ),
        content_hash=digest,
        is_sample=tree.css_first('meta[name="x-aiqleads-sample"]') is not None,
        extra=extra,
    )


def _end_state(tree: LexborHTMLParser) -> tuple[str, str]:
    body = tree.body
    said = _one_line(body.text(separator=" "))[:2000].lower() if body is not None else ""
    for reason, phrase in _END_STATES:
        if phrase in said:
            return reason, phrase
    return "unknown-layout", "no #titletextonly and #postingbody: not a post page of a known layout"


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
    for node in tree.css("p.postinginfo"):
        match = _POST_ID_IN_PAGE.search(node.text())
        if match:
            return match[1]
    return None


def _section(tree: LexborHTMLParser) -> str | None:
    node = tree.css_first(".crumb.category a")
    href = node.attributes.get("href") if node is not None else None
    return _first(_SECTION, href) if href else None


def _bedrooms(bubbles: str, housing: str | None) -> int | None:
    return bedrooms_of(_first(_BEDROOMS, bubbles) or _first(_BEDROOMS, housing or ""))


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
    meta = tree.css_first('meta[name="geo.position"]')
    parts = (meta.attributes.get("content") or "").split(";") if meta is not None else []
    if len(parts) == 2:
        latitude, longitude = coordinates_of(parts[0], parts[1])
        if latitude is not None:
            return latitude, longitude
    return coordinates_of(facts.get("latitude"), facts.get("longitude"))


def _times(tree: LexborHTMLParser) -> tuple[Any, Any]:
    """(posted, updated) as aware UTC moments, None where the page has none."""
    posted = updated = None
    for node in tree.css(".postinginfos p.postinginfo"):
        moment_node = node.css_first("time")
        if moment_node is None:
            continue
        moment = moment_of(moment_node.attributes.get("datetime"))
        label = node.text().strip().lower()
        if label.startswith("updated"):
            updated = moment
        elif label.startswith("posted"):
            posted = moment
    return posted, updated


def _street(tree: LexborHTMLParser, place: dict[str, Any]) -> str | None:
    stated = text_of(place.get("streetAddress"))
    if stated:
        return _one_line(stated)
    shown = _text_at(tree, "div.mapaddress")
    if not shown:
        return None
    return _NEAR.sub("", shown).strip() or None


def _remarks(body_node: LexborNode) -> str | None:
    for node in body_node.css(".print-information, script, style, .showcontact"):
        node.decompose()
    for node in body_node.css("br"):
        node.replace_with("\n")
    lines = (_one_line(line) for line in body_node.text().split("\n"))
    text = "\n".join(line for line in lines if line and line.lower() != "show contact info")
    return text[:REMARKS_LENGTH_MAX] or None


def _contact(
    tree: LexborHTMLParser,
    address: str | None,
    latitude: float | None,
    longitude: float | None,
    source_url: str,
) -> Contact:
    email_node = tree.css_first(".reply-info .reply-email-address a")
    href = (email_node.attributes.get("href") or "") if email_node is not None else ""
    return Contact(
        name=_text_at(tree, ".reply-info .reply-contact-name"),
        phone=_text_at(tree, ".reply-info .reply-tel-number"),
        email=text_of(href.removeprefix("mailto:").split("?", 1)[0]),
        unparsed_address=address,
        latitude=latitude,
        longitude=longitude,
        source_url=source_url,
    )


def _source_url(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first('link[rel="canonical"]')
    href = (node.attributes.get("href") or "").strip() if node is not None else ""
    return href if href.startswith(("http://", "https://")) else url


def _listed_by_owner(attributes: Iterable[str]) -> bool:
    return any(text.lower().replace(" ", "") == "listedby:owner" for text in attributes)


def _text_at(tree: LexborHTMLParser, selector: str) -> str | None:
    node = tree.css_first(selector)
    return _one_line(node.text()) or None if node is not None else None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
