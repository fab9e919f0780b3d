"""A market's most recent public events, in memory: what a reader that was away missed."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple


class Recent(NamedTuple):
    """`text` is the event's JSON; `at` is RFC 3339."""

    text: bytes
    at: str
    lead_id: str


class Ring:
    """Consecutive events up to `seq`, the oldest dropped past either bound."""

    def __init__(self, seq: int, *, events_max: int, bytes_max: int) -> None:
        self.seq = seq
        self._events: deque[Recent] = deque()
        self._bytes = 0
        self._events_max = events_max
        self._bytes_max = bytes_max

    def append(self, event: Recent) -> None:
        """The event `seq + 1`."""
        self.seq += 1
        self._events.append(event)
        self._bytes += len(event.text)
        while len(self._events) > self._events_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._events.popleft().text)

    def after(self, seq: int, limit: int) -> list[bytes] | None:
        """Up to `limit` texts from `seq + 1` on; None if that one is no longer kept."""
        skipped = seq - (self.seq - len(self._events))
        if skipped < 0:
            return None
        return [event.text for event in islice(self._events, skipped, skipped + limit)]

    def leads_after(self, at: str) -> frozenset[str]:
        """Leads with an event later than `at`, among those kept."""
        leads = set()
        for event in reversed(self._events):
            if event.at <= at:
                break
            leads.add(event.lead_id)
        return frozenset(leads)

    def __len__(self) -> int:
        return len(self._events)
