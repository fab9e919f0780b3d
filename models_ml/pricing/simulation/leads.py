"""The leads of a simulated market: homes of the sample world, and what nobody sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.intake.offer import starting_price
from engine.intake.sample_world.builder import HomeBuilder
from engine.intake.sample_world.home import Home
from engine.intake.sample_world.places import neighbourhoods_of
from engine.market.listing import Listing
from engine.market.pricing.segments import Key, key_of, kind_of
from engine.market_directory import load_markets
from models_ml.pricing.simulation.terms import KINDS, Terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARKET = "austin"
# Seats of what is not offered by its owner, who wants one buyer.
_SEATS, _SEATS_SHARES = (1, 2, 3), (0.25, 0.35, 0.4)
# How far values of homes alike in the listing table lie apart, in logs.
_OWN_SD = 0.15


class Leads(NamedTuple):
    """Parallel arrays. Hours since the market opened: `listed` is whole, `left` is when the home
    comes off offer, `cut` when its list price is cut (beyond `left` if it isn't).

    `base` is the hidden value in credits, fresh and before effects; `seen` what a policy is told
    (thousandths of a credit). `effect` is the hidden effect of its segment, in logs;
    `traffic` its arrivals an hour on average.
    """

    ids: list[str]
    listings: list[Listing]
    segments: list[Key]
    prices: Ints
    kind: Ints
    seats: Ints
    listed: Ints
    left: Floats
    cut: Floats
    base: Floats
    seen: Ints
    effect: Floats
    traffic: Floats

    @property
    def size(self) -> int:
        return len(self.ids)


def leads_of(terms: Terms, seed: int, rng: np.random.Generator) -> Leads:
    """Leads in order of listing, all drawn from `seed` and `rng`."""
    homes = _homes(terms, seed)
    count = len(homes)
    quality = np.clip(rng.beta(6, 4, count), 0.2, 0.98)
    seats = np.where(
        np.array([home.for_sale_by_owner for home in homes]),
        1,
        rng.choice(_SEATS, count, p=_SEATS_SHARES),
    )
    listings = [_listing(home, float(q)) for home, q in zip(homes, quality, strict=True)]
    segments = [key_of(listing) for listing in listings]
    kind = np.array([_kind_number(key) for key in segments])
    pairs = zip(listings, seats.tolist(), strict=True)
    prices = np.array([starting_price(listing, most) for listing, most in pairs])
    base = prices * np.exp(_OWN_SD * rng.standard_normal(count))
    listed = np.sort(rng.integers(0, 24 * terms.days, count))
    return Leads(
        ids=[f"lead-{number:05d}" for number in range(count)],
        listings=listings,
        segments=segments,
        prices=prices,
        kind=kind,
        seats=seats,
        listed=listed,
        left=listed + _lives(terms, rng, count),
        cut=listed + rng.exponential(24 / max(1e-9, terms.churn.cuts_a_day), count),
        base=base,
        seen=_seen(terms, base, listings, seats, rng),
        effect=_effects(terms, segments, rng),
        traffic=_traffic(terms, segments, rng),
    )


def _homes(terms: Terms, seed: int) -> list[Home]:
    market = load_markets()[MARKET]
    areas = neighbourhoods_of(market)
    places = {area.postal_code for area in areas[: terms.areas]}
    # Some homes are scams, and no leads.
    size = terms.leads * len(areas) * 11 // (terms.areas * 10) + 200
    builder = HomeBuilder(seed, size, [market])
    found: list[Home] = []
    for index in range(size):
        if len(found) == terms.leads:
            return found
        home = builder.build(index)
        if home.scam is None and home.postal_code in places:
            found.append(home)
    raise ValueError(f"{terms.areas} areas have no {terms.leads} homes")


def _listing(home: Home, quality: float) -> Listing:
    return Listing(
        quality=round(quality, 4),
        sources=tuple(sorted({each.source for each in home.sightings})),
        is_sample=True,
        list_price=home.price,
        standard_status="Active",
        property_type="Residential Lease" if home.for_rent else "Residential",
        property_sub_type=home.sub_type,
        bedrooms_total=home.bedrooms,
        living_area=home.living_area,
        year_built=home.year_built,
        city=home.city,
        state_or_province=home.state,
        postal_code=home.postal_code,
        latitude=home.latitude,
        longitude=home.longitude,
    )


def _kind_number(key: Key) -> int:
    return KINDS.index(key[1]) if key[1] in KINDS else KINDS.index("sale house")


def _lives(terms: Terms, rng: np.random.Generator, count: int) -> Floats:
    """Hours until the home comes off offer, by the churn's hazard."""
    ages = terms.churn.ages_at(rng.exponential(1.0, count))
    hours: Floats = 24 * np.minimum(ages, terms.life_days_most)
    return hours


def _seen(
    terms: Terms,
    base: Floats,
    listings: list[Listing],
    seats: Ints,
    rng: np.random.Generator,
) -> Ints:
    """The base as a value model would have it: with noise, and features weighted wrong."""
    prices = np.log([listing.list_price or 1 for listing in listings])
    is_lease = np.array([kind_of(listing).startswith("lease") for listing in listings])
    features = np.column_stack(
        (
            np.where(is_lease, prices - prices[is_lease].mean(), prices - prices[~is_lease].mean()),
            [listing.quality for listing in listings],
            seats == 1,
        )
    )
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    wrong = features @ rng.normal(0.0, terms.misweighted, features.shape[1])
    noise = terms.base_noise * rng.standard_normal(len(base))
    milli: Ints = np.rint(1_000 * base * np.exp(wrong + noise)).astype(np.int64)
    return milli


def _effects(terms: Terms, segments: list[Key], rng: np.random.Generator) -> Floats:
    """Hidden: one level for the market, one for each kind and band, each cell, each segment."""
    level = terms.level_sd * rng.standard_normal()
    bands = _drawn([(kind, band) for _, kind, band in segments], rng)
    areas = _drawn([cell for cell, _, _ in segments], rng)
    own = _drawn(segments, rng)
    effect: Floats = level + terms.band_sd * bands + terms.area_sd * areas + terms.segment_sd * own
    return effect


def _traffic(terms: Terms, segments: list[Key], rng: np.random.Generator) -> Floats:
    """Arrivals an hour, scaled so that all leads together get `terms.arrivals` on average."""
    ages = np.arange(0.5, 24 * terms.life_days_most) / 24
    hours = float(terms.churn.still_on_offer(ages).sum())
    own = np.exp(terms.traffic_sd * _drawn(segments, rng))
    rate: Floats = own / own.mean() * terms.arrivals / (terms.leads * hours)
    return rate


def _drawn(groups: Sequence[object], rng: np.random.Generator) -> Floats:
    """A standard normal draw for each group, told for each lead."""
    number = {group: place for place, group in enumerate(sorted(set(groups), key=str))}
    draws = rng.standard_normal(len(number))
    drawn: Floats = draws[[number[group] for group in groups]]
    return drawn
