"""Contests at their edges, one by one; the histories play them in every other combination."""

from __future__ import annotations

import hashlib

import pytest

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Bought, Claimed, Request
from engine.market.batch import MISMATCH, Outcome, decide_batch
from engine.market.book import Book
from engine.market.listing import Listing
from engine.market.plan import Plan
from engine.market.rules import Rules
from engine.market.standing_terms import StandingTerms

NOW = 1_750_000_000_000_000
WINDOW = 250_000
PLAN = Plan("basic", {"15m": 900_000_000}, 900_000_000, 10, 0)


class Market:
    """A book and its clock; everybody has 100 credits."""

    def __init__(self, window_us: int = WINDOW) -> None:
        self.book = Book(Rules(claim_window_us=window_us, secret=b"secret"))
        self.now = NOW
        self.position = 0

    def batch(self, *requests: Request, heard: dict[str, list[str]] | None = None) -> Outcome:
        users = [getattr(request.command, "user_id", "") for request in requests]
        users += ["ann", "bob"]
        outcome = decide_batch(
            self.book,
            requests,
            known={},
            accounts={user: Account(user, 100, PLAN) for user in users},
            now=self.now,
            position=self.position,
            feed_seq=self.position,
            candidates=heard,
        )
        self.position = outcome.position
        return outcome

    def ask(self, command: c.Command) -> Outcome:
        return self.batch(Request(b"%d" % self.position, command))


def listing(lead_id: str = "lead", price: int = 10) -> c.ListLead:
    return c.ListLead(lead_id, price, 1, Listing())


def buy(command_id: bytes, user_id: str, max_price: int | None = None) -> Request:
    command = c.Buy("lead", user_id, f"order-{command_id.decode()}", max_price)
    return Request(command_id, command, b"body")


def test_who_asks_again_is_not_tried_again_and_refused_what_is_bought_after_all() -> None:
    market = Market()
    market.ask(listing())
    claim = buy(b"claim", "ann", max_price=10)
    assert market.batch(claim).replies == [Claimed(NOW + WINDOW)]
    market.ask(c.Reprice(("lead",), (11,), "demand"))
    again = market.batch(claim, Request(claim.command_id, claim.command, b"other"))
    assert again.replies == [Claimed(NOW + WINDOW), MISMATCH]
    assert not again.answers
    market.ask(c.Reprice(("lead",), (9,), "age"))
    market.now += WINDOW
    decided = market.batch(claim, heard={"lead": []})
    assert isinstance(decided.replies[0], Bought)
    assert decided.replies[0].price == 9


@pytest.mark.parametrize("window_us", [0, WINDOW])
@pytest.mark.parametrize("again", [c.Relist, c.Approve])
def test_no_seed_is_revealed_that_was_not_committed_to(window_us: int, again: type) -> None:
    """Nobody waits for the lead when it is listed; at another price two contest it."""
    market = Market(window_us)
    close = c.Withdraw("lead", "") if again is c.Relist else c.Quarantine("lead", "")
    entries = [
        entry for command in (listing(), close, again("lead"))
        for entry in market.ask(command).entries
    ]  # fmt: skip
    told = {entry.event.commitment for entry in entries if hasattr(entry.event, "commitment")}
    market.now += WINDOW
    market.batch(heard={"lead": []})
    for user in ("ann", "bob"):
        market.ask(c.PlaceStanding(f"of-{user}", user, StandingTerms(name="", price_max=50)))
    market.ask(c.Reprice(("lead",), (11,), "demand"))
    assert market.book.deciding(market.now) == ["lead"]
    record = market.batch(heard={"lead": ["of-ann", "of-bob"]}).entries[0].event
    assert isinstance(record, e.ClaimsDecided)
    assert told == {hashlib.sha256(record.seed.encode()).hexdigest()}


@pytest.mark.parametrize("found", [["old", "new"], ["new", "old"]])
def test_of_a_buyers_own_standing_orders_the_older_buys(found: list[str]) -> None:
    """In whatever order an index finds them."""
    market = Market()
    for id_ in ("old", "new"):
        market.ask(c.PlaceStanding(id_, "ann", StandingTerms(name=id_, price_max=50)))
        market.now += 1
    market.ask(listing())
    market.now += WINDOW
    sales = market.batch(heard={"lead": found}).sales
    assert [sale.standing_order_id for sale in sales] == ["old"]


def test_a_lead_on_offer_again_is_given_its_whole_time_again() -> None:
    """Though its turn had come before it was withdrawn, and others went first."""
    market = Market()
    market.ask(listing("first"))
    market.ask(listing())
    market.now += WINDOW
    assert market.book.deciding(market.now, 1) == ["first"]
    market.batch(heard={"first": []})
    market.ask(c.Withdraw("lead", "sold elsewhere"))
    market.ask(c.Relist("lead"))
    claim = buy(b"claim", "ann")
    assert market.batch(claim).replies == [Claimed(market.now + WINDOW)]
    assert market.book.deciding(market.now) == []
    market.now += WINDOW
    assert market.book.deciding(market.now) == ["lead"]
    assert isinstance(market.batch(claim, heard={"lead": []}).replies[0], Bought)
