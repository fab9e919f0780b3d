"""Rules that need no model: each holds of what its name says, and of nothing like it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace

from engine.intake.fraud.evidence import Evidence
from engine.intake.fraud.rules import MANY_ADDRESSES, RULES, Case, holding
from engine.intake.fraud.text_signals import TextSignals
from tests.engine.intake.fraud.traces import NOW_US, book_of, trace

NOTHING = Case(True, Evidence(contact_sources=1, contact_markets=1), TextSignals(), 0.0)
COPIED = {"text_other_contact": 1, "text_likeness": 0.9, "text_was_first": False}
SHOWN = {"picture_other_contact": 1, "pictures_shared": 3, "picture_was_first": False}


def names(case: Case) -> list[str]:
    return [rule.name for rule in holding(case)]


def known(**evidence: Any) -> Case:
    return NOTHING._replace(evidence=replace(NOTHING.evidence, **evidence))


def said(**signals: int) -> Case:
    return NOTHING._replace(signals=TextSignals(**signals))


def test_of_an_honest_lead_none_holds() -> None:
    assert names(NOTHING) == []
    assert names(NOTHING._replace(price_to=math.nan)) == []


def test_one_phone_on_twenty_addresses() -> None:
    def phoned(addresses: int, sources: int = 1) -> list[str]:
        offers = [
            trace(f"r{place}", f"lead-{place}", phone=7, number=place + 1, street=3,
                  source=1 + place % sources)
            for place in range(addresses)
        ]  # fmt: skip
        return names(NOTHING._replace(evidence=book_of(*offers).of("lead-0", NOW_US)))

    assert phoned(MANY_ADDRESSES) == ["same-phone-many-addresses"]
    assert phoned(MANY_ADDRESSES - 1) == []
    # Agents and managers are known to several sources.
    assert phoned(MANY_ADDRESSES, sources=2) == []


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("untraceable-payment-first", said(untraceable=1, pay_first=1)),
        ("keys-by-mail", said(absent_owner=1, no_viewing=1)),
        ("below-half-without-viewing", said(no_viewing=1)._replace(price_to=math.log(0.45))),
        ("copied-home-for-less", known(address_other_contact=1, address_under=0.25, **COPIED)),
        ("copied-home-for-less", known(address_other_contact=1, address_under=0.25, **SHOWN)),
        ("same-contact-many-markets", known(contact_markets=3)),
        ("copied-text", known(**COPIED)._replace(price_to=math.log(0.8))),
        ("copied-pictures", known(**SHOWN)),
        ("same-address-for-less",
         known(address_leads=1, address_other_contact=1, address_under=math.log(1.4))),
        ("pay-first", said(pay_first=1, instant_payment=1)),
        ("personal-data", said(personal_data=1)),
        ("far-below-usual", NOTHING._replace(price_to=math.log(0.35))),
        ("point-far-from-postal-code", known(place_km=30.0)),
    ],
)  # fmt: skip
def test_each_holds_of_what_it_names(name: str, case: Case) -> None:
    assert name in names(case)


@pytest.mark.parametrize(
    "case",
    [
        said(untraceable=1),
        said(absent_owner=1),
        said(no_viewing=1),
        said(pay_first=1),
        # An agent's and an owner's offer of one home; an office's text; who was there first.
        known(address_other_contact=1, address_under=0.25),
        known(**COPIED),
        known(**COPIED | {"text_was_first": True})._replace(price_to=math.log(0.8)),
        known(**SHOWN | {"picture_was_first": True}),
        # A price of a sale is not held against rents.
        NOTHING._replace(is_lease=False, price_to=math.log(0.35)),
        known(place_km=20.0),
    ],
)
def test_what_is_only_like_it_is_let_alone(case: Case) -> None:
    assert names(case) == []


def test_names_are_unique_and_the_graver_come_first() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    verdicts = [rule.verdict for rule in RULES]
    assert verdicts == sorted(verdicts, reverse=True)
