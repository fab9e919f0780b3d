"""How the sample world makes its homes: each from (seed, index) alone, in constant time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from engine.intake.invented_contact import AREA_CODES, FIRST_NAMES, LAST_NAMES
from engine.intake.sample_world.home import Home, Person, Sighting
from engine.intake.sample_world.places import Neighbourhood, neighbourhoods_of
from engine.market_directory import Market

POST_ID_BASE = 7_000_000_000
COPIES_MAX = 10
_FACEBOOK_ID_BASE = 1_000_000_000_000_000
_ID_BASES = {
    "zillow": 900_000_000,
    "redfin": 300_000_000,
    "realtor": 5_000_000_000,
    "mls": 400_000_000,
    "fsbo": 600_000_000,
}
_REPOST_SHARE = 0.15
# The market's own source, which is named like the market.
_LOCAL = "local"
_SHARES_RENT = {"craigslist": 0.45, "facebook": 0.2, "zillow": 0.3, "redfin": 0.25,
                "realtor": 0.12, "mls": 0.1, _LOCAL: 0.15}  # fmt: skip
_SHARES_SALE = {"craigslist": 0.1, "facebook": 0.05, "zillow": 0.42, "redfin": 0.32,
                "realtor": 0.2, "mls": 0.3, _LOCAL: 0.1}  # fmt: skip
_SHARES_OWNER = {"craigslist": 0.5, "facebook": 0.3, "zillow": 0.2, "fsbo": 0.55,
                 _LOCAL: 0.1}  # fmt: skip
_DEGREES_PER_HOUSE_NUMBER = 2.2e-6
_HOUSE_NUMBER_MOST = 9_000
_SCAM_SHARE = 0.04
_SCAMMERS = 40

_RENTED = (("Apartment", 55), ("Single Family Residence", 25), ("Townhouse", 11),
           ("Condominium", 6), ("Duplex", 3))  # fmt: skip
_SOLD = (("Single Family Residence", 74), ("Condominium", 12), ("Townhouse", 11),
         ("Manufactured Home", 3))  # fmt: skip
_WITH_UNITS = frozenset({"Apartment", "Condominium"})
_SALE_DOLLARS_PER_SQUARE_FOOT = {"las-vegas": 255, "dallas": 235, "austin": 315, "phoenix": 270}
_RENT_DOLLARS_PER_SQUARE_FOOT = {"las-vegas": 1.25, "dallas": 1.35, "austin": 1.6, "phoenix": 1.3}


class HomeBuilder:
    """Builds home `index` of a world of `size` homes spread evenly over `markets`."""

    def __init__(self, seed: int, size: int, markets: Sequence[Market]) -> None:
        self.size = size
        self.markets = tuple(markets)
        self._seed = seed
        self._streets = {m.slug: _streets_of(neighbourhoods_of(m)) for m in self.markets}

    def build(self, index: int) -> Home:
        """Raises IndexError when `index` is not in the world."""
        if not 0 <= index < self.size:
            raise IndexError(f"home {index} of a world of {self.size}")
        rng = random.Random(f"{self._seed}/{index}")
        home = self._honest(index, rng)
        if home.for_rent and rng.random() < _SCAM_SHARE:
            return self._scam(home, rng)
        return home

    def _honest(self, index: int, rng: random.Random) -> Home:
        market = self.markets[index % len(self.markets)]
        ordinal = index // len(self.markets)
        streets = self._streets[market.slug]
        area, street_name = streets[ordinal % len(streets)]
        slot = ordinal // len(streets)
        for_rent = rng.random() < 0.45
        sub_type = _weighted(rng, _RENTED if for_rent else _SOLD)
        number, unit = self._door(market, slot, sub_type, rng)
        latitude, longitude = _position(area, street_name, number)
        bedrooms = _bedrooms(sub_type, rng)
        living_area = 380 + bedrooms * rng.randrange(260, 420) + rng.randrange(200)
        owner = not for_rent and rng.random() < 0.14
        return Home(
            index=index,
            market=market.slug,
            street=f"{number} {street_name}",
            unit=unit,
            city=area.city,
            state=market.state,
            postal_code=area.postal_code,
            latitude=latitude,
            longitude=longitude,
            bedrooms=bedrooms,
            bathrooms=max(1, bedrooms - rng.randrange(2)) + rng.choice((0, 0, 0.5)),
            living_area=living_area,
            lot_square_feet=None if unit else rng.randrange(2_600, 14_000),
            year_built=rng.randrange(1948, 2026),
            sub_type=sub_type,
            for_rent=for_rent,
            for_sale_by_owner=owner,
            price=_price(market.slug, living_area, rng, for_rent=for_rent),
            person=_person(market.slug, index, rng),
            days_listed=rng.randrange(0, 60),
            text_seed=rng.randrange(2**31),
            sightings=_sightings(index, market.slug, rng, for_rent=for_rent, owner=owner),
        )

    def _door(
        self, market: Market, slot: int, sub_type: str, rng: random.Random
    ) -> tuple[int, str | None]:
        """A house number no other home of the street has, or a unit in a shared building.

        Houses stand on odd numbers, buildings of up to three units on even ones.
        """
        slots = 1 + self.size // (len(self.markets) * len(self._streets[market.slug]))
        stride = max(4, _HOUSE_NUMBER_MOST // slots // 4 * 4)
        if sub_type in _WITH_UNITS:
            number = 102 + slot // 3 * 3 * stride
            return number, f"{1 + slot % 3}{rng.randrange(1, 40):02d}"
        return 101 + slot * stride + 2 * rng.randrange(stride // 2), None

    def _scam(self, home: Home, rng: random.Random) -> Home:
        kind = rng.choice(("price-bait", "advance-fee", "clone"))
        posts = tuple(
            Sighting("craigslist", _post_id(home.index, copy))
            for copy in range(rng.randrange(1, 4))
        )
        crook = _scammer(self._seed, home.market, rng.randrange(_SCAMMERS))
        offer = msgspec.structs.replace(
            home,
            price=max(250, round(home.price * rng.uniform(0.38, 0.62) / 5) * 5),
            person=crook,
            sightings=posts,
            scam=kind,
        )
        victim_index = home.index - len(self.markets)
        if kind != "clone" or victim_index < 0:
            return offer if kind != "clone" else msgspec.structs.replace(offer, scam="price-bait")
        victim = self._honest(victim_index, random.Random(f"{self._seed}/{victim_index}"))
        return msgspec.structs.replace(
            victim,
            index=home.index,
            for_rent=True,
            for_sale_by_owner=False,
            price=offer.price,
            person=crook,
            sightings=posts,
            scam="clone",
            clone_of=victim_index,
        )


def _streets_of(areas: tuple[Neighbourhood, ...]) -> tuple[tuple[Neighbourhood, str], ...]:
    return tuple((area, street) for area in areas for street in area.streets)


def _weighted(rng: random.Random, choices: tuple[tuple[str, int], ...]) -> str:
    return rng.choices([c for c, _ in choices], [w for _, w in choices])[0]


def _position(area: Neighbourhood, street: str, number: int) -> tuple[float, float]:
    """Streets are straight: they start near the middle and run with the house numbers."""
    course = random.Random(f"{area.postal_code}/{street}")
    along = number * _DEGREES_PER_HOUSE_NUMBER * course.choice((-1, 1))
    latitude = area.latitude + course.uniform(-0.009, 0.009)
    longitude = area.longitude + course.uniform(-0.011, 0.011)
    if course.random() < 0.5:
        return round(latitude + along, 6), round(longitude, 6)
    return round(latitude, 6), round(longitude + along, 6)


def _bedrooms(sub_type: str, rng: random.Random) -> int:
    if sub_type == "Apartment":
        return rng.choice((0, 1, 1, 1, 2, 2, 2, 3))
    if sub_type == "Condominium":
        return rng.choice((1, 2, 2, 3))
    return rng.choice((2, 3, 3, 3, 4, 4, 5))


def _price(market: str, living_area: int, rng: random.Random, *, for_rent: bool) -> int:
    if for_rent:
        rent = 450 + living_area * _RENT_DOLLARS_PER_SQUARE_FOOT.get(market, 1.4)
        return round(rent * rng.uniform(0.82, 1.22) / 5) * 5
    value = living_area * _SALE_DOLLARS_PER_SQUARE_FOOT.get(market, 250)
    return round(value * rng.uniform(0.75, 1.45) / 1000) * 1000


def _person(market: str, index: int, rng: random.Random) -> Person:
    name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    return _reachable(name, market, rng.randrange(100), 10_000 + index, index)


def _scammer(seed: int, market: str, number: int) -> Person:
    rng = random.Random(f"{seed}/{market}/scammer/{number}")
    name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    return _reachable(name, market, rng.randrange(100), 9_000 + number, 90_000_000 + number)


def _reachable(name: str, market: str, line: int, extension: int, mailbox: int) -> Person:
    area_code = AREA_CODES.get(market, "555")
    return Person(
        name=name,
        phone=f"+1 {area_code} 555 01{line:02d} ext. {extension}",
        email=f"{name.lower().replace(' ', '.')}.{mailbox}@example.com",
    )


def _sightings(
    index: int, market: str, rng: random.Random, *, for_rent: bool, owner: bool
) -> tuple[Sighting, ...]:
    """Where the home is offered: 1.7 places on average, one at least."""
    shares = _SHARES_RENT if for_rent else _SHARES_OWNER if owner else _SHARES_SALE
    found = []
    for source, share in shares.items():
        if rng.random() < share:
            found += _sightings_at(source, index, market, rng, for_rent=for_rent)
    if not found:
        source = rng.choices(list(shares), list(shares.values()))[0]
        found += _sightings_at(source, index, market, rng, for_rent=for_rent)
    return tuple(found)


def _sightings_at(
    source: str, index: int, market: str, rng: random.Random, *, for_rent: bool
) -> list[Sighting]:
    """Classifieds are posted again under new ids; a portal knows a home by one."""
    if source == _LOCAL:
        return [Sighting(market, f"local-{index}")]
    if source not in _ID_BASES:
        copies = 1 + (rng.random() < _REPOST_SHARE)
        base = POST_ID_BASE if source == "craigslist" else _FACEBOOK_ID_BASE
        return [Sighting(source, str(base + index * COPIES_MAX + copy)) for copy in range(copies)]
    if source == "redfin" and for_rent:
        return [Sighting(source, f"redfin-5{index:012d}")]
    return [Sighting(source, str(_ID_BASES[source] + index))]


def _post_id(index: int, copy: int) -> str:
    return str(POST_ID_BASE + index * COPIES_MAX + copy)
