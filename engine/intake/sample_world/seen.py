"""What one sighting says of a home: the source's spelling, gaps and slips, not the truth.

Everything is drawn from the home and the sighting's id alone, so the same sighting always
says the same. Renderers turn it into their source's page or table and never ask the home.
"""

from __future__ import annotations

import random

import msgspec

from engine.intake.sample_world.home import Home, Person, Sighting
from engine.intake.sample_world.prose import remarks_of, street_writing, title_of, unit_writing


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One sighting's statements; None is what it does not say.

    Prices are whole USD (a month if for rent), areas square feet. `unit` is as written,
    designator included (`APT 207`). `listing_id` is the MLS number, `parcel_number` the
    assessor's; `status` is a RESO StandardStatus. `previous_price` is the price before a
    cut that the source shows. `by_owner` is what the source says, True only if it does.
    """

    home_index: int
    market: str
    source: str
    source_id: str
    street: str | None
    unit: str | None
    city: str | None
    state: str
    postal_code: str | None
    latitude: float | None
    longitude: float | None
    bedrooms: int | None
    bathrooms: float | None
    living_area: int | None
    lot_square_feet: int | None
    year_built: int | None
    sub_type: str | None
    for_rent: bool
    price: int | None
    person: Person | None
    title: str
    remarks: str | None
    posted_days_ago: int
    by_owner: bool
    previous_price: int | None = None
    listing_id: str | None = None
    parcel_number: str | None = None
    status: str = "Active"
    images: int = 0

    @property
    def street_line(self) -> str | None:
        """Street and unit on one line, as most sources show them."""
        if self.street is None or self.unit is None:
            return self.street
        return f"{self.street} {self.unit}"


def as_seen(home: Home, sighting: Sighting) -> Seen:
    rng = random.Random(f"{home.text_seed}/{sighting.source}/{sighting.source_id}")
    style = rng.randrange(4)
    is_classified = sighting.source in {"craigslist", "facebook"}
    return Seen(
        home_index=home.index,
        market=home.market,
        source=sighting.source,
        source_id=sighting.source_id,
        street=street_writing(home.street, style=style),
        unit=None if home.unit is None else unit_writing(home.unit, style=style),
        city=home.city,
        state=home.state,
        postal_code=home.postal_code,
        latitude=home.latitude,
        longitude=home.longitude,
        bedrooms=home.bedrooms,
        bathrooms=home.bathrooms,
        living_area=home.living_area,
        lot_square_feet=None if is_classified else home.lot_square_feet,
        year_built=None if is_classified else home.year_built,
        sub_type=home.sub_type,
        for_rent=home.for_rent,
        price=home.price,
        person=home.person,
        title=title_of(home),
        remarks=remarks_of(home),
        posted_days_ago=home.days_listed,
        by_owner=home.for_sale_by_owner,
        listing_id=_listing_id(home) if sighting.source in {"mls", "redfin", "realtor"} else None,
        parcel_number=None,
        images=1 + rng.randrange(9),
    )


def _listing_id(home: Home) -> str | None:
    return None if home.for_rent or home.for_sale_by_owner else f"{20_000_000 + home.index}"
