"""Leads that simulated buyers bought together, as an installation's own purchases tell it.

The rule is that of engine/adapters/postgres/co_purchases.py: the same buyer, within a month.
"""

from __future__ import annotations

from typing import Final

from models_ml.recommend.simulation.play import Played

APART_DAYS: Final = 30.0
PURCHASES_MAX: Final = 20


def bought_together(played: Played) -> list[tuple[str, str]]:
    """Pairs of lead ids, each once, in the order of their first purchase together."""
    bought: dict[int, list[tuple[float, str]]] = {}
    pairs: dict[tuple[str, str], None] = {}
    for event in played.events:
        if event.kind != "bought":
            continue
        mine = bought.setdefault(event.buyer, [])
        lead_id = played.homes.lead_ids[event.home]
        for at, other in mine[-PURCHASES_MAX:]:
            if event.at - at <= APART_DAYS:
                pairs[min(lead_id, other), max(lead_id, other)] = None
        mine.append((event.at, lead_id))
    return list(pairs)
