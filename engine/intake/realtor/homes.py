"""One home of Realtor.com's JSON, in the forms that its results and details have had."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.intake.home_place import Place, place_of
from engine.intake.listing_status import standing
from engine.intake.picture_ids import picture_ids
from engine.intake.portal_home import Cell, PortalHome, real_email, real_name, real_phone
from engine.intake.readings import (
    area_of,
    bedrooms_of,
    moment_of,
    number_of,
    price_of,
    rfc3339,
    text_of,
    whole_of,
)
from engine.intake.realtor.words import SOURCE, Slug, page_url, slug_of
from engine.intake.record import FieldNote
from engine.intake.stated_json import (
    cell_in,
    first_stated,
    list_in,
    object_in,
    objects_in,
)
from engine.intake.stated_price import StatedPrice, stated_price
from engine.intake.tables import is_true

AT_LEAST = FieldNote("at-least", 0.7)
LOST_POINT = FieldNote("lost-decimal-point", 0.9)
# One form calls every home a single family's and every flat an apartment.
COARSE_TYPE = FieldNote("coarse-type", 0.6)

_BATHS = re.compile(r"(\d{1,2}(?:\.\d)?)(\+?)")
_COARSE_TYPES = frozenset({"SingleFamilyResidence", "Apartment"})
_PARCEL = re.compile(r"Parcel Number:\s*(\S.{2,39})")
_SUBDIVISION = re.compile(r"Subdivision:\s*(\S.{1,79})")


class _Lister(msgspec.Struct, frozen=True):
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    office: str | None = None


def is_home(row: dict[str, Any]) -> bool:
    """Whether the row has a home's place and an id or a page."""
    has_id = any(key in row for key in ("property_id", "permalink", "slug", "id", "href"))
    return has_id and isinstance(row.get("location"), dict)


def home_of_row(row: dict[str, Any]) -> PortalHome:
    facts = object_in(row, "details") or object_in(row, "description")
    slug = slug_of(first_stated(row.get("permalink"), row.get("slug"), row.get("href")))
    status, status_note = _standing(row)
    price = stated_price(row.get("list_price"))
    baths, baths_note = _baths(facts)
    kind = text_of(facts.get("sub_type")) or text_of(facts.get("type"))
    lister, lines = _lister(row), list(_feature_lines(row))
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=_source_id(row, slug),
        place=_place(row),
        price=price,
        status=status,
        kind=kind,
        for_rent=_is_for_rent(row),
        bedrooms=facts.get("beds"),
        bathrooms=baths,
        living_area=facts.get("sqft"),
        lot_square_feet=area_of(first_stated(facts.get("lot_sqft"), facts.get("lot_size"))),
        year_built=facts.get("year_built"),
        title=first_stated(facts.get("name"), cell_in(row, "community", "description", "name")),
        remarks=facts.get("text"),
        listing_id=_mls_number(row),
        parcel_number=_first(_PARCEL, lines),
        posted=moment_of(row.get("list_date")),
        modified=moment_of(row.get("last_update_date")),
        name=lister.name,
        phone=lister.phone,
        email=lister.email,
        url=page_url(first_stated(row.get("url"), row.get("href"), row.get("permalink"))),
        pictures=picture_ids(each.get("href") for each in objects_in(row, "photos")),
        is_sample=is_true(row.get("is_sample")),
        notes={
            "standard_status": status_note,
            "bathrooms_total_integer": baths_note,
            "property_sub_type": COARSE_TYPE if kind in _COARSE_TYPES else None,
        },
        extra={
            **_price_change(row, price),
            **_sale(row, facts, status),
            "listing_office": lister.office,
            "listed_by": "agent" if lister.name and lister.office else None,
            "subdivision": _first(_SUBDIVISION, lines),
            "is_pending": True if status == "Pending" else None,
        },
    )


def _source_id(row: dict[str, Any], slug: Slug | None) -> object:
    stated = first_stated(row.get("property_id"), None if "permalink" in row else row.get("id"))
    return stated if text_of(stated) else (slug.home_id if slug else None)


def _place(row: dict[str, Any]) -> Place:
    address = object_in(row, "location", "address")
    state = address.get("state_code")
    return place_of(
        street=address.get("line"),
        unit=address.get("unit"),
        city=address.get("city"),
        state=state if state is not None else address.get("state"),
        postal_code=address.get("postal_code"),
        latitude=cell_in(address, "coordinate", "lat"),
        longitude=cell_in(address, "coordinate", "lon"),
    )


