"""Standing orders: what they bought is what is counted, within their limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from engine.market.standing_terms import StandingTerms
from tests.simulation.world import World

DAY_US = 86_400_000_000


def overshot_limits(world: World) -> Iterator[str]:
    for standing in world.tables.standing_orders.rows.values():
        terms = msgspec.json.decode(standing.terms, type=StandingTerms)
        fills = [
            row
            for row in world.tables.orders.rows.values()
            if row.standing_order_id == standing.standing_order_id
        ]
        spent = sum(row.price for row in fills)
        if (standing.bought, standing.spent) != (len(fills), spent):
            yield f"{standing} bought {len(fills)} for {spent}"
        # Terms that were changed may be below what was bought before.
        if standing.revision > 1:
            continue
        if terms.budget is not None and spent > terms.budget:
            yield f"{standing} spent {spent}"
        days = Counter(row.bought_at // DAY_US for row in fills)
        if terms.per_day is not None and any(count > terms.per_day for count in days.values()):
            yield f"{standing} bought {days} a day"
        for row in fills:
            if row.user_id != standing.user_id or row.price > terms.price_max:
                yield f"{row} is not what {standing} asked for"
