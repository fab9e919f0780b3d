"""One listing out of what several records say of the same home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.intake.listing import GONE_STATUSES
from engine.intake.mask import MASK
from engine.intake.readings import moment_of
from engine.market.listing import PUBLIC_FACTS, Listing

_ALWAYS = ("quality", "fraud_flag", "sources", "is_sample")
_FIELDS = tuple(name for name in PUBLIC_FACTS if name not in _ALWAYS)
# What changes while a home is on offer: the latest word counts.
_VOLATILE = frozenset({"list_price", "standard_status"})
# A pair is taken from one claim: the latitude of one source and the longitude of another
# are a third place.
_PAIRED = {"latitude": "longitude"}
# Two sources that report one change within the same six hours saw it at the same time, and
# the more trusted is right. Hours are counted in fixed windows: whether two moments are
# "near" would not be transitive, so the outcome would depend on the order of comparing.
_SAME_TIME_SECONDS = 6 * 3600
# Finite: a window of minus infinity is not a number, and orders nothing.
_BEFORE_ALL_SECONDS = -1e12


class Claim(NamedTuple):
    """What one record says of a lead.

    `trust` in (0, 1] is the source's, `modified` an RFC 3339 moment (None sorts as oldest),
    `confidence` in [0, 1] by field where it is not certain that the record says so.
    """

    source: str
    source_id: str
    trust: float
    modified: str | None
    listing: Listing
    confidence: Mapping[str, float] = {}


class Survivors(NamedTuple):
    """What holds of the lead, and of each field that is known who said so."""

    listing: Listing
    origin: dict[str, tuple[str, str]]


_Rank = tuple[Any, ...]


class _Ranked(NamedTuple):
    """A claim with when it was made, and what tells it from one made in the same instant."""

    claim: Claim
    seconds: float
    identity: tuple[str, str, bytes]

    def weight(self, name: str) -> float:
        return self.claim.trust * self.claim.confidence.get(name, 1.0)

    def latest(self, name: str) -> _Rank:
        window = self.seconds // _SAME_TIME_SECONDS
        return (window, self.weight(name), self.seconds, self.identity)

    def surest(self, name: str) -> _Rank:
        return (self.weight(name), self.seconds, self.identity)

    def newest(self, name: str) -> _Rank:
        return (self.seconds, self.weight(name), self.identity)

    def longest(self, name: str) -> _Rank:
        text = self.claim.listing.public_remarks or ""
        return (len(text.replace(MASK, "")), *self.newest(name))


def survive(claims: Sequence[Claim]) -> Survivors:
    """Field by field the claim that holds, whatever the order in which claims are given.

    Price and status: the latest, and of those in one six-hour window the most trusted.
    Lasting facts: the highest trust times confidence, then the latest. Remarks: the longest,
    because they are read and searched for what the fields don't hold. A gone status is
    overruled by any later claim that has the home on offer. Sources add up, the quality is
    the best claim's, a lead is a sample or flagged if any claim is. Raises ValueError
    without a claim.
    """
    if not claims:
        raise ValueError("no claim to merge")
    ranked = [_ranked(claim) for claim in claims]
    values: dict[str, Any] = {}
    origin: dict[str, tuple[str, str]] = {}
    for name in _FIELDS:
        if name in values:
            continue
        winner = _winner(name, ranked)
        if winner is None:
            continue
        for each in (name, _PAIRED.get(name)):
            if each is not None:
                values[each] = getattr(winner.listing, each)
                origin[each] = (winner.source, winner.source_id)
    listings = [claim.listing for claim in claims]
    return Survivors(Listing(**_summed(listings), **values), origin)


def _winner(name: str, ranked: list[_Ranked]) -> Claim | None:
    stated = [each for each in ranked if getattr(each.claim.listing, name) is not None]
    if name == "standard_status":
        stated = _without_overruled(ranked, stated)
    if not stated:
        return None
    return max(stated, key=_order_of(name)).claim


def _order_of(name: str) -> Callable[[_Ranked], _Rank]:
    if name in _VOLATILE:
        return lambda each: each.latest(name)
    if name == "modification_timestamp":
        return lambda each: each.newest(name)
    if name == "public_remarks":
        return lambda each: each.longest(name)
    return lambda each: each.surest(name)


def _without_overruled(ranked: list[_Ranked], stated: list[_Ranked]) -> list[_Ranked]:
    """Without the gone statuses that are older than a record which states none: a source
    that states no status has the home on offer by showing it."""
    shown = [each.latest("") for each in ranked if each.claim.listing.standard_status is None]
    if not shown:
        return stated
    last_shown = max(shown)
    return [
        each
        for each in stated
        if each.claim.listing.standard_status not in GONE_STATUSES or each.latest("") > last_shown
    ]


def _ranked(claim: Claim) -> _Ranked:
    moment = moment_of(claim.modified)
    seconds = moment.timestamp() if moment is not None else _BEFORE_ALL_SECONDS
    return _Ranked(
        claim, seconds, (claim.source, claim.source_id, msgspec.msgpack.encode(claim.listing))
    )


def _summed(listings: Sequence[Listing]) -> dict[str, Any]:
    return {
        "quality": max(each.quality for each in listings),
        "fraud_flag": any(each.fraud_flag for each in listings),
        "sources": tuple(sorted({source for each in listings for source in each.sources})),
        "is_sample": any(each.is_sample for each in listings),
    }
