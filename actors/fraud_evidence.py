"""What a desk knows of all markets' records when it judges a lead of its own market."""

from __future__ import annotations

import time
from collections.abc import Iterable

import asyncpg

from engine.adapters.postgres import fraud_traces, pricing_journal
from engine.intake.fraud.evidence import EvidenceBook, Trace
from engine.market.listing import Listing
from models_ml.value.comparables import ComparablesIndex

# What other markets have taken in is read on this often at most, seconds, and so much of it.
READ_EVERY = 1.0
READ_MAX = 5_000


class FraudEvidence:
    """Traces of all markets and the comparables of one. Thrown away and loaded anew when a
    commit fails, for it holds then what never was."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.book = EvidenceBook()
        self.comparables = ComparablesIndex()
        self._place = fraud_traces.Place(0)
        self._read_at = float("-inf")

    @classmethod
    async def load(cls, connection: asyncpg.Connection, market: str) -> FraudEvidence:
        """From everything kept. Raises when the database is away."""
        evidence = cls(market)
        evidence._place = await fraud_traces.horizon(connection)
        async for traces in fraud_traces.everything(connection):
            evidence.put(traces)
        async for lead_id, listing in pricing_journal.listings(connection, market):
            evidence.comparables.put(lead_id, listing)
        return evidence

    async def read_on(self, connection: asyncpg.Connection) -> None:
        """Take in what other markets have learnt, a bounded part of it."""
        if time.monotonic() < self._read_at + READ_EVERY:
            return
        traces, self._place = await fraud_traces.of_others(
            connection, self.market, self._place, READ_MAX
        )
        self.put(traces)
        # There is more: the next turn reads on at once.
        self._read_at = float("-inf") if len(traces) == READ_MAX else time.monotonic()

    def put(self, traces: Iterable[Trace]) -> None:
        for trace in traces:
            self.book.put(trace)

    def merged(self, goes: str, stays: str) -> None:
        self.book.merged(goes, stays)
        self.comparables.drop(goes)

    def compare_with(self, lead_id: str, listing: Listing, *, is_suspected: bool) -> None:
        """Count a home among those that others are compared with; an invented price is none."""
        if is_suspected:
            self.comparables.drop(lead_id)
        else:
            self.comparables.put(lead_id, listing)
