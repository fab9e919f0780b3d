"""The cards of a result page that carries no data for its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from engine.intake.document import Document
from engine.intake.home_place import place_in_line
from engine.intake.page_state import is_sample_page
from engine.intake.portal_home import PortalHome, record_of, refused
from engine.intake.readings import content_hash
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_price import stated_price
from engine.intake.zillow.results import FROM_URL
from engine.intake.zillow.units import LOWEST_UNIT_PRICE
from engine.intake.zillow.words import SOURCE, page_url

CARDS_MAX = 5_000
_DETAILS_LENGTH_MAX = 500

_ID = re.compile(r"zpid_([-\d.]{3,40})")
_COORDINATES = re.compile(r"(-?\d{1,2}\.\d+)-(-?\d{1,3}\.\d+)")
_ROOMS = re.compile(r"([\d,.]+)\s*(bds?|ba|sqft)\b")
_UNIT_KIND = re.compile(r"(\$[\d,]+\+?)\s*(Studio|\d+\s*bds?)\b")
_KINDS = (
    ("apartment", "apartment"),
    ("townhouse", "townhouse"),
    ("condo", "condo"),
    ("multi-family", "multifamily"),
    ("house", "house"),
    ("lot", "lot"),
)
_KIND = re.compile(r"-\s*([A-Za-z/ -]{3,30}?) for (rent|sale)", re.I)


def card_records(tree: LexborHTMLParser, document: Document) -> Iterator[SourceRecord | Rejected]:
    """One record or `broken-card` for each card, as far as the page shows them."""
    is_sample = is_sample_page(document.content)
    # A card inside a card is none; taking it would read the same text again and again.
    inner = {node.mem_id for node in tree.css("article article")}
    outer = (node for node in tree.css("article") if node.mem_id not in inner)
    for card in islice(filter(_is_card, outer), CARDS_MAX):
        yield _record(card, document, is_sample=is_sample)


def _is_card(node: LexborNode) -> bool:
    marks = (node.attributes.get("data-test"), node.attributes.get("data-testid"))
    return "property-card" in marks


def _record(card: LexborNode, document: Document, *, is_sample: bool) -> SourceRecord | Rejected:
    digest = content_hash((card.html or "").encode(errors="replace"))
    match = _ID.fullmatch(card.attributes.get("id") or "")
    source_id = match[1] if match else None
    missing = _missing(card, source_id)
    if missing:
        detail = f"{document.url}: a card without {missing}"
        return refused(SOURCE, "broken-card", detail, source_id=source_id, digest=digest)
    return record_of(_home(card, source_id, digest, is_sample=is_sample), document)


def _missing(card: LexborNode, source_id: str | None) -> str:
    parts = (
        ("an id", source_id),
        ("an address", _text(card, "address")),
        ("a price", _text(card, '[data-test="property-card-price"]')),
        ("a link to its page", _url(card)),
    )
    return ", ".join(name for name, found in parts if not found)


def _home(card: LexborNode, source_id: str | None, digest: str, *, is_sample: bool) -> PortalHome:
    coordinates = _COORDINATES.fullmatch(source_id or "")
    place, name = place_in_line(
        _text(card, "address"),
        latitude=coordinates[1] if coordinates else None,
        longitude=coordinates[2] if coordinates else None,
    )
    price = stated_price(_text(card, '[data-test="property-card-price"]'))
    details = _text(card, '[data-testid="property-card-details"]')[:_DETAILS_LENGTH_MAX]
    rooms = {unit.removesuffix("s"): number for number, unit in _ROOMS.findall(details)}
    url = _url(card)
    kind, for_rent = _kind_and_tenure(card)
    is_apartments = kind is None and url is not None and "/apartments/" in url
    units = _unit_kinds(card) if coordinates else []
    return PortalHome(
        source=SOURCE,
        raw=digest,
        source_id=source_id,
        place=place,
        price=price,
        status="Active" if for_rent is not None else None,
        kind="apartment" if is_apartments else kind,
        for_rent=bool(for_rent),
        bedrooms=rooms.get("bd") if not units else _only_kind(units),
        bathrooms=rooms.get("ba"),
        living_area=rooms.get("sqft"),
        title=name,
        url=url,
        is_sample=is_sample,
        notes={
            "list_price": LOWEST_UNIT_PRICE if len(units) > 1 else price.note,
            "property_sub_type": FROM_URL if is_apartments else None,
        },
        extra={"unit_prices": "; ".join(f"{beds} {shown}" for shown, beds in units) or None},
    )


def _kind_and_tenure(card: LexborNode) -> tuple[str | None, bool | None]:
    """(words for the kind of home, whether it is for rent) as far as the card says."""
    classes = card.attributes.get("class") or ""
    match = _KIND.search(_spaced(card))
    for_rent = match[2].lower() == "rent" if match else None
    if "list-card_for-rent" in classes:
        for_rent = True
    elif "list-card_for-sale" in classes:
        for_rent = False
    words = match[1].lower() if match else ""
    return next((kind for word, kind in _KINDS if word in words), None), for_rent


def _unit_kinds(card: LexborNode) -> list[tuple[str, str]]:
    """(price, beds) of every kind of unit a building's card lists; the headline repeats one."""
    found = _UNIT_KIND.findall(_spaced(card))
    return list(dict.fromkeys((price, _beds(beds)) for price, beds in found))[:20]


def _beds(words: str) -> str:
    return (
        "Studio"
        if words == "Studio"
        else f"{words.removesuffix('s').removesuffix('bd').strip()} bd"
    )


def _only_kind(units: list[tuple[str, str]]) -> str | None:
    if len(units) > 1:
        return None
    beds = units[0][1]
    return "0" if beds == "Studio" else beds.removesuffix(" bd")


def _url(card: LexborNode) -> str | None:
    links = card.css("a.property-card-link, a[data-test=property-card-title-link]")
    return next((url for link in links if (url := page_url(link.attributes.get("href")))), None)


def _text(card: LexborNode, selector: str) -> str:
    node = card.css_first(selector)
    return "" if node is None else " ".join(node.text(separator=" ").split())


def _spaced(card: LexborNode) -> str:
    return " ".join(card.text(separator=" ").split())[:5_000]
