"""What leads are worth, for the agents: where the values come from."""

from __future__ import annotations

from collections.abc import Sequence

from engine.intake.offer import starting_parts
from engine.market.pricing.market_prices import Unvalued


class ListedValues:
    """The published listing table: a lead is worth what it was first offered for."""

    def values(self, leads: Sequence[Unvalued]) -> list[int]:
        """In thousandths of a credit, in step with `leads`."""
        return [starting_parts(each.listing, each.max_buyers).base for each in leads]
