"""How the sample world makes its homes: each from (seed, index) alone, in constant time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypedDict

import msgspec

from engine.intake.sample_world.buildings import DOORS, plan_of, shows_its_plan, unit_of
from engine.intake.sample_world.home import Home, Person
from engine.intake.sample_world.lookalikes import honest_price
from engine.intake.sample_world.offers import plan_posts, posts_of_a_scam, sightings_of
from engine.intake.sample_world.people import agent_of, manager_of, owner_of
from engine.intake.sample_world.places import Neighbourhood, neighbourhoods_of
from engine.intake.sample_world.scams import Victim, plot_of
from engine.market_directory import Market

_DEGREES_PER_HOUSE_NUMBER = 2.2e-6
_HOUSE_NUMBER_MOST = 9_000
_SCAM_SHARE = 0.04
# How far back a home of the wanted kind is sought, and how far away another one stands.
_VICTIMS_TRIED = 8
_NEIGHBOUR_STEPS = 40
_TWIN_SHARE = 0.015
_RENTED_SHARE = 0.45
_BY_OWNER_SHARE = 0.14
_AGENT_LETS_SHARE = 0.5
_MANAGERS_TEXT_SHARE = 0.75
_PLAN_SHARE = 0.6

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
            return self._scam(home)
        if rng.random() < _TWIN_SHARE:
            return self._twin(home)
        return msgspec.structs.replace(home, price=honest_price(home))

    def _honest(self, index: int, rng: random.Random) -> Home:
        market = self.markets[index % len(self.markets)]
        ordinal = index // len(self.markets)
        streets = self._streets[market.slug]
        area, street_name = streets[ordinal % len(streets)]
        slot = ordinal // len(streets)
        for_rent = rng.random() < _RENTED_SHARE
        sub_type = _weighted(rng, _RENTED if for_rent else _SOLD)
        by_owner = not for_rent and rng.random() < _BY_OWNER_SHARE
        number = self._number(market, street_name, slot, sub_type, rng)
        latitude, longitude = _position(area, street_name, number)
        home = Home(
            index=index,
            market=market.slug,
            street=f"{number} {street_name}",
            unit=None,
            city=area.city,
            state=market.state,
            postal_code=area.postal_code,
            latitude=latitude,
            longitude=longitude,
            sub_type=sub_type,
            for_rent=for_rent,
            for_sale_by_owner=by_owner,
            person=owner_of(self._seed, market.slug, index, rng),
            agent=self._agent(market.slug, rng, for_rent=for_rent, by_owner=by_owner),
            days_listed=rng.randrange(0, 60),
            parcel_number=f"{100 + index % 800}-{index:07d}",
            sightings=sightings_of(index, market.slug, rng, for_rent=for_rent, by_owner=by_owner),
            **_own_facts(market.slug, rng, for_rent=for_rent),
        )
        if sub_type not in _WITH_UNITS:
            return home
        home = self._in_building(home, slot % DOORS, rng)
        if not home.shows_its_plan:
            return home
        return msgspec.structs.replace(home, sightings=plan_posts(home.sightings, index, rng))

    def _number(
        self, market: Market, street: str, slot: int, sub_type: str, rng: random.Random
    ) -> int:
        """A house number no other home of the street has, or that of a shared building.

        Houses stand on odd numbers, buildings of up to 24 homes on even ones.
        """
        slots = 1 + self.size // (len(self.markets) * len(self._streets[market.slug]))
        stride = max(4, _HOUSE_NUMBER_MOST // slots // 4 * 4)
        if sub_type in _WITH_UNITS:
            start = 2 * random.Random(f"{street}/buildings").randrange(stride)
            return 102 + start + slot // DOORS * DOORS * stride
        return 101 + slot * stride + 2 * rng.randrange(stride // 2)

    def _agent(
        self, market: str, rng: random.Random, *, for_rent: bool, by_owner: bool
    ) -> Person | None:
        agent = agent_of(self._seed, market, rng)
        if by_owner or (for_rent and rng.random() >= _AGENT_LETS_SHARE):
            return None
        return agent

    def _in_building(self, home: Home, place: int, rng: random.Random) -> Home:
        """The home as one of a building's: a unit, a plan's facts, often the manager's text."""
        building = f"{home.postal_code}/{home.street}"
        plan = plan_of(self._seed, building, place)
        is_managed = home.sub_type == "Apartment"
        shares_text = is_managed and rng.random() < _MANAGERS_TEXT_SHARE
        floor = 1 + 0.015 * int(unit_of(place)[0])
        level = plan.level * floor * rng.uniform(0.94, 1.06)
        return msgspec.structs.replace(
            home,
            unit=unit_of(place),
            bedrooms=plan.bedrooms,
            bathrooms=plan.bathrooms,
            living_area=plan.living_area,
            lot_square_feet=None,
            year_built=plan.year_built,
            price=_price(home.market, plan.living_area, level, for_rent=home.for_rent),
            agent=manager_of(self._seed, home.market, building) if is_managed else home.agent,
            is_managed=is_managed,
            shows_its_plan=is_managed and shows_its_plan(place) and rng.random() < _PLAN_SHARE,
            office_unit=unit_of(0) if is_managed else None,
            text_seed=plan.text_seed if shares_text else home.text_seed,
        )

    def _twin(self, home: Home) -> Home:
        """An offer of the home next in the market's count, for lease where that is for sale
        and the other way round: one property, two leads."""
        other_index = home.index - len(self.markets)
        if other_index < 0:
            return home
        other = self._honest(other_index, random.Random(f"{self._seed}/{other_index}"))
        if other.sub_type in {"Apartment", "Manufactured Home", "Duplex"}:
            return home
        rng = random.Random(f"{self._seed}/{home.index}/twin")
        for_rent = not other.for_rent
        return msgspec.structs.replace(
            other,
            index=home.index,
            for_rent=for_rent,
            for_sale_by_owner=False,
            price=_price(home.market, other.living_area, rng.uniform(0.9, 1.15), for_rent=for_rent),
            sightings=sightings_of(home.index, home.market, rng, for_rent=for_rent, by_owner=False),
            twin_of=other_index,
            picture_key=other.pictures_named,
        )

    def _scam(self, home: Home) -> Home:
        rng = random.Random(f"{self._seed}/{home.index}/scam")
        plot = plot_of(self._seed, home.market, home.index, rng)
        victim = self._victim(home, plot.kind.victim)
        scam, clone_of = plot.kind.name, None
        if plot.kind.victim in {"let", "sold"}:
            if victim is None:
                scam = "price-bait"
            else:
                home = self._in_place_of(victim, home, plot.kind.victim, rng)
                clone_of = victim.index
        shown = victim if plot.shows_victims_pictures else None
        elsewhere = self._neighbour(home) if plot.point_elsewhere else None
        return msgspec.structs.replace(
            home,
            price=max(250, round(home.price * plot.share_asked / 5) * 5),
            person=plot.person,
            agent=None,
            text_seed=home.text_seed if plot.text_seed is None else plot.text_seed,
            latitude=(elsewhere or home).latitude,
            longitude=(elsewhere or home).longitude,
            sightings=posts_of_a_scam(home.index, rng),
            scam=scam,
            clone_of=clone_of,
            days_listed=_later(home, victim, rng),
            picture_key=shown.pictures_named if shown else f"{home.index:07x}{home.text_seed:08x}",
        )

    def _victim(self, home: Home, sought: Victim) -> Home | None:
        """The nearest home before it in the market's count that is what is sought."""
        if sought == "none":
            return None
        for step in range(1, _VICTIMS_TRIED + 1):
            index = home.index - step * len(self.markets)
            if index < 0:
                return None
            victim = self._honest(index, random.Random(f"{self._seed}/{index}"))
            if sought != "sold" or not victim.for_rent:
                return victim
        return None

    def _neighbour(self, home: Home) -> Home | None:
        """A home of the market that is somewhere else."""
        index = home.index - _NEIGHBOUR_STEPS * len(self.markets)
        return None if index < 0 else self._honest(index, random.Random(f"{self._seed}/{index}"))

    def _in_place_of(self, victim: Home, home: Home, sought: Victim, rng: random.Random) -> Home:
        """The victim's home for rent, in the victim's words unless it was sold."""
        taken = self._for_rent(msgspec.structs.replace(victim, index=home.index), rng)
        if sought == "sold":
            return msgspec.structs.replace(
                taken, text_seed=home.text_seed, days_listed=home.days_listed
            )
        return taken

    def _for_rent(self, home: Home, rng: random.Random) -> Home:
        """The home at a rent, its own if it has one."""
        if home.for_rent:
            return home
        rent = _price(home.market, home.living_area, rng.uniform(0.9, 1.15), for_rent=True)
        return msgspec.structs.replace(home, for_rent=True, for_sale_by_owner=False, price=rent)


