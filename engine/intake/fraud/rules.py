"""Rules that need no model: each has a name, says why it holds and what it is enough for.

They decide alone when the model is away, and stand beside it when it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from engine.intake.fraud.evidence import Evidence
from engine.intake.fraud.text_signals import TextSignals

Verdict = Literal["flag", "quarantine"]

MANY_ADDRESSES: Final = 20
MANY_MARKETS: Final = 3
_HALF = math.log(0.5)
_FAR_BELOW = math.log(0.4)
_BELOW_USUAL = math.log(0.85)
_CHEAPER = math.log(1.2)
_FAR_CHEAPER = math.log(1.35)
_FAR_KM = 25.0


class Case(NamedTuple):
    """What is known of one lead. `price_to` is ln(price / comparables' median), NaN unknown."""

    is_lease: bool
    evidence: Evidence
    signals: TextSignals
    price_to: float


class Rule(NamedTuple):
    name: str
    words: str
    verdict: Verdict
    holds: Callable[[Case], bool]


def _same_phone_many_addresses(case: Case) -> bool:
    """Agents and managers are found by several sources; who lets twenty addresses and is known
    to one source alone is neither, or one that a reviewer clears once."""
    found = case.evidence
    return found.contact_addresses >= MANY_ADDRESSES and found.contact_sources == 1


def _untraceable_payment_first(case: Case) -> bool:
    told = case.signals
    before = told.pay_first + told.no_viewing + told.absent_owner
    return told.untraceable > 0 and before > 0


def _keys_by_mail(case: Case) -> bool:
    return case.signals.absent_owner > 0 and case.signals.no_viewing > 0


def _below_half_without_viewing(case: Case) -> bool:
    told = case.signals
    return case.price_to < _HALF and told.no_viewing + told.absent_owner + told.pay_first > 0


def _copied_home_for_less(case: Case) -> bool:
    """The address alone won't do: a house has flats, and one home an owner and an agent."""
    found = case.evidence
    cheaper = found.address_other_contact > 0 and found.address_under >= _CHEAPER
    return cheaper and (_copied_pictures(case) or _repeats_text(found))


def _copied_text(case: Case) -> bool:
    """Offices share texts; who copies to deceive asks for less than is usual."""
    return _repeats_text(case.evidence) and case.price_to < _BELOW_USUAL


def _repeats_text(found: Evidence) -> bool:
    alike = found.text_other_contact > 0 and found.text_likeness >= 0.8
    return alike and not found.text_was_first


def _copied_pictures(case: Case) -> bool:
    found = case.evidence
    shared = found.pictures_shared >= 2 and found.picture_other_contact > 0
    return shared and not found.picture_was_first


def _same_address_for_less(case: Case) -> bool:
    found = case.evidence
    alone = case.is_lease and found.address_leads == found.address_other_contact == 1
    return alone and found.address_under >= _FAR_CHEAPER


RULES: Final = (
    Rule("untraceable-payment-first", "asks for gift cards, wires or crypto money before anything"
         " can be seen", "quarantine", _untraceable_payment_first),
    Rule("keys-by-mail", "the owner is away and the home can't be seen from inside",
         "quarantine", _keys_by_mail),
    Rule("below-half-without-viewing", "less than half of what is usual there, and money or no"
         " viewing first", "quarantine", _below_half_without_viewing),
    Rule("copied-home-for-less", "another contact's home, by text or pictures, for less",
         "quarantine", _copied_home_for_less),
    Rule("same-phone-many-addresses", "one phone or e-mail on 20 addresses or more, at one source"
         " alone", "flag", _same_phone_many_addresses),
    Rule("same-contact-many-markets", "one phone or e-mail in three markets or more", "flag",
         lambda case: case.evidence.contact_markets >= MANY_MARKETS),
    Rule("copied-text", "nearly the text of an earlier offer under another contact, for less than"
         " is usual", "flag", _copied_text),
    Rule("copied-pictures", "pictures of an earlier offer under another contact", "flag",
         _copied_pictures),
    Rule("same-address-for-less", "another contact offers the same address for a third more",
         "flag", _same_address_for_less),
    Rule("pay-first", "asks for money before the home was seen", "flag",
         lambda case: case.signals.pay_first > 0 and (
             case.signals.instant_payment + case.signals.untraceable > 0)),
    Rule("personal-data", "asks for personal numbers or pictures of papers", "flag",
         lambda case: case.signals.personal_data > 0),
    Rule("far-below-usual", "a rent of less than two fifths of what is usual there", "flag",
         lambda case: case.is_lease and case.price_to < _FAR_BELOW),
    Rule("point-far-from-postal-code", "the map shows it 25 km from its postal code", "flag",
         lambda case: (case.evidence.place_km or 0.0) >= _FAR_KM),
)  # fmt: skip


def holding(case: Case) -> tuple[Rule, ...]:
    """The rules that hold, in the order of RULES: those that suffice for quarantine first."""
    return tuple(rule for rule in RULES if rule.holds(case))
