"""What leads are worth, for the agents: where the values come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import asyncpg

from engine.adapters.postgres import pricing_journal
from engine.intake.offer import starting_parts
from engine.market.pricing.market_prices import Unvalued

if TYPE_CHECKING:
    from models_ml.value.comparables import ComparablesIndex
    from models_ml.value.value_model import ValueModel


class BaseValues(Protocol):
    """What leads of one market are worth. Raises whatever, and pricing stops meanwhile."""

    source: str

    async def load(self, connection: asyncpg.Connection, market: str) -> None:
        """Take in what is on the market, where values depend on it."""
        ...

    def values(self, leads: Sequence[Unvalued]) -> Sequence[int]:
        """In thousandths of a credit, in step with `leads`."""
        ...


class ListedValues:
    """The published listing table: a lead is worth what it was first offered for."""

    source = "listing table"

    async def load(self, connection: asyncpg.Connection, market: str) -> None:
        """The table depends on no other lead."""

    def values(self, leads: Sequence[Unvalued]) -> list[int]:
        """In thousandths of a credit, in step with `leads`."""
        return [starting_parts(each.listing, each.max_buyers).base for each in leads]


class ModelValues:
    """The trained value model, which compares a lead with others of its market."""

    def __init__(self, model: ValueModel, comparables: ComparablesIndex) -> None:
        self._model = model
        self._comparables = comparables
        self.source = "value model"
        if model.reason is not None:
            self.source = f"listing table: {model.reason}"

    async def load(self, connection: asyncpg.Connection, market: str) -> None:
        async for lead_id, listing in pricing_journal.listings(connection, market):
            self._comparables.put(lead_id, listing)

    def values(self, leads: Sequence[Unvalued]) -> list[int]:
        """In thousandths of a credit, in step with `leads`."""
        lead_ids, listings = [each.lead_id for each in leads], [each.listing for each in leads]
        for lead_id, listing in zip(lead_ids, listings, strict=True):
            # An invented price is no comparable.
            if listing.fraud_flag:
                self._comparables.drop(lead_id)
            else:
                self._comparables.put(lead_id, listing)
        compared = self._comparables.compare(lead_ids, listings)
        found = self._model.values(listings, [each.max_buyers for each in leads], compared)
        return [int(value) for value in found]


def model_values() -> ModelValues:
    """Of the packaged model, or of the listing table if that can't be used."""
    from models_ml.value import value_model
    from models_ml.value.comparables import ComparablesIndex

    return ModelValues(value_model.load(), ComparablesIndex())
