"""What one sighting says of a home: the source's spelling, gaps and slips, not the truth.

Everything is drawn from the home and the sighting's id alone, so the same sighting always
says the same. Renderers turn it into their source's page or table and never ask the home.
"""

from __future__ import annotations

import random
from typing import TypedDict

import msgspec

from engine.intake.sample_world.habits import CLASSIFIEDS, Habits, habits_of
from engine.intake.sample_world.home import Home, Person, Sighting
from engine.intake.sample_world.lookalikes import honest_line
from engine.intake.sample_world.prose import (
    edited,
    invitation,
    lines_of,
    street_writing,
    title_of,
    unit_writing,
)
from engine.intake.sample_world.scam_prose import scam_lines
from engine.intake.sample_world.slips import (
    area_off,
    kin_of,
    misspelled,
    moved,
    other_postal_code,
    rounded_area,
    with_other_number,
    without_suffix,
)


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
    pictures: tuple[str, ...] = ()

    @property
    def street_line(self) -> str | None:
        """Street and unit on one line, as most sources show them."""
        if self.street is None or self.unit is None:
            return self.street
        return f"{self.street} {self.unit}"


def as_seen(home: Home, sighting: Sighting) -> Seen:
    """The sighting's statements: each kind of source has its habits (`habits.py`)."""
    rng = random.Random(f"{home.text_seed}/{home.index}/{sighting.source}/{sighting.source_id}")
    habits = habits_of(sighting.source, is_flat=home.unit is not None)
    place = _place(home, habits, rng)
    person = _person(home, habits, rng)
    title, remarks = _text(home, sighting, habits, place, person, rng)
    posted_days_ago = max(0, home.days_listed - rng.randrange(0, 10))
    images = 1 + rng.randrange(9)
    return Seen(
        home_index=home.index,
        market=home.market,
        source=sighting.source,
        source_id=sighting.source_id,
        **place,
        **_facts(home, habits, rng),
        **_price(home, habits, rng),
        for_rent=home.for_rent,
        person=person,
        title=title,
        remarks=remarks,
        posted_days_ago=posted_days_ago,
        by_owner=home.for_sale_by_owner,
        images=images,
        pictures=tuple(f"{home.pictures_named}_{number:02d}p" for number in range(images)),
    )


class _Place(TypedDict):
    street: str | None
    unit: str | None
    city: str | None
    state: str
    postal_code: str | None
    latitude: float | None
    longitude: float | None


class _Facts(TypedDict):
    bedrooms: int | None
    bathrooms: float | None
    living_area: int | None
    lot_square_feet: int | None
    year_built: int | None
    sub_type: str | None
    listing_id: str | None
    parcel_number: str | None


class _Price(TypedDict):
    price: int | None
    previous_price: int | None


def _place(home: Home, habits: Habits, rng: random.Random) -> _Place:
    style = rng.randrange(4)
    street, unit = _street(home.street, habits, rng, style=style), None
    if street is not None and street[0].isdigit():
        unit = _unit(home, habits, rng)
        unit = None if unit is None else unit_writing(unit, style=style)
    postal_code: str | None = home.postal_code
    if rng.random() < habits.wrong_postal_code:
        postal_code = other_postal_code(home.postal_code, rng)
    # Whoever shows neither a street nor a point tells nothing of where it is.
    latitude, longitude = home.latitude, home.longitude
    has_point = street is None or rng.random() < habits.point
    if has_point:
        latitude, longitude = moved(
            latitude,
            longitude,
            rng,
            metres_usual=habits.metres_usual,
            metres_most=habits.metres_most,
        )
    return _Place(
        street=street,
        unit=unit,
        city=home.city,
        state=home.state,
        postal_code=postal_code if rng.random() < habits.postal_code else None,
        latitude=latitude if has_point else None,
        longitude=longitude if has_point else None,
    )


def _unit(home: Home, habits: Habits, rng: random.Random) -> str | None:
    """The unit, none, or that of the office for whichever flat it lets."""
    is_post = habits.offices_unit > 0
    if home.shows_its_plan and is_post:
        return None
    if home.office_unit is not None and rng.random() < habits.offices_unit:
        return home.office_unit
    share = _MANAGED_UNIT_SHARE if is_post and home.is_managed else habits.unit
    return home.unit if rng.random() < share else None


def _street(street: str, habits: Habits, rng: random.Random, *, style: int) -> str | None:
    """The street with its number, only its name at a corner, or nothing."""
    if rng.random() < habits.street_slip:
        street = misspelled(street, rng)
    if rng.random() < habits.number_slip:
        street = with_other_number(street, rng)
    written = street_writing(street, style=style)
    if rng.random() < habits.suffix_left_out:
        written = without_suffix(written)
    if rng.random() < habits.numbered_street:
        return written
    if rng.random() < habits.corner:
        return f"{written.partition(' ')[2]} near {rng.choice(_CROSS_STREETS)}"
    return None


