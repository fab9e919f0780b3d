"""What is done about a lead that may be a scam: the verdict of model and rules, what a
reviewer said of it, and what of both holds in the market.

Pure. A lead that was quarantined is not let go because a model thinks better of it: people
who publish scams change a word and try again. Only a reviewer lets it go, but for one that
was quarantined while no model could be asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from engine.intake.resolution.text_sketch import text_sketch
from engine.market.listing import Listing

Verdict = Literal["clear", "flagged", "quarantined"]
Decision = Literal["approved", "rejected", "held"]
"""A reviewer's word: `approved` is honest, `rejected` a scam; `held` stays in quarantine until
one of the two is said."""

# Of a price this much more or less is another one, and so is a text that keeps fewer of its
# word triples than this share.
_PRICE_LIKE = math.log(1.25)
_TEXT_LIKE = 0.7


class Thresholds(NamedTuple):
    """Probabilities at and above which a lead is flagged, and quarantined."""

    flag_at: float
    quarantine_at: float


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What a reviewer's decision was about: `text` is a sketch of the masked remarks."""

    property_type: str | None
    property_sub_type: str | None
    postal_code: str | None
    list_price: int | None
    text: bytes


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a lead from before. `standing` is what holds in the market;
    `is_provisional` says that it was quarantined while no model could be asked. `facts` are
    those that `decision` was about, None for those that hold when it is read next."""

    standing: Verdict = "clear"
    is_provisional: bool = False
    decision: Decision | None = None
    facts: Facts | None = None


class Review(NamedTuple):
    """What the book is to know: whether the lead is hidden from now on and was till now,
    `because` of what in a few words, and whether a reviewer found it to be a scam."""

    is_hidden: bool = False
    was_hidden: bool = False
    because: str = ""
    is_rejected: bool = False


def facts_of(listing: Listing) -> Facts:
    return Facts(
        listing.property_type,
        listing.property_sub_type,
        listing.postal_code,
        listing.list_price,
        text_sketch(listing.public_remarks),
    )


def verdict_of(
    probability: float | None,
    thresholds: Thresholds,
    *,
    suffices: bool,
    is_suspicious: bool,
) -> Verdict:
    """Of the model's probability, None without one, and of the rules that hold: one that
    suffices for quarantine, or any that asks for a look."""
    if suffices or (probability is not None and probability >= thresholds.quarantine_at):
        return "quarantined"
    if is_suspicious or (probability is not None and probability >= thresholds.flag_at):
        return "flagged"
    return "clear"


def decision_that_holds(kept: Kept | None, facts: Facts) -> Decision | None:
    """The reviewer's decision, until what it was about changes materially."""
    if kept is None or kept.decision is None:
        return None
    if kept.facts is not None and differ(kept.facts, facts):
        return None
    return kept.decision


def standing_of(
    verdict: Verdict, kept: Kept | None, decision: Decision | None, *, by_model: bool
) -> Verdict:
    """What holds in the market from now on. `decision` is the one that holds, `by_model` says
    that a model had its part in the verdict."""
    if decision is not None:
        return "clear" if decision == "approved" else "quarantined"
    was_quarantined = kept is not None and kept.standing == "quarantined"
    if was_quarantined and not (kept is not None and kept.is_provisional and by_model):
        return "quarantined"
    return verdict


def is_provisional(
    standing: Verdict, kept: Kept | None, decision: Decision | None, *, by_model: bool
) -> bool:
    """Whether a quarantine rests on rules alone, because no model could be asked yet."""
    if standing != "quarantined" or decision is not None or by_model:
        return False
    return kept is None or kept.standing != "quarantined" or kept.is_provisional


def differ(one: Facts, other: Facts) -> bool:
    """Whether it is another home, another text or another price."""
    homes = (each[:3] for each in (msgspec.structs.astuple(one), msgspec.structs.astuple(other)))
    if len(set(homes)) > 1:
        return True
    return _prices_differ(one.list_price, other.list_price) or _texts_differ(one.text, other.text)


def _prices_differ(one: int | None, other: int | None) -> bool:
    if not one or not other:
        return bool(one) != bool(other)
    return abs(math.log(one / other)) > _PRICE_LIKE


def _texts_differ(one: bytes, other: bytes) -> bool:
    if not one or not other:
        return bool(one) != bool(other)
    alike: Sequence[np.bool_] = np.frombuffer(one, "<u2") == np.frombuffer(other, "<u2")
    return float(np.mean(alike)) < _TEXT_LIKE
