"""A lead that goes into quarantine as it is listed: nobody ever hears that it was on offer."""

from __future__ import annotations

import msgspec
import pytest

from engine.market import commands as c
from engine.market import events as e
from engine.market.answers import Done
from engine.market.book import Book
from engine.market.listing import Listing
from engine.market.outcome import Outcome
from engine.market.pricing import policies
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.repricing import Arm
from engine.market.pricing.segments import Segments
from engine.market.pricing.trust import DAY_US, PAID_ENOUGH
from engine.market.standing_terms import StandingFilter, StandingTerms
from tests.engine.market.small_market import NOW, WINDOW, SmallMarket, listing


def told(outcome: Outcome) -> list[str]:
    return [type(entry.event).__name__ for entry in outcome.entries if entry.feed_seq is not None]


def hidden() -> c.ListLead:
    return msgspec.structs.replace(listing(), quarantine="looks like a scam")


@pytest.mark.parametrize("window", [0, WINDOW])
def test_it_is_listed_and_hidden_in_one_commit(window: int) -> None:
    market = SmallMarket(window)
    outcome = market.send(hidden())
    assert outcome.replies == [Done()]
    assert [type(entry.event) for entry in outcome.entries] == [e.LeadListed, e.LeadQuarantined]
    assert told(outcome) == []
    assert market.book.leads["lead"].state == "quarantined"
    assert outcome.leads["lead"].decide_at == 0
    assert market.book.deciding(NOW + 10 * WINDOW) == []
    assert isinstance(market.say(c.Buy("lead", "ann", "order")), c.Refused)


def test_what_is_said_of_it_meanwhile_is_told_to_nobody() -> None:
    market = SmallMarket()
    market.send(hidden())
    assert told(market.send(c.UpdateLead("lead", Listing(city="Austin")))) == []
    approved = market.send(c.Approve("lead"))
    assert told(approved) == ["LeadApproved"]
    assert approved.entries[0].thin is not None
    assert approved.entries[0].thin.lead_state == "available"


def test_one_that_comes_back_suspicious_is_never_on_offer_between() -> None:
    market = SmallMarket()
    market.send(listing())
    market.send(c.Withdraw("lead", "Closed at its source"))
    outcome = market.send(c.Relist("lead", "looks like a scam"))
    assert told(outcome) == ["LeadQuarantined"]
    (entry,) = [each for each in outcome.entries if each.feed_seq is not None]
    assert entry.thin is not None
    assert entry.thin.lead_state == "quarantined"
    assert market.book.leads["lead"].state == "quarantined"


def test_the_journal_folds_to_the_same_state() -> None:
    market = SmallMarket(WINDOW)
    events = [entry.event for entry in market.send(hidden()).entries]
    encoded = [msgspec.json.encode(event) for event in events]
    folded = Book()
    for each in encoded:
        folded.apply(msgspec.json.decode(each, type=e.Event), NOW)
    assert folded.leads["lead"].state == "quarantined"
    assert folded.leads["lead"].decide_at == 0


def test_a_refused_listing_hides_nothing() -> None:
    market = SmallMarket()
    market.send(listing())
    outcome = market.send(hidden())
    assert isinstance(outcome.replies[0], c.Refused)
    assert market.book.leads["lead"].state == "available"


def test_events_of_before_are_still_understood() -> None:
    decode = msgspec.json.Decoder(e.Event).decode
    listed = decode(b'{"type":"listed","lead_id":"a","price":3,"max_buyers":1,"listing":{}}')
    assert listed == e.LeadListed("a", 3, 1, Listing())
    assert decode(b'{"type":"relisted","lead_id":"a"}') == e.LeadRelisted("a")
    unpack = msgspec.msgpack.Decoder(c.Command).decode
    assert unpack(msgspec.msgpack.encode(["Relist", "a"])) == c.Relist("a")


def test_prices_learn_nothing_from_it_while_it_is_hidden() -> None:
    """A standing order that asks for less would else count as a refusal of its price."""
    segments = Segments()
    prices = MarketPrices(segments, [Arm(0, policies.make(policies.names()[0], segments))])
    trials: list[object] = []
    prices.considering.trial = lambda *seen, **_: trials.append(seen)  # type: ignore[method-assign]
    prices.accounts.know({"ann": NOW - 100 * DAY_US})
    for _ in range(PAID_ENOUGH):
        prices.accounts.paid("ann")
    terms = StandingTerms(name="homes", filter=StandingFilter(), price_max=8)
    prices.apply(e.StandingPlaced("order", "ann", terms), NOW)
    shown = SmallMarket().send(listing("shown")).entries
    for entry in (*shown, *SmallMarket().send(hidden()).entries):
        prices.apply(entry.event, NOW)
    assert len(trials) == 1
    rows = prices.columns.row
    assert prices.columns.is_offered[[rows["shown"], rows["lead"]]].tolist() == [True, False]
