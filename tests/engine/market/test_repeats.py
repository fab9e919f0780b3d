"""Which refusals a repeat of the command is answered with again."""

from __future__ import annotations

import pytest

from engine.market import commands as c
from engine.market.answers import Request
from engine.market.batch import StoredAnswer
from engine.market.book import NOT_FOUND
from tests.engine.market.small_market import SmallMarket, listing


@pytest.mark.parametrize("from_cart", [True, False], ids=["checkout", "buy"])
def test_a_checkout_is_told_once_that_a_lead_is_not_there(from_cart: bool) -> None:
    market = SmallMarket()
    request = Request(b"one", c.Buy("lead", "ann", "order", from_cart=from_cart), b"body")
    outcome = market.batch(request)
    assert outcome.replies == [NOT_FOUND]
    stored = {b"one": StoredAnswer(b"body", NOT_FOUND)}
    assert outcome.answers == (stored if from_cart else {})


def test_without_a_key_nothing_is_kept_of_a_refusal() -> None:
    market = SmallMarket()
    market.say(listing())
    outcome = market.batch(Request(b"one", c.Buy("lead", "ann", "order", from_cart=True)))
    assert (outcome.replies[0].code, outcome.answers) == ("not-in-cart", {})
