"""What the listing model looks at: one function for training and for serving.

The names are compiled against the fair-housing allow-list when this module is imported. No
name of a person or a place is a feature: contacts and addresses are only counted. Nor is how
long a text is, how often a home was posted or how much is left out: those tell one source's
habits from another's, and the sample world's from all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.evidence import Evidence
from engine.intake.fraud.rules import Case
from engine.intake.fraud.text_signals import text_signals
from engine.market.fair_housing import inputs
from engine.market.listing import Listing
from models_ml.value.comparables import Compared, is_lease, kind_of

SCHEMA: Final = 1
"""Goes up when a feature is added, dropped or means something else."""
_DAY_US = 86_400_000_000
_CLASSIFIEDS = frozenset({"craigslist", "facebook"})


class Feature(NamedTuple):
    """`monotone`: +1 if more of it is never less suspicious, -1 never more, 0 either way. `words`
    say in a reason what it is; what is 0 or unknown is none."""

    name: str
    monotone: Literal[-1, 0, 1]
    words: str


_OF_HOME: Final = (
    Feature("price_to_comparables", -1, "the price against that of comparable homes"),
    Feature("comparables_log", 0, "how many comparable homes there are"),
    Feature("is_lease", 0, "that it is for rent"),
    Feature("is_flat", 0, "the kind of home"),
    Feature("classifieds_only", 0, "that only classifieds offer it"),
)
_OF_TEXT: Final = (
    Feature("untraceable", 1, "asks for gift cards, wires or crypto money"),
    Feature("instant_payment", 1, "names a payment that can't be taken back"),
    Feature("pay_first", 1, "asks for money before a viewing"),
    Feature("absent_owner", 1, "the owner is said to be far away"),
    Feature("no_viewing", 1, "the home can't be seen from inside"),
    Feature("urgency", 0, "presses for time"),
    Feature("personal_data", 1, "asks for personal numbers or papers"),
    Feature("paid_check", 1, "wants a credit or background check first"),
    Feature("messenger", 1, "moves the talk to a messenger"),
    Feature("too_good", 1, "promises what is too good"),
    Feature("disowns", 1, "tells to ignore a sign, an agent or another offer"),
    Feature("disguised", 1, "words written to get past filters"),
    Feature("warning", 0, "warns of fraud"),
)
_OF_OTHERS: Final = (
    Feature("own_contacts", 0, "how many contacts it has"),
    Feature("own_price_spread", 1, "different prices for the same home"),
    Feature("own_places_km", 1, "different places on the map for the same home"),
    Feature("contact_leads_log", 0, "how many other offers have the contact"),
    Feature("contact_addresses_log", 0, "how many addresses the contact offers"),
    Feature("contact_markets", 1, "the contact in other markets"),
    Feature("contact_sources", 0, "how many sources know the contact"),
    Feature("contact_leads_day_log", 0, "how many offers the contact made within a day"),
    Feature("contact_known_days_log", 0, "how long the contact has been known"),
    Feature("text_leads_log", 0, "how many other offers have the text"),
    Feature("text_other_contact", 1, "the text stands under another contact"),
    Feature("text_other_address", 0, "the text stands at another address"),
    Feature("text_likeness", 1, "how much of another contact's text it repeats"),
    Feature("text_was_first", 0, "whether the text was here first"),
    Feature("picture_leads_log", 0, "how many other offers show the pictures"),
    Feature("picture_other_contact", 1, "the pictures stand under another contact"),
    Feature("picture_other_address", 1, "the pictures show another address"),
    Feature("pictures_shared", 1, "pictures shared with another contact or address"),
    Feature("picture_was_first", 0, "whether the pictures were here first"),
    Feature("address_leads_log", 0, "how many other offers have the address"),
    Feature("address_other_contact", 1, "the address is offered under another contact"),
    Feature("address_other_kind", 0, "the address is also for sale"),
    Feature("address_under", 1, "cheaper than others offer the same address"),
    Feature("listing_under", 1, "cheaper than others offer the same listing"),
    Feature("place_km", 1, "far from its postal code on the map"),
)
FEATURES: Final = (*_OF_HOME, *_OF_TEXT, *_OF_OTHERS)
NAMES: Final = tuple(feature.name for feature in FEATURES)
BACKGROUND: Final = frozenset(
    {"comparables_log", "is_lease", "is_flat", "classifieds_only", "warning"}
    | {"own_contacts", "contact_sources", "contact_known_days_log"}
)
"""What the others are seen against: it is told to nobody as a reason."""
inputs("fraud", NAMES)


def feature_rows(
    listings: Sequence[Listing], evidence: Sequence[Evidence], compared: Compared
) -> NDArray[np.float32]:
    """(listings, features), in the order of FEATURES; NaN is unknown. Raises ValueError if the
    arguments are out of step."""
    return rows_of(listings, cases(listings, evidence, compared), compared)


def rows_of(
    listings: Sequence[Listing], known: Sequence[Case], compared: Compared
) -> NDArray[np.float32]:
    """As `feature_rows`, of cases already made for the rules: the text is read once."""
    found = np.empty((len(listings), len(FEATURES)), dtype=np.float32)
    rows = zip(listings, known, compared.count.tolist(), strict=True)
    for row, (listing, case, count) in enumerate(rows):
        found[row] = (
            *_of_home(listing, case.price_to, count),
            *(getattr(case.signals, feature.name) for feature in _OF_TEXT),
            *_of_others(case.evidence),
        )
    return found


def cases(
    listings: Sequence[Listing], evidence: Sequence[Evidence], compared: Compared
) -> list[Case]:
    """What the rules look at, of the same arguments."""
    return [
        Case(is_lease(listing), told, text_signals(listing.public_remarks), price_to)
        for listing, told, price_to in zip(
            listings, evidence, compared.price_to.tolist(), strict=True
        )
    ]


def _of_home(listing: Listing, price_to: float, count: int) -> tuple[float, ...]:
    return (
        price_to,
        math.log1p(count),
        is_lease(listing),
        kind_of(listing) == "flat",
        bool(listing.sources) and _CLASSIFIEDS.issuperset(listing.sources),
    )


def _of_others(told: Evidence) -> tuple[float, ...]:
    return (
        told.own_contacts,
        told.own_price_spread,
        told.own_places_km,
        math.log1p(told.contact_leads),
        math.log1p(told.contact_addresses),
        told.contact_markets,
        told.contact_sources,
        math.log1p(told.contact_leads_day),
        math.log1p(told.contact_known_us / _DAY_US),
        math.log1p(told.text_leads),
        told.text_other_contact,
        told.text_other_address,
        told.text_likeness,
        told.text_was_first,
        math.log1p(told.picture_leads),
        told.picture_other_contact,
        told.picture_other_address,
        told.pictures_shared,
        told.picture_was_first,
        math.log1p(told.address_leads),
        told.address_other_contact,
        told.address_other_kind,
        told.address_under,
        told.listing_under,
        math.nan if told.place_km is None else told.place_km,
    )