def _facts(home: Home, habits: Habits, rng: random.Random) -> _Facts:
    said = _Chance(rng)
    bedrooms, bathrooms, area, year = (
        home.bedrooms, home.bathrooms, home.living_area, home.year_built,
    )  # fmt: skip
    if said(habits.beds_off):
        bedrooms = max(0, bedrooms + rng.choice((-1, 1)))
    if said(habits.baths_off):
        bathrooms = float(round(bathrooms + rng.choice((0.1, 0.5))))
    if said(habits.area_rounded):
        area = rounded_area(area, rng)
    if said(habits.area_off):
        area = area_off(area, rng)
    if said(habits.year_off):
        year += rng.choice((-1, 1))
    sub_type = home.sub_type
    if said(habits.sub_type_kin):
        sub_type = kin_of(home.sub_type, rng, is_studio=bedrooms == 0)
    in_mls = home.agent is not None and not home.for_sale_by_owner
    return _Facts(
        bedrooms=bedrooms if said(habits.beds) else None,
        bathrooms=bathrooms if said(habits.baths) else None,
        living_area=area if said(habits.area) else None,
        lot_square_feet=home.lot_square_feet if said(habits.lot) else None,
        year_built=year if said(habits.year) else None,
        sub_type=sub_type if said(habits.sub_type) else None,
        listing_id=f"{20_000_000 + home.index}" if in_mls and said(habits.listing_id) else None,
        parcel_number=home.parcel_number if said(habits.parcel_number) else None,
    )


class _Chance:
    """`chance(share)` is True in that share of calls."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __call__(self, share: float) -> bool:
        return self._rng.random() < share


def _price(home: Home, habits: Habits, rng: random.Random) -> _Price:
    """Today's price, one from before a cut, a plan's of another day, or one with a fee."""
    step = 5 if home.for_rent else 500
    was_cut = random.Random(f"{home.text_seed}/{home.index}/cut").random() < _CUT_SHARE
    before = None
    if was_cut:
        share = random.Random(f"{home.text_seed}/{home.index}/cut share").uniform(1.01, 1.09)
        before = round(home.price * share / step) * step
    price: int | None = home.price
    if before is not None and rng.random() < habits.stale_price / _CUT_SHARE:
        price, before = before, None
    elif home.shows_its_plan and rng.random() < habits.daily_price:
        price = round(home.price * rng.uniform(0.97, 1.03) / step) * step
    elif home.for_rent and rng.random() < habits.fee_in_price:
        price = home.price + rng.choice((15, 25, 40, 50))
    if rng.random() >= habits.price:
        return _Price(price=None, previous_price=None)
    return _Price(price=price, previous_price=before if rng.random() < 0.5 else None)


def _person(home: Home, habits: Habits, rng: random.Random) -> Person | None:
    """Portals show the agent, who has many homes; classifieds often the owner."""
    if rng.random() >= habits.contact:
        return None
    own = not home.is_managed and rng.random() < habits.owners_own
    person = home.person if own or home.agent is None else home.agent
    if rng.random() < habits.whole_contact:
        return person
    if rng.random() < 0.7:
        return msgspec.structs.replace(person, email=None)
    return msgspec.structs.replace(person, phone=None)


def _text(
    home: Home,
    sighting: Sighting,
    habits: Habits,
    place: _Place,
    person: Person | None,
    rng: random.Random,
) -> tuple[str, str | None]:
    """(title, remarks): the offer's text cut short, edited, or in somebody's own words.

    A clone has its victim's words. Posts of one home on classifieds are edited copies.
    """
    is_own = home.agent is not None and not home.is_managed and rng.random() < habits.own_words
    voice = f"{home.text_seed}/own" if is_own else f"{home.text_seed}"
    lines = lines_of(home, voice)
    if sighting.source in CLASSIFIEDS:
        lines = edited(lines, rng)
    if rng.random() < habits.text_cut:
        lines = lines[: rng.randrange(3, 6)]
    if home.scam is not None:
        lines += scam_lines(home, rng)
    elif line := honest_line(home):
        lines.append(line)
    if person is not None:
        lines.append(invitation(person, _written(place), rng))
    said = home.scam is not None or rng.random() < habits.text
    return title_of(home, voice), "\n".join(lines) if said else None


def _written(place: _Place) -> str | None:
    if place["street"] is None or not place["street"][0].isdigit():
        return None
    return f"{place['street']} {place['unit']}" if place["unit"] else place["street"]


_CROSS_STREETS = (
    "Main St", "2nd St", "Park Ave", "Oak Blvd", "the freeway", "Central Ave", "Lake Rd",
)  # fmt: skip
_CUT_SHARE = 0.2
_MANAGED_UNIT_SHARE = 0.99
