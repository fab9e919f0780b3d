"""Hidden tastes: what a simulated buyer wants, in terms that no feature of the model has.

A segment of a taste is a kind of home, a price per square foot (the model sees list price and
area apart), years of construction and bedrooms (it sees neither), a corridor between two places
(it sees circles), words of the text (it sees an embedding), and how much a credit hurts. What a
lead is worth to its buyer is their weighted sum, each buyer with weights of his own, plus what
all buyers see in the lead, plus chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.listing import Listing
from models_ml.recommend.simulation.homes import Homes
from models_ml.value.comparables import is_lease, kind_of

Floats = NDArray[np.float64]
WORDS: Final = tuple(
    re.compile(each, re.IGNORECASE)
    for each in (
        r"\bpool\b",
        r"garage|carport",
        r"patio|deck|balcony",
        r"fenced|yard\b",
        r"updated|remodel|renovat|redone|freshly painted",
        r"stone counter|granite|quartz",
        r"vinyl plank|hardwood|wood floor",
        r"walk-in",
        r"solar|tankless|newer roof|new windows",
        r"quiet|set back|old trees|trail",
        r"downtown|walking distance|bus stops",
        r"office|den\b|reading nook|desk",
        r"high ceilings|vaulted|bright|light",
        r"washer",
        r"garden|garden bed|landscap",
        r"storage|closet",
    )
)
_DEGREE_KM: Final = 111.2
_CORRIDOR_KM: Final = 3.0
_WORDS_WANTED: Final = (2, 4)


class Seen(NamedTuple):
    """What tastes look at of each lead; NaN is unknown. `east` and `north` are km."""

    group: NDArray[np.int64]
    foot_price: Floats
    year: Floats
    bedrooms: Floats
    east: Floats
    north: Floats
    words: NDArray[np.bool_]
    price: Floats


class Segment(NamedTuple):
    """One of the things that a buyer looks for."""

    group: int
    foot_price: float
    year: float
    newer: float
    bedrooms: float
    ends: Floats
    words: NDArray[np.int64]


class Weights(NamedTuple):
    """How much each matters to a buyer."""

    group: float
    foot_price: float
    year: float
    bedrooms: float
    place: float
    words: float
    price: float


def seen(homes: Homes) -> Seen:
    listings = homes.listings
    groups = {pair: n for n, pair in enumerate(sorted({_group(each) for each in listings}))}
    latitude = _column(listings, "latitude")
    middle = np.nanmean(latitude)
    feet = _column(listings, "living_area")
    return Seen(
        np.array([groups[_group(each)] for each in listings]),
        np.log(_column(listings, "list_price") / np.where(feet > 0, feet, np.nan)),
        _column(listings, "year_built"),
        _column(listings, "bedrooms_total"),
        _column(listings, "longitude") * _DEGREE_KM * np.cos(np.radians(middle)),
        latitude * _DEGREE_KM,
        np.array(
            [[bool(each.search(one.public_remarks or "")) for each in WORDS] for one in listings]
        ),
        np.log(homes.price.astype(np.float64)),
    )


def draw_weights(rng: np.random.Generator) -> Weights:
    means = np.array([2.5, 1.2, 0.8, 0.8, 1.6, 0.9, 0.5])
    return Weights(*(means * rng.lognormal(0.0, 0.5, len(means))))


def draw_segment(about: Seen, rng: np.random.Generator) -> Segment:
    """A segment around a home that there is, so that something on offer fits it."""
    place = int(rng.integers(len(about.group)))
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 8.0)
    start = np.array([about.east[place], about.north[place]])
    if np.isnan(start).any():
        start = np.array([np.nanmean(about.east), np.nanmean(about.north)])
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    said = np.flatnonzero(about.words[place])
    wanted = rng.integers(*_WORDS_WANTED)
    pool = said if len(said) >= wanted else np.arange(len(WORDS))
    return Segment(
        int(about.group[place]),
        float(about.foot_price[place]),
        float(about.year[place]),
        float(rng.choice((-1.0, 1.0))),
        float(about.bedrooms[place]),
        np.stack([start, end]),
        rng.choice(pool, size=wanted, replace=False),
    )


def worth(about: Seen, segment: Segment, weights: Weights) -> Floats:
    """What each lead is worth to a buyer of this segment, without chance."""
    unknown = 0.3
    foot = np.abs(about.foot_price - segment.foot_price) / 0.3
    year = segment.newer * (about.year - segment.year) / 12.0
    rooms = np.minimum(about.bedrooms - segment.bedrooms, 0.0)
    far = _corridor(about, segment.ends) / _CORRIDOR_KM
    return np.asarray(
        weights.group * (about.group == segment.group)
        - weights.foot_price * _known(np.minimum(foot, 3.0), 1.5)
        + weights.year * _known(1 / (1 + np.exp(-np.clip(year, -20, 20))), unknown)
        + weights.bedrooms * _known(np.maximum(rooms, -2.0), -0.7)
        - weights.place * _known(np.minimum(far, 3.0), 2.0)
        + weights.words * about.words[:, segment.words].sum(axis=1)
        - weights.price * (about.price - np.mean(about.price))
    )


def _corridor(about: Seen, ends: Floats) -> Floats:
    """Km from the line between two places."""
    points = np.stack([about.east, about.north], axis=1)
    along = ends[1] - ends[0]
    at = np.clip((points - ends[0]) @ along / (along @ along), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - (ends[0] + at[:, None] * along), axis=1))


def _known(values: Floats, otherwise: float) -> Floats:
    return np.asarray(np.where(np.isnan(values), otherwise, values))


def _group(listing: Listing) -> tuple[bool, str]:
    return is_lease(listing), kind_of(listing)


def _column(listings: Sequence[Listing], name: str) -> Floats:
    found = [getattr(each, name) for each in listings]
    return np.array([np.nan if each is None else float(each) for each in found])