def _later(home: Home, victim: Home | None, rng: random.Random) -> int:
    """How many days a scam is listed: who is copied was there before, nearly always."""
    return home.days_listed if victim is None else rng.randrange(0, max(1, victim.days_listed))


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


class _Facts(TypedDict):
    bedrooms: int
    bathrooms: float
    living_area: int
    lot_square_feet: int
    year_built: int
    price: int
    text_seed: int


def _own_facts(market: str, rng: random.Random, *, for_rent: bool) -> _Facts:
    """What is drawn for a home that stands alone."""
    bedrooms = rng.choice((2, 3, 3, 3, 4, 4, 5))
    living_area = 380 + bedrooms * rng.randrange(260, 420) + rng.randrange(200)
    level = rng.uniform(0.82, 1.22) if for_rent else rng.uniform(0.75, 1.45)
    return _Facts(
        bedrooms=bedrooms,
        bathrooms=max(1, bedrooms - rng.randrange(2)) + rng.choice((0, 0, 0.5)),
        living_area=living_area,
        lot_square_feet=rng.randrange(2_600, 14_000),
        year_built=rng.randrange(1948, 2026),
        price=_price(market, living_area, level, for_rent=for_rent),
        text_seed=rng.randrange(2**31),
    )


def _price(market: str, living_area: int, level: float, *, for_rent: bool) -> int:
    if for_rent:
        rent = 450 + living_area * _RENT_DOLLARS_PER_SQUARE_FOOT.get(market, 1.4)
        return round(rent * level / 5) * 5
    value = living_area * _SALE_DOLLARS_PER_SQUARE_FOOT.get(market, 250)
    return round(value * level / 1000) * 1000
