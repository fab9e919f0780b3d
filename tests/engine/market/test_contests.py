"""Contests at their edges, one by one; the histories play them in every other combination."""

from __future__ import annotations

import hashlib

import pytest

from engine.market import commands as c
from engine.market import events as e
from engine.market.answers import Bought, Claimed, Request
from engine.market.batch import MISMATCH
from engine.market.standing_terms import StandingTerms
from tests.engine.market.small_market import NOW, WINDOW, SmallMarket, listing


def buy(command_id: bytes, user_id: str, max_price: int | None = None) -> Request:
    command = c.Buy("lead", user_id, f"order-{command_id.decode()}", max_price)
    return Request(command_id, command, b"body")


def test_who_asks_again_is_not_tried_again_and_refused_what_is_bought_after_all() -> None:
    market = SmallMarket(WINDOW)
    market.send(listing())
    claim = buy(b"claim", "ann", max_price=10)
    assert market.batch(claim).replies == [Claimed(NOW + WINDOW)]
    market.send(c.Reprice(("lead",), (11,), "demand"))
    again = market.batch(claim, Request(claim.command_id, claim.command, b"other"))
    assert again.replies == [Claimed(NOW + WINDOW), MISMATCH]
    assert not again.answers
    market.send(c.Reprice(("lead",), (9,), "age"))
    market.now += WINDOW
    decided = market.batch(claim, heard={"lead": []})
    assert isinstance(decided.replies[0], Bought)
    assert decided.replies[0].price == 9


@pytest.mark.parametrize("window_us", [0, WINDOW])
@pytest.mark.parametrize("again", [c.Relist, c.Approve])
def test_no_seed_is_revealed_that_was_not_committed_to(window_us: int, again: type) -> None:
    """Nobody waits for the lead when it is listed; at another price two contest it."""
    market = SmallMarket(window_us)
    close = c.Withdraw("lead", "") if again is c.Relist else c.Quarantine("lead", "")
    entries = [
        entry for command in (listing(), close, again("lead"))
        for entry in market.send(command).entries
    ]  # fmt: skip
    told = {entry.event.commitment for entry in entries if hasattr(entry.event, "commitment")}
    market.now += WINDOW
    market.batch(heard={"lead": []})
    for user in ("ann", "bob"):
        market.send(c.PlaceStanding(f"of-{user}", user, StandingTerms(name="", price_max=50)))
    market.send(c.Reprice(("lead",), (11,), "demand"))
    assert market.book.deciding(market.now) == ["lead"]
    record = market.batch(heard={"lead": ["of-ann", "of-bob"]}).entries[0].event
    assert isinstance(record, e.ClaimsDecided)
    assert told == {hashlib.sha256(record.seed.encode()).hexdigest()}


@pytest.mark.parametrize("found", [["old", "new"], ["new", "old"]])
def test_of_a_buyers_own_standing_orders_the_older_buys(found: list[str]) -> None:
    """In whatever order an index finds them."""
    market = SmallMarket(WINDOW)
    for id_ in ("old", "new"):
        market.send(c.PlaceStanding(id_, "ann", StandingTerms(name=id_, price_max=50)))
        market.now += 1
    market.send(listing())
    market.now += WINDOW
    sales = market.batch(heard={"lead": found}).sales
    assert [sale.standing_order_id for sale in sales] == ["old"]


def test_a_lead_on_offer_again_is_given_its_whole_time_again() -> None:
    """Though its turn had come before it was withdrawn, and others went first."""
    market = SmallMarket(WINDOW)
    market.send(listing("first"))
    market.send(listing())
    market.now += WINDOW
    assert market.book.deciding(market.now, 1) == ["first"]
    market.batch(heard={"first": []})
    market.send(c.Withdraw("lead", "sold elsewhere"))
    market.send(c.Relist("lead"))
    claim = buy(b"claim", "ann")
    assert market.batch(claim).replies == [Claimed(market.now + WINDOW)]
    assert market.book.deciding(market.now) == []
    market.now += WINDOW
    assert market.book.deciding(market.now) == ["lead"]
    assert isinstance(market.batch(claim, heard={"lead": []}).replies[0], Bought)
