"""From the traces that share something with a lead's own to counts of them."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.trace_table import Columns, Rows
from engine.intake.resolution.features import DEGREES_PER_STEP

TEXT_LIKENESS_LEAST: Final = 0.5
PLACE_LEADS_LEAST: Final = 5
_DAY_US = 86_400_000_000
# Sources move a home's point by some hundred metres so that its door is not told.
_APART_KM_LEAST = 1.0
_KM_PER_DEGREE = 111.2
_CONTACT = ("phone", "email")
Flags = NDArray[np.bool_]


class LeadTraces(NamedTuple):
    """A lead's `own` traces, those of others that share anything with them, and by family the
    rows of `others` that share it: a row as often as it shares a value. `pictures` is how many
    the lead has."""

    own: Columns
    others: Columns
    met: dict[str, Rows]
    pictures: int

    def sharing(self, *families: str) -> Columns:
        """The others that share a value of one of these families, each once."""
        rows = sorted({row for name in families for row in self.met[name].tolist()})
        return self.others.only(np.array(rows, dtype=np.int64))


def of_own_records(traces: LeadTraces, now_us: int) -> dict[str, Any]:
    own = traces.own
    return {
        "records": _distinct(own["identity"]),
        "sources": _distinct(own["source"]),
        "own_contacts": max(_distinct(own[name]) for name in _CONTACT),
        "own_price_spread": max(_spread(own["price"][own["kind"] == kind]) for kind in (0, 1, 2)),
        "own_places_km": _widest_km(own),
        "age_us": max(0, now_us - int(own["seen_us"].min())),
    }


def of_contact(traces: LeadTraces, now_us: int) -> dict[str, Any]:
    own = traces.own
    same = traces.sharing(*_CONTACT)
    first_us = int(own["seen_us"].min())
    near = np.abs(same["seen_us"] - first_us) <= _DAY_US
    has_contact = any(bool(own[name].any()) for name in _CONTACT)
    known_us = min([first_us, *same["seen_us"].tolist()]) if has_contact else now_us
    called = traces.sharing("name")
    fresh = _another(own, called, _CONTACT)
    return {
        "contact_leads": _distinct(same["lead"] + 1),
        "contact_addresses": _distinct(np.concatenate([same["door"], own["door"]])),
        "contact_markets": _distinct(np.concatenate([same["market"], own["market"]]) + 1),
        "contact_sources": _distinct(np.concatenate([same["source"], own["source"]])),
        "contact_leads_day": _distinct(same["lead"][near] + 1),
        "contact_known_us": max(0, now_us - known_us),
        "name_leads": _distinct(called["lead"][fresh] + 1),
    }


def of_text(traces: LeadTraces) -> dict[str, Any]:
    own, alike = traces.own, traces.sharing("text", "letters")
    likeness = _likeness(own, alike)
    kept = likeness >= TEXT_LIKENESS_LEAST
    alike, likeness = alike.only(kept), likeness[kept]
    strange = _another(own, alike)
    return {
        "text_leads": _distinct(alike["lead"] + 1),
        "text_other_contact": _distinct(alike["lead"][strange] + 1),
        "text_other_address": _distinct(alike["lead"][_elsewhere(own, alike)] + 1),
        "text_likeness": float(likeness[strange].max(initial=0.0)),
        "text_was_first": _was_first(own, alike),
    }


def of_pictures(traces: LeadTraces) -> dict[str, Any]:
    own, shown = traces.own, traces.sharing("picture")
    strange, elsewhere = _another(own, shown), _elsewhere(own, shown)
    suspect = {*shown["lead"][strange | elsewhere].tolist()}
    # A row is met once for each picture it shares.
    leads = traces.others["lead"][traces.met["picture"]]
    shared = max((int((leads == lead).sum()) for lead in suspect), default=0)
    return {
        "pictures": traces.pictures,
        "picture_leads": _distinct(shown["lead"] + 1),
        "picture_other_contact": _distinct(shown["lead"][strange] + 1),
        "picture_other_address": _distinct(shown["lead"][elsewhere] + 1),
        "pictures_shared": min(shared, traces.pictures),
        "picture_was_first": _was_first(own, shown),
    }


def of_address(traces: LeadTraces) -> dict[str, Any]:
    own, there = traces.own, traces.sharing("door")
    there = there.only(_same_door(own, there))
    other_kind = (there["kind"] > 0) & ~_among(there["kind"], own["kind"])
    other_kind &= bool(own["kind"].any())
    return {
        "address_leads": _distinct(there["lead"] + 1),
        "address_other_contact": _distinct(there["lead"][_another(own, there)] + 1),
        "address_other_kind": _distinct(there["lead"][other_kind] + 1),
        "address_under": _under(own, there),
    }


def of_listing_number(traces: LeadTraces) -> dict[str, Any]:
    return {"listing_under": _under(traces.own, traces.sharing("listing"))}


def of_place(traces: LeadTraces) -> dict[str, Any]:
    """How far the point is from where others of its stated postal code are."""
    own, there = traces.own, traces.sharing("postal_code")
    own, there = own.only(_is_placed(own)), there.only(_is_placed(there))
    farthest = None
    for code in {*own["postal_code"].tolist()} - {0}:
        known = there.only(there["postal_code"] == code)
        if _distinct(known["lead"] + 1) < PLACE_LEADS_LEAST:
            continue
        middle = np.median(known["latitude"]), np.median(known["longitude"])
        mine = own.only(own["postal_code"] == code)
        away = _km(mine["latitude"] - middle[0], mine["longitude"] - middle[1], middle[0])
        farthest = max(float(away.max()), farthest or 0.0)
    return {"place_km": farthest}


def _distinct(values: NDArray[Any]) -> int:
    """How many there are beside 0, which says that nothing was told."""
    return len({*values.tolist()} - {0})


def _among(values: NDArray[Any], own: NDArray[Any]) -> Flags:
    """Whether each is one of the own that are told; a lead has few, so one by one is fastest."""
    found = np.zeros(len(values), dtype=np.bool_)
    for each in {*own.tolist()} - {0}:
        found |= values == each
    return found


def _another(
    own: Columns, others: Columns, common: tuple[str, ...] = ("phone", "email", "name")
) -> Flags:
    """Whether a contact is stated on both sides and nothing of it is in `common`."""
    stated = np.zeros(len(others["lead"]), dtype=np.bool_)
    same = np.zeros(len(others["lead"]), dtype=np.bool_)
    has_any = False
    for name in common:
        has_any = has_any or bool(own[name].any())
        stated |= others[name] > 0
        same |= _among(others[name], own[name])
    return stated & ~same if has_any else np.zeros_like(stated)


def _elsewhere(own: Columns, others: Columns) -> Flags:
    """Whether an address is stated on both sides and it is not the same."""
    strange: Flags = (others["door"] > 0) & ~_among(others["door"], own["door"])
    return strange & bool(own["door"].any())


def _same_door(own: Columns, others: Columns) -> Flags:
    """Whether no other unit is stated."""
    same: Flags = (others["unit"] == 0) | _among(others["unit"], own["unit"])
    return same if own["unit"].any() else np.ones_like(same)


def _likeness(own: Columns, others: Columns) -> NDArray[np.float64]:
    """Of each of the others: the likeness of its text to the most alike of the own."""
    best = np.zeros(len(others["lead"]))
    for text, letters in zip(own["text"], own["letters"], strict=True):
        if text.any():
            best = np.maximum(best, (others["text"] == text).mean(axis=1))
        if letters:
            best[others["letters"] == letters] = 1.0
    return best


def _was_first(own: Columns, others: Columns) -> bool:
    return bool((others["seen_us"] >= own["seen_us"].min()).all())


def _under(own: Columns, others: Columns) -> float:
    """The most of lease and sale; unknown kinds are not compared."""
    found = 0.0
    for kind in (1, 2):
        mine = own["price"][(own["kind"] == kind) & (own["price"] > 0)]
        theirs = others["price"][(others["kind"] == kind) & (others["price"] > 0)]
        if mine.size and theirs.size:
            found = max(found, math.log(float(np.median(theirs)) / float(mine.min())))
    return found


def _spread(prices: NDArray[np.int32]) -> float:
    told = prices[prices > 0]
    return math.log(int(told.max()) / int(told.min())) if told.size else 0.0


def _is_placed(columns: Columns) -> Flags:
    placed: Flags = (columns["latitude"] != 0) | (columns["longitude"] != 0)
    return placed


def _widest_km(own: Columns) -> float:
    placed = own.only(_is_placed(own))
    if len(placed["lead"]) < 2:
        return 0.0
    high = float(np.ptp(placed["latitude"]))
    wide = float(np.ptp(placed["longitude"]))
    found = float(_km(np.float64(high), np.float64(wide), float(placed["latitude"].mean())))
    return found if found >= _APART_KM_LEAST else 0.0


def _km(north: Any, east: Any, latitude: float) -> Any:
    """The way of so many steps north and east, at a latitude in steps."""
    narrower = math.cos(math.radians(latitude * DEGREES_PER_STEP))
    return np.hypot(north, east * narrower) * DEGREES_PER_STEP * _KM_PER_DEGREE