def _standing(row: dict[str, Any]) -> tuple[str | None, FieldNote | None]:
    """A listing under contract is still called for sale; flags tell."""
    status, note = standing(row.get("status"))
    flags = object_in(row, "flags")
    if status == "Active":
        if flags.get("is_pending") is True:
            return "Pending", None
        if flags.get("is_contingent") is True:
            return "Active Under Contract", None
        if flags.get("is_coming_soon") is True:
            return "Coming Soon", None
    return status, note


def _is_for_rent(row: dict[str, Any]) -> bool:
    words = (text_of(row.get("status")) or "").lower()
    return words == "for_rent" or cell_in(row, "flags", "is_for_rent") is True


def _baths(facts: dict[str, Any]) -> tuple[object, FieldNote | None]:
    """(baths, note). `6.5+` is at least 6.5. The form without `baths_consolidated` has lost
    the point: 25 baths with 4 bedrooms are 2.5."""
    match = _BATHS.fullmatch(text_of(facts.get("baths_consolidated")) or "")
    if match:
        return match[1], AT_LEAST if match[2] else None
    baths = number_of(facts.get("baths"))
    if baths is None or "baths_consolidated" in facts or baths < 15 or baths % 10 != 5:
        return baths, None
    beds = bedrooms_of(facts.get("beds"))
    if beds is not None and baths <= 2 * beds:
        return baths, None
    return (None, None) if beds is None else (baths / 10, LOST_POINT)


def _mls_number(row: dict[str, Any]) -> object:
    """`source.listing_id`, where the source is an MLS; the row's own is the portal's."""
    source = object_in(row, "source")
    return source.get("listing_id") if source.get("type") == "mls" else None


def _price_change(row: dict[str, Any], price: StatedPrice) -> dict[str, Cell]:
    reduced = price_of(row.get("price_reduced_amount"))
    change = whole_of(row.get("list_price_last_change"), -(10**9), 10**9)
    change = -reduced if reduced else change
    is_cut = price.dollars is not None and change is not None and change < 0
    return {
        "price_change": change,
        "previous_list_price": (price.dollars or 0) - (change or 0) if is_cut else None,
    }


def _sale(row: dict[str, Any], facts: dict[str, Any], status: str | None) -> dict[str, Cell]:
    """The sale of a sold home; a home on offer shows the sale before."""
    if status != "Closed":
        return {}
    return {
        "close_date": rfc3339(
            moment_of(first_stated(row.get("sold_date"), facts.get("sold_date")))
        ),
        "close_price": price_of(first_stated(row.get("sold_price"), facts.get("sold_price"))),
    }


def _lister(row: dict[str, Any]) -> _Lister:
    sellers = [each for each in objects_in(row, "advertisers") if each.get("type") == "seller"]
    agents = [each for each in objects_in(row, "agent") if each.get("type") == "seller"]
    seller, agent = next(iter(sellers), {}), next(iter(agents), {})
    office = first_stated(
        cell_in(seller, "office", "name"),
        next((cell_in(each, "office_name") for each in objects_in(row, "source", "agents")), None),
        next((each.get("name") for each in objects_in(row, "branding")), None),
    )
    name = real_name(seller.get("name")) or real_name(agent.get("agent_name"))
    return _Lister(
        name=name or text_of(office),
        phone=next(_phones(seller, agent), None),
        email=first_stated(
            real_email(seller.get("email")),
            real_email(agent.get("agent_email")),
            real_email(cell_in(seller, "office", "email")),
        ),
        office=text_of(office),
    )


def _phones(seller: dict[str, Any], agent: dict[str, Any]) -> Iterator[str]:
    """The person's lines before the office's."""
    cells = [each.get("number") for each in objects_in(seller, "phones")]
    cells.append(agent.get("agent_phone"))
    cells += [each.get("number") for each in objects_in(seller, "office", "phones")]
    return (phone for cell in cells if (phone := real_phone(cell)))


def _feature_lines(row: dict[str, Any]) -> Iterator[str]:
    for heading in object_in(row, "features"):
        for line in list_in(row, "features", heading):
            if text := text_of(line):
                yield text


def _first(pattern: re.Pattern[str], lines: list[str]) -> str | None:
    return next((match[1] for line in lines if (match := pattern.fullmatch(line))), None)
