"""Homes at random, filters over them, and what a filter means, said in the plainest way."""

from __future__ import annotations

import math
import random
from typing import Any

from tests.serve_apps.feed.world import ON_OFFER, STATES, THIN, Trader

KINDS = ("House", "Condo", "Land")
SOURCES = ("craigs", "mls", "records")

FILTERS: tuple[dict[str, Any], ...] = (
    {"property_type": ["House"]},
    {"source": ["mls", "records"], "bedrooms_total_min": 3},
    {"list_price_min": 200_000, "list_price_max": 600_000, "lead_state": ["available"]},
    {"near": [30.2, -97.7], "radius_m": 9_000},
    {"bbox": [-97.8, 30.15, -97.65, 30.35], "year_built_min": 1980},
    {"seats": "exclusive"},
    {"price_max": 20},
    {"price_min": 15, "price_max": 30, "property_type": "Condo", "seats": "shared"},
    {"lead_ids": ["1", "2", "3", "4", "5", "6"]},
)


def facts(rng: random.Random) -> dict[str, Any]:
    def perhaps(value: Any) -> Any:
        return value if rng.random() < 0.85 else None

    stated = rng.random() < 0.85
    return {
        "property_type": perhaps(rng.choice(KINDS)),
        "sources": rng.sample(SOURCES, rng.randrange(1, 3)),
        "list_price": perhaps(rng.randrange(100_000, 900_000)),
        "bedrooms_total": perhaps(rng.randrange(6)),
        "year_built": perhaps(rng.randrange(1950, 2020)),
        "living_area": perhaps(rng.randrange(500, 4000)),
        "latitude": 30.2 + rng.uniform(-0.2, 0.2) if stated else None,
        "longitude": -97.7 + rng.uniform(-0.2, 0.2) if stated else None,
    }


def matches(asked: dict[str, Any], lead: dict[str, Any]) -> bool:
    """Whether a lead on offer, with all its facts, is asked for."""
    for name, bound in asked.items():
        value = lead.get(name[:-4])
        if name.endswith("_min") and not (value is not None and value >= bound):
            return False
        if name.endswith("_max") and not (value is not None and value <= bound):
            return False
    checks = {
        "property_type": lambda want: lead.get("property_type") in _several(want),
        "source": lambda want: set(_several(want)) & set(lead.get("sources", ())),
        "lead_state": lambda want: lead["lead_state"] in _several(want),
        "seats": lambda want: (lead["max_buyers"] == 1) == (want == "exclusive"),
        "lead_ids": lambda want: lead["lead_id"] in want,
        "bbox": lambda want: _in_box(lead, want),
        "near": lambda want: _within(lead, want, asked["radius_m"]),
    }
    return all(checks[name](want) for name, want in asked.items() if name in checks)


def view(trader: Trader, asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The leads on offer that are asked for, thin."""
    return {
        lead_id: {name: lead[name] for name in THIN}
        for lead_id, lead in trader.leads.items()
        if lead["lead_state"] in ON_OFFER and matches(asked, lead)
    }


def change(trader: Trader, rng: random.Random, leads: int = 40) -> dict[str, Any]:
    """What may happen next to one of so many homes."""
    lead_id = f"{trader.market}-{rng.randrange(leads)}"
    old = trader.leads.get(lead_id)
    if old is None or (old["lead_state"] not in ON_OFFER and rng.random() < 0.5):
        seats = old["max_buyers"] if old is not None else rng.randrange(1, 4)
        return trader.change(
            lead_id, "lead.listed", "available", rng.randrange(5, 45), seats, seats, **facts(rng)
        )
    if rng.random() < 0.25:
        kept = {name: value for name, value in old.items() if name not in THIN}
        more = kept | dict([rng.choice(list(facts(rng).items()))])
        state, left = old["lead_state"], old["seats_left"]
        return trader.change(
            lead_id, "lead.updated", state, old["price"], old["max_buyers"], left, **more
        )
    state = rng.choice(STATES) if old["lead_state"] in ON_OFFER else old["lead_state"]
    left = 0 if state in ("held", "sold") else rng.randrange(1, old["max_buyers"] + 1)
    return trader.change(lead_id, _KINDS[state], state, old["price"], old["max_buyers"], left)


_KINDS = {
    "available": "lead.released",
    "held": "lead.held",
    "sold": "lead.sold",
    "withdrawn": "lead.withdrawn",
    "quarantined": "lead.quarantined",
}


def _several(want: Any) -> list[Any]:
    return want if isinstance(want, list) else [want]


def _in_box(lead: dict[str, Any], box: list[float]) -> bool:
    if lead.get("latitude") is None or lead.get("longitude") is None:
        return False
    west, south, east, north = box
    return west <= lead["longitude"] <= east and south <= lead["latitude"] <= north


def _within(lead: dict[str, Any], centre: list[float], metres: int) -> bool:
    if lead.get("latitude") is None or lead.get("longitude") is None:
        return False
    north, other = math.radians(lead["latitude"]), math.radians(centre[0])
    east = math.radians(lead["longitude"] - centre[1])
    angle = math.acos(
        math.sin(north) * math.sin(other) + math.cos(north) * math.cos(other) * math.cos(east)
    )
    return 6_371_008.8 * angle <= metres
