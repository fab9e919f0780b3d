"""Everything known of one market's records, in memory, and which lead each belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from engine.intake.resolution import Match, MatchFeatures, Resolver

_decode = msgspec.msgpack.Decoder(MatchFeatures).decode


class MatchIndex:
    """A resolver's rows with their leads. Thrown away and loaded anew when a commit fails."""

    def __init__(self) -> None:
        self._resolver = Resolver()
        self._lead_of_row: list[str] = []
        # One text per lead, not one per row.
        self._names: dict[str, str] = {}
        self._went_into: dict[str, str] = {}

    @classmethod
    async def load(cls, chunks: AsyncIterator[list[tuple[bytes, str]]]) -> MatchIndex:
        """From (features in MessagePack, lead id) of everything kept."""
        index = cls()
        async for chunk in chunks:
            index._resolver.add_known([_decode(features) for features, _ in chunk])
            index.belong([lead_id for _, lead_id in chunk])
        return index

    def __len__(self) -> int:
        return len(self._lead_of_row)

    def match(self, features: Sequence[MatchFeatures]) -> list[list[Match]]:
        """The rows that each matches; they become rows, in order. Say next where they `belong`."""
        return self._resolver.match(features)

    def belong(self, lead_ids: Sequence[str]) -> None:
        """The leads of the newest rows, in order."""
        names = self._names
        self._lead_of_row.extend(names.setdefault(lead_id, lead_id) for lead_id in lead_ids)

    def lead_of(self, row: int) -> str:
        lead_id = self._lead_of_row[row]
        while lead_id in self._went_into:
            lead_id = self._went_into[lead_id]
        return lead_id

    def merged(self, goes: str, stays: str) -> None:
        self._went_into[goes] = stays
