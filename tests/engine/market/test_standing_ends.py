"""What is written of a standing order that comes to its end."""

from __future__ import annotations

from engine.market import commands as c
from engine.market.answers import Done, Request
from engine.market.standing_terms import StandingTerms
from tests.engine.market.small_market import SmallMarket, listing

PLACED = c.PlaceStanding("order", "ann", StandingTerms(name="homes", price_max=20))
CANCELLED = c.CancelStanding("order", "ann")


def test_cancelled_in_the_very_batch_in_which_it_bought() -> None:
    market = SmallMarket()
    market.send(PLACED, listing(price=10))
    outcome = market.batch(Request(b"cancel", CANCELLED), heard={"lead": ["order"]})
    assert outcome.replies == [Done()]
    assert [sale.standing_order_id for sale in outcome.sales] == ["order"]
    assert outcome.cancelled == {"order"}
    order = outcome.standing["order"]
    assert (order.bought, order.spent) == (1, 10)
    assert not market.book.standing.orders


def test_placed_and_cancelled_in_one_batch_it_was_there() -> None:
    outcome = SmallMarket().send(PLACED, CANCELLED)
    assert (list(outcome.standing), outcome.cancelled) == (["order"], {"order"})
