"""One invented home and everything that is true of it."""

from __future__ import annotations

import msgspec


class Sighting(msgspec.Struct, frozen=True):
    """Where a home is offered: `SourceRecord.source` and `SourceRecord.source_id`."""

    source: str
    source_id: str


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call. `phone` carries an extension: 555-01XX has only 100 lines.

    A home's own person has both; a sighting may show only one of them.
    """

    name: str
    phone: str | None
    email: str | None


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The truth of a home. Prices are whole USD (a month if for rent), areas square feet.

    `scam` names the kind of a fraudulent offer (`scams.py`), None for an honest one. A
    `clone` has the place and text of the honest home `clone_of` under another contact, at a
    lower price; one of a home `sold-relisted` its place alone. `twin_of` is the home that is
    the same property on other terms: for lease and for sale are two leads. `picture_key` is
    the home that the pictures are of, if they are not its own.
    `person` makes the offer; where there is an `agent`, portals show the agent instead.
    Homes of one plan of a managed building may share their `text_seed`; posts of the one
    that `shows_its_plan` name no unit, and some of the others' name the `office_unit`.
    """

    index: int
    market: str
    street: str
    unit: str | None
    city: str
    state: str
    postal_code: str
    latitude: float
    longitude: float
    bedrooms: int
    bathrooms: float
    living_area: int
    lot_square_feet: int | None
    year_built: int
    sub_type: str
    for_rent: bool
    for_sale_by_owner: bool
    price: int
    person: Person
    agent: Person | None
    days_listed: int
    parcel_number: str
    text_seed: int
    sightings: tuple[Sighting, ...]
    scam: str | None = None
    is_managed: bool = False
    shows_its_plan: bool = False
    office_unit: str | None = None
    clone_of: int | None = None
    twin_of: int | None = None
    picture_key: str | None = None

    @property
    def pictures_named(self) -> str:
        """What the names of its pictures begin with: homes of one plan of a managed building
        are shown by the same ones."""
        if self.picture_key is not None:
            return self.picture_key
        plan = f"{self.text_seed:08x}"
        return plan if self.is_managed else f"{self.index:07x}{plan}"
