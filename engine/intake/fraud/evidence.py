"""What other records tell of a lead: the same contact, text or pictures elsewhere.

One implementation for training and for the market's desks: both put traces in and ask.
"""

from __future__ import annotations

import msgspec

from engine.intake.resolution import MatchFeatures


class Trace(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one record leaves behind: hashes, neither text nor contact. `seen_us` is when it was
    first seen, µs since the epoch UTC; `features` are those it is recognised by."""

    key: tuple[str, str]
    lead_id: str
    market: str
    seen_us: int
    features: MatchFeatures


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one lead beside its listing. To be written: counts of others by contact,
    text, pictures and address; disagreements; velocity."""


class EvidenceBook:
    """Traces of all markets, and what they tell of a lead. Bounded in what it keeps for one
    value: a phone on a million addresses costs no more than one on a thousand."""

    def put(self, trace: Trace) -> None:
        """A record's trace in place of what it left before under the same key and features."""
        raise NotImplementedError

    def merged(self, goes: str, stays: str) -> None:
        """What belongs to one lead is another's from now on."""
        raise NotImplementedError

    def of(self, lead_id: str, now_us: int) -> Evidence:
        """What others tell of it, whether or not it left traces itself."""
        raise NotImplementedError
