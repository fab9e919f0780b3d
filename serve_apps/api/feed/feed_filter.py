"""What a subscription asks to see of a market, and how a lead is judged by it.

A filter has two parts. Facts of the listing are judged when the listing changes; what
trading changes (price, state, seats) at every event and price tick. The fields mean what
they mean in a search and in a standing order: the same code compares them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from engine.adapters.postgres.feed_journal import ThinLead
from engine.market.fair_housing import UNLISTED, filter_fields, refused_field
from engine.market.listing import Listing
from engine.market.standing_rules import Facts, facts, is_wanted, wanted
from engine.market.standing_terms import SeatsWanted, StandingFilter, StandingTerms
from serve_apps.api.problems import Problem

LEAD_IDS_MAX = 200
_BIGINT_MAX = 2**63 - 1
_NAMED_MAX = 3
_NAME_LENGTH_MAX = 40
_DETAIL_LENGTH_MAX = 200

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Texts = _Text | Annotated[tuple[_Text, ...], msgspec.Meta(max_length=20)]
_LeadIds = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=128)], ...],
    msgspec.Meta(min_length=1, max_length=LEAD_IDS_MAX),
]
_State = Literal["available", "held"]
_Bound = Annotated[int, msgspec.Meta(ge=0, le=_BIGINT_MAX)]
_Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
_Metres = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class _Asked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The members a `filter` may have. `near` is (latitude, longitude), `bbox` (west, south,
    east, north), degrees; prices are credits, undiscounted."""

    lead_ids: _LeadIds = ()
    property_type: _Texts = ()
    source: _Texts = ()
    near: tuple[_Latitude, _Longitude] | None = None
    radius_m: _Metres | None = None
    bbox: tuple[_Longitude, _Latitude, _Longitude, _Latitude] | None = None
    list_price_min: _Bound | None = None
    list_price_max: _Bound | None = None
    living_area_min: _Bound | None = None
    living_area_max: _Bound | None = None
    lot_size_square_feet_min: _Bound | None = None
    lot_size_square_feet_max: _Bound | None = None
    year_built_min: _Bound | None = None
    year_built_max: _Bound | None = None
    bedrooms_total_min: _Bound | None = None
    bedrooms_total_max: _Bound | None = None
    price_min: _Bound | None = None
    price_max: _Bound | None = None
    lead_state: _State | tuple[_State, ...] = ()
    seats: SeatsWanted = "any"


KNOWN = tuple(field.name for field in msgspec.structs.fields(_Asked))
filter_fields(KNOWN)
_RANGES = tuple(name[:-4] for name in KNOWN if name.endswith("_min"))
_decode_names = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode
_encode = msgspec.json.Encoder().encode


class FeedFilter:
    """A filter ready for many leads. Equal `key` means that the same was asked for."""

    __slots__ = (
        "_lead_ids",
        "_price_max",
        "_price_min",
        "_seats",
        "_states",
        "_wanted",
        "is_price_bound",
        "key",
    )

    def __init__(self, asked: _Asked) -> None:
        self.key = _encode(asked)
        # Whether a price tick, which is no event, can make a lead match or not.
        self.is_price_bound = asked.price_min is not None or asked.price_max is not None
        self._lead_ids = frozenset(asked.lead_ids)
        self._price_min = asked.price_min or 0
        self._price_max = _BIGINT_MAX if asked.price_max is None else asked.price_max
        self._seats = asked.seats
        self._states = frozenset(asked.lead_state)
        listing = {
            name: getattr(asked, name)
            for name in StandingFilter.__struct_fields__
            if name not in ("q", "price_min")
        }
        self._wanted = wanted(
            StandingTerms(name="", price_max=_BIGINT_MAX, filter=StandingFilter(**listing))
        )

    def lists(self, lead_id: str, facts: Facts) -> bool:
        """Whether the lead's facts are asked for; `facts_of` makes them."""
        if self._lead_ids and lead_id not in self._lead_ids:
            return False
        return is_wanted(self._wanted, facts)

    def trades(self, lead: ThinLead) -> bool:
        """Whether price, state and seats are; of a lead on offer."""
        if not self._price_min <= lead.price <= self._price_max:
            return False
        if self._states and lead.lead_state not in self._states:
            return False
        return self._seats == "any" or (self._seats == "exclusive") == (lead.max_buyers == 1)


def facts_of(listing: Listing) -> Facts:
    """What `lists` looks at. Price and seats are what trading changes, and left out."""
    return facts(listing, 0, 1)


def parse_filter(text: msgspec.Raw) -> FeedFilter | None:
    """The filter of a subscription; None if it asks for everything.

    Raises Problem `validation` that names what can't be.
    """
    try:
        names = _decode_names(text)
    except msgspec.ValidationError as error:
        raise Problem("validation", f"filter is an object: {error}") from error
    unknown = [name[:_NAME_LENGTH_MAX] for name in names or () if name not in KNOWN]
    if unknown:
        named = ", ".join(unknown[:_NAMED_MAX])
        refusals = [refusal for name in unknown[:_NAMED_MAX] if (refusal := refused_field(name))]
        why = [refusal.message for refusal in refusals if refusal.rule != UNLISTED]
        told = why[0] if why else f"known are {', '.join(KNOWN)}"
        raise Problem("validation", f"filter: unknown {named}; {told}")
    try:
        asked = _decode_asked(text) if names else _Asked()
    except msgspec.ValidationError as error:
        raise Problem("validation", f"filter: {_short(str(error))}") from error
    asked = _canonical(asked)
    _check(asked)
    return FeedFilter(asked) if asked != _Asked() else None


def _short(text: str) -> str:
    """What was sent may be long; what was wrong stands first, where at the end."""
    half = _DETAIL_LENGTH_MAX // 2
    return text if len(text) <= _DETAIL_LENGTH_MAX else f"{text[:half]}…{text[-half:]}"


def _canonical(asked: _Asked) -> _Asked:
    listed = {}
    for name in ("lead_ids", "property_type", "source", "lead_state"):
        given = getattr(asked, name)
        listed[name] = (given,) if isinstance(given, str) else tuple(sorted(set(given)))
    return msgspec.structs.replace(asked, **listed)


def _check(asked: _Asked) -> None:
    if (asked.near is None) != (asked.radius_m is None):
        raise Problem("validation", "filter: near and radius_m come together")
    if asked.bbox is not None:
        west, south, east, north = asked.bbox
        if west >= east or south >= north:
            raise Problem(
                "validation",
                "filter: bbox is [west, south, east, north] with west < east and south < north",
            )
    for name in _RANGES:
        least, most = getattr(asked, f"{name}_min"), getattr(asked, f"{name}_max")
        if least is not None and most is not None and least > most:
            raise Problem("validation", f"filter: {name}_min is above {name}_max")
