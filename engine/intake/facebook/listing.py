"""One Marketplace listing, in the words of a search's row or of the site's own data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine.intake.cleaning.states import state_code
from engine.intake.document import Document
from engine.intake.facebook.rooms import (
    BATHROOMS,
    BEDROOMS,
    TITLES,
    area_of_home,
    first,
    form_title,
    kind_of,
    line_of,
    rooms_of,
)
from engine.intake.home_place import Place, place_of
from engine.intake.picture_ids import picture_ids
from engine.intake.portal_home import moment_of_milliseconds, real_name
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    bathrooms_of,
    bedrooms_of,
    content_hash,
    rfc3339,
    text_of,
    whole_of,
)
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.stated_json import cell_in, first_stated, objects_in, row_hash
from engine.intake.stated_price import StatedPrice, stated_price
from engine.intake.tables import is_true
from engine.market.answers import Contact

SOURCE = "facebook"
TITLE_LENGTH_MAX = 300
REMARKS_LENGTH_MAX = 20_000

RENTALS = "1468271819871448"
HOME_SALES = "821056594720130"
_ITEM_ADDRESS = "https://www.facebook.com/marketplace/item/{}/"
_EPOCH_SECONDS_MAX = 4_102_444_800  # The year 2100.


def is_listing(value: dict[str, Any]) -> bool:
    """A row of a search, or the object in which the site keeps a listing."""
    if "marketplace_listing_title" in value or "unit_room_info" in value:
        return "id" in value
    return "title" in value and "category_id" in value


def read_listing(
    listing: dict[str, Any], document: Document, *, is_sample: bool
) -> SourceRecord | Rejected:
    """The record; Rejected as `not-property`, `no-id` or `no-place`."""
    digest = row_hash(listing) or content_hash(document.content)
    source_id = text_of(listing.get("id"))
    title = line_of(first_stated(*(listing.get(name) for name in TITLES)))

    def rejected(reason: str, detail: str) -> Rejected:
        return Rejected(
            source=SOURCE,
            source_id=source_id,
            reason=reason,
            detail=f"{document.url}: {detail}"[:500],
            content_hash=digest,
        )

    if not _is_property(listing):
        return rejected("not-property", f"category {_category(listing)}: {title}")
    if source_id is None:
        return rejected("no-id", f"no id at {title}")
    place = _place(listing)
    if not place.is_known and place.city is None:
        return rejected("no-place", "neither a city nor coordinates")
    return _record(listing, document, source_id, title, place, digest, is_sample=is_sample)


def _record(
    listing: dict[str, Any],
    document: Document,
    source_id: str,
    title: str | None,
    place: Place,
    digest: str,
    *,
    is_sample: bool,
) -> SourceRecord:
    price, before = _price(listing), _price_before(listing)
    for_rent = _for_rent(listing, price)
    rooms = rooms_of(listing)
    bathrooms, bathrooms_stated = bathrooms_of(first(BATHROOMS, rooms))
    property_type, sub_type = property_kind(kind_of(listing), for_rent=bool(for_rent))
    extra: dict[str, str | int | float | bool | None] = {
        "bathrooms_stated": bathrooms_stated,
        "lease_amount_frequency": price.frequency if for_rent else None,
        "previous_list_price": before.dollars,
        "is_pending": True if is_true(listing.get("is_pending")) else None,
        "images": len(objects_in(listing, "listing_photos")) or None,
    }
    posted = _posted(listing)
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        title=title[:TITLE_LENGTH_MAX] if title else None,
        remarks=_remarks(listing),
        list_price=price.dollars,
        standard_status=_status(listing),
        property_type=None if for_rent is None else property_type,
        property_sub_type=sub_type,
        bedrooms_total=bedrooms_of(first(BEDROOMS, rooms) or (0 if "studio" in rooms else None)),
        bathrooms_total_integer=bathrooms,
        living_area=area_of_home(listing),
        street_address=place.street,
        unit_number=place.unit,
        city=place.city,
        state_or_province=place.state,
        postal_code=place.postal_code,
        originating_system_name=SOURCE,
        posted_at=posted,
        modification_timestamp=posted,
        pictures=picture_ids(
            cell_in(photo, "image", "uri") for photo in objects_in(listing, "listing_photos")
        ),
        contact=Contact(
            name=real_name(cell_in(listing, "marketplace_listing_seller", "name")),
            unparsed_address=place.line,
            latitude=place.latitude,
            longitude=place.longitude,
            source_url=_address(listing, source_id),
        ),
        content_hash=digest,
        fetched_at=document.fetched_at,
        licence=document.licence,
        is_sample=is_sample or is_true(listing.get("is_sample")),
        notes=_notes(price),
        extra={name: value for name, value in extra.items() if value is not None},
    )


def _category(listing: dict[str, Any]) -> str | None:
    return text_of(
        first_stated(listing.get("marketplace_listing_category_id"), listing.get("category_id"))
    )


def _is_property(listing: dict[str, Any]) -> bool:
    """By its category; where that is another one or none, by what only homes have."""
    if _category(listing) in {RENTALS, HOME_SALES}:
        return True
    if _category(listing) is not None and "unit_room_info" not in listing:
        return False
    has_rooms = BEDROOMS.search(line_of(listing.get("unit_room_info")) or "") is not None
    return has_rooms or form_title(listing) is not None


def _for_rent(listing: dict[str, Any], price: StatedPrice) -> bool | None:
    """None where neither the category nor the price tells."""
    category = _category(listing)
    if category == HOME_SALES:
        return False
    return True if category == RENTALS or price.frequency is not None else None


def _price(listing: dict[str, Any]) -> StatedPrice:
    """US dollars only. The text says per what, the amount is exact."""
    stated = listing.get("listing_price")
    if not isinstance(stated, dict):
        return stated_price(listing.get("price"))
    if (text_of(stated.get("currency")) or "USD").upper() != "USD":
        return StatedPrice()
    shown = stated_price(cell_in(listing, "formatted_price", "text"))
    if shown.dollars is None:
        shown = stated_price(stated.get("formatted_amount"))
    if shown.dollars is None and text_of(stated.get("formatted_amount")) is None:
        return stated_price(stated.get("amount"))
    return shown


def _price_before(listing: dict[str, Any]) -> StatedPrice:
    return stated_price(cell_in(listing, "strikethrough_price", "formatted_amount"))


def _notes(price: StatedPrice) -> dict[str, FieldNote]:
    return {} if price.note is None else {"list_price": price.note}


def _status(listing: dict[str, Any]) -> str:
    if is_true(listing.get("is_sold")):
        return "Closed"
    if is_true(listing.get("is_hidden")) or listing.get("is_live") is False:
        return "Withdrawn"
    return "Pending" if is_true(listing.get("is_pending")) else "Active"


def _place(listing: dict[str, Any]) -> Place:
    place = listing.get("location")
    detailed = cell_in(place, "reverse_geocode_detailed")
    rough = cell_in(place, "reverse_geocode")
    city = first_stated(cell_in(detailed, "city"), cell_in(rough, "city"))
    state = first_stated(cell_in(detailed, "state"), cell_in(rough, "state"))
    if city is None:
        city, state = _city_and_state(place, rough, listing)
    return place_of(
        street=first_stated(cell_in(listing, "home_address", "street"), None),
        city=city,
        state=state,
        postal_code=cell_in(detailed, "postal_code"),
        latitude=cell_in(place, "latitude"),
        longitude=cell_in(place, "longitude"),
    )


def _city_and_state(
    place: object, rough: object, listing: dict[str, Any]
) -> tuple[str | None, str | None]:
    """`Antioch, CA` in its parts; a place of another form stays unread."""
    text = line_of(
        first_stated(
            place if isinstance(place, str) else None,
            cell_in(rough, "city_page", "display_name"),
            cell_in(listing, "location_text", "text"),
        )
    )
    city, comma, state = (text or "").rpartition(",")
    if not comma or state_code(state.strip()) is None:
        return None, None
    return city.strip() or None, state.strip()


def _remarks(listing: dict[str, Any]) -> str | None:
    text = text_of(
        first_stated(
            cell_in(listing, "redacted_description", "text"), cell_in(listing, "description")
        )
    )
    return text[:REMARKS_LENGTH_MAX] if text else None


def _posted(listing: dict[str, Any]) -> str | None:
    """`creation_time` in seconds or milliseconds since 1970."""
    cell = listing.get("creation_time")
    seconds = whole_of(cell, 1, _EPOCH_SECONDS_MAX)
    if seconds is not None:
        return rfc3339(datetime.fromtimestamp(seconds, UTC))
    return rfc3339(moment_of_milliseconds(cell))


def _address(listing: dict[str, Any], source_id: str) -> str | None:
    stated = text_of(first_stated(listing.get("share_uri"), listing.get("listingUrl")))
    if stated and stated.startswith("https://"):
        return stated
    return _ITEM_ADDRESS.format(source_id) if source_id.isascii() and source_id.isdigit() else None
