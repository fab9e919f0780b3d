"""What resolution knows of a record: numbers and hashes, computed where it was parsed.

The desk compares features without ever seeing text. Hashes are 32 bits of BLAKE2b of a
normal form, and 0 says that the record does not tell; two different values share a hash
once in four thousand million comparisons. They keep contacts out of sight, they do not
encrypt them: whoever holds a phone number can tell whether it is among them.
"""

from __future__ import annotations

import hashlib

import h3
import msgspec

from engine.intake.record import SourceRecord
from engine.intake.resolution.contact_keys import email_key, name_key, phone_key
from engine.intake.resolution.doors import door_of
from engine.intake.resolution.text_sketch import letters_of, text_sketch

UNKNOWN = -1
DEGREES_PER_STEP = 1e-4
CELL_RESOLUTION = 9
LEASE, SALE = 1, 2
# Condominium, apartment, cooperative, multi family: of which one address holds many.
SHARED_SUB_TYPES = (3, 4, 5, 6)
_SUB_TYPES = {
    "Single Family Residence": 1,
    "Townhouse": 2,
    "Condominium": 3,
    "Apartment": 4,
    "Stock Cooperative": 5,
    "Multi Family": 6,
    "Duplex": 7,
    "Triplex": 7,
    "Quadruplex": 7,
    "Manufactured Home": 8,
}
_OTHER_SUB_TYPE = 9
_PERIODS_A_MONTH = {"Daily": 365 / 12, "Weekly": 52 / 12}


class MatchFeatures(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One record's features. Hashes are below 2**32 (`identity` below 2**63), 0 if not said.

    `latitude` and `longitude` count steps of 1e-4 degree, both 0 if not said; `cells` are
    seven little-endian 32-bit hashes of the H3 cell (resolution 9) and its neighbours, the
    cell itself first, empty without a position. `bedrooms`, `half_bathrooms`, `area` and
    `lot` (square feet), `year` are -1 if not said, `price` (whole USD, a month if for
    rent) is 0. `kind` is 1 for lease, 2 for sale; `sub_type` a code of 1 to 9.
    `street` hashes the name without direction and suffix, `whole_street` with them,
    `street_letters` has a bit for each of its letter pairs. `text` holds 24
    little-endian 16-bit minima of word-triple hashes, empty for too little text; `letters`
    hashes all its letters, if there are at least 50. `images` holds little-endian hashes of
    what its source calls its pictures, at most 24; nothing is resolved by them.
    """

    identity: int
    source: int
    stable_ids: bool
    kind: int = 0
    sub_type: int = 0
    number: int = 0
    street: int = 0
    whole_street: int = 0
    street_letters: int = 0
    unit: int = 0
    postal_code: int = 0
    latitude: int = 0
    longitude: int = 0
    cells: bytes = b""
    bedrooms: int = UNKNOWN
    half_bathrooms: int = UNKNOWN
    area: int = UNKNOWN
    lot: int = UNKNOWN
    year: int = UNKNOWN
    price: int = 0
    phone: int = 0
    email: int = 0
    name: int = 0
    parcel: int = 0
    listing: int = 0
    text: bytes = b""
    letters: int = 0
    images: bytes = b""


def features_of(record: SourceRecord, *, stable_ids: bool) -> MatchFeatures:
    """The features of a cleaned record. `stable_ids` says that one home has one id at its
    source. An invented contact is no evidence and leaves no trace here."""
    door = door_of(
        record.street_address, record.unit_number, unparsed=record.contact.unparsed_address
    )
    contact = None if record.contact.is_invented else record.contact
    latitude, longitude = _position(record)
    return MatchFeatures(
        identity=_hash64(f"{record.source}\x1f{record.source_id}"),
        source=hash32(record.source),
        stable_ids=stable_ids,
        kind=_kind(record.property_type),
        sub_type=_sub_type(record.property_sub_type),
        number=hash32(door.number),
        street=hash32(door.street),
        whole_street=hash32(door.whole_street),
        street_letters=_letter_bits(door.street),
        unit=hash32(door.unit),
        postal_code=hash32((record.postal_code or "")[:5]),
        latitude=latitude,
        longitude=longitude,
        cells=_cells(record),
        bedrooms=_known(record.bedrooms_total, 100),
        half_bathrooms=_half_bathrooms(record),
        area=_known(record.living_area, 2**31 - 1),
        lot=_known(record.lot_size_square_feet, 2**31 - 1),
        year=_known(record.year_built, 9_999),
        price=_monthly_price(record),
        phone=hash32(phone_key(contact.phone) if contact else None),
        email=hash32(email_key(contact.email) if contact else None),
        name=hash32(name_key(contact.name) if contact else None),
        parcel=hash32(_plain(record.parcel_number)),
        listing=hash32(_plain(record.listing_id)),
        text=text_sketch(record.remarks),
        letters=hash32(letters_of(record.remarks)),
        images=b"".join(hash32(each).to_bytes(4, "little") for each in record.pictures),
    )


def hash32(value: str | None) -> int:
    """1 to 2**32 - 1; 0 for None and blank."""
    if not value:
        return 0
    digest = hashlib.blake2b(value.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") or 1


def _hash64(value: str) -> int:
    digest = hashlib.blake2b(value.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _kind(property_type: str | None) -> int:
    if property_type is None:
        return 0
    return LEASE if property_type.endswith("Lease") else SALE


def _sub_type(name: str | None) -> int:
    return 0 if name is None else _SUB_TYPES.get(name, _OTHER_SUB_TYPE)


def _position(record: SourceRecord) -> tuple[int, int]:
    latitude, longitude = record.contact.latitude, record.contact.longitude
    if latitude is None or longitude is None:
        return 0, 0
    return round(latitude / DEGREES_PER_STEP), round(longitude / DEGREES_PER_STEP)


def _cells(record: SourceRecord) -> bytes:
    latitude, longitude = record.contact.latitude, record.contact.longitude
    if latitude is None or longitude is None:
        return b""
    cell = h3.latlng_to_cell(latitude, longitude, CELL_RESOLUTION)
    neighbours = sorted(set(h3.grid_disk(cell, 1)) - {cell})
    return b"".join(hash32(each).to_bytes(4, "little") for each in (cell, *neighbours))


def _letter_bits(name: str | None) -> int:
    """A bit of 63 for each pair of letters: one slip of the pen changes three at most."""
    bits = 0
    padded = f" {name} " if name else ""
    for start in range(len(padded) - 1):
        bits |= 1 << (hash32(padded[start : start + 2]) % 63)
    return bits


def _known(value: int | None, most: int) -> int:
    return UNKNOWN if value is None else min(value, most)


def _half_bathrooms(record: SourceRecord) -> int:
    stated = record.extra.get("bathrooms_stated")
    if isinstance(stated, (int, float)) and not isinstance(stated, bool):
        return _known(round(stated * 2), 200)
    whole = record.bathrooms_total_integer
    return UNKNOWN if whole is None else _known(whole * 2, 200)


def _monthly_price(record: SourceRecord) -> int:
    if not record.list_price or record.list_price < 0:
        return 0
    frequency = record.extra.get("lease_amount_frequency")
    return min(round(record.list_price * _PERIODS_A_MONTH.get(str(frequency), 1.0)), 2**31 - 1)


def _plain(number: str | None) -> str | None:
    """Parcel and listing numbers are written with and without their dashes."""
    return "".join(c for c in number.upper() if c.isalnum()) if number else None
