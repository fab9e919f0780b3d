"""What a view says after snapshots, events and ticks, in any order that they may come in."""

from __future__ import annotations

import datetime
import random

import msgspec
import pytest

from aiqleads.client.answers.leads import LeadNow, Teaser
from aiqleads.client.feed.market_view import MarketView
from aiqleads.client.feed.messages import FeedMessage, LeadEvent, Missed, PriceTick, Snapshot

NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)


def now(lead_id: str, state: str = "available", price: int = 10, left: int = 1) -> LeadNow:
    return LeadNow(lead_id=lead_id, lead_state=state, price=price, max_buyers=2, seats_left=left)


def told(seq: int, lead: LeadNow, market: str = "austin") -> LeadEvent:
    return LeadEvent(market=market, seq=seq, type="lead.held", at=NOW, lead=lead)


def tick(seq: int, lead_id: str, price: int) -> PriceTick:
    return PriceTick(market="austin", seq=seq, at=NOW, lead_id=lead_id, price=price)


def begun(seq: int = 5, *leads: LeadNow) -> MarketView:
    view = MarketView("austin")
    view.apply(Snapshot(market="austin", seq=seq, leads=leads))
    return view


def price(view: MarketView, lead_id: str = "a") -> int:
    return view.leads[lead_id].price


def test_events_put_what_is_on_offer_and_drop_the_rest() -> None:
    view = begun(5, now("a"), now("b"))
    assert view.apply(told(6, now("a", "held", left=0)))
    assert view.apply(told(7, now("b", "sold", left=0)))
    assert view.apply(told(8, now("c")))
    assert {id_: lead.lead_state for id_, lead in view.leads.items()} == {
        "a": "held",
        "c": "available",
    }
    assert (len(view), "b" in view, view.get("b"), view.seq) == (2, False, None, 8)


def test_what_was_shown_does_not_change_under_the_hands() -> None:
    view = begun(5, now("a"))
    before = view.leads
    view.apply(told(6, now("a", "sold", left=0)))
    assert list(before) == ["a"]
    assert not view.leads
    with pytest.raises(TypeError):
        view.leads["x"] = now("x")  # type: ignore[index]


def test_what_is_older_or_of_elsewhere_means_nothing() -> None:
    view = begun(5, now("a"))
    assert not view.apply(told(5, now("a", "sold")))
    assert not view.apply(told(6, now("a", "sold"), market="dallas"))
    assert not view.apply(Snapshot(market="dallas", seq=9, leads=()))
    assert "a" in view
    empty = MarketView("austin")
    assert not empty.apply(told(6, now("a")))
    assert empty.seq is None


def test_a_new_snapshot_replaces_everything() -> None:
    view = begun(5, now("a"), now("b"))
    view.apply(Snapshot(market="austin", seq=3, leads=(now("c"),)))
    assert (list(view.leads), view.seq) == (["c"], 3)


def test_facts_of_a_listed_lead_stay_while_its_state_moves() -> None:
    view = begun(5)
    whole = Teaser(
        lead_id="a", lead_state="available", price=9, max_buyers=2, seats_left=2,
        market="austin", quality=0.5, fraud_flag=False, listed_at=NOW, city="Austin",
    )  # fmt: skip
    view.apply(told(6, whole))
    view.apply(told(7, now("a", "held", 12, 0)))
    lead = view.leads["a"]
    assert isinstance(lead, Teaser)
    assert (lead.city, lead.lead_state, lead.price, lead.seats_left) == ("Austin", "held", 12, 0)


def test_a_tick_is_newer_than_events_up_to_its_number_and_older_than_those_after() -> None:
    view = begun(5, now("a"))
    assert view.apply(tick(5, "a", 11))
    assert price(view) == 11
    view.apply(tick(8, "a", 14))
    view.apply(told(7, now("a", price=12)))
    assert price(view) == 14, "the event is older than the tick that came before it"
    view.apply(told(8, now("a", price=12)))
    assert price(view) == 14
    view.apply(told(9, now("a", price=15)))
    assert price(view) == 15
    assert not view.apply(tick(8, "a", 14)), "a tick that came late"
    assert price(view) == 15


def test_a_tick_ahead_of_the_listing_waits_for_it() -> None:
    view = begun(5)
    assert not view.apply(tick(7, "a", 20))
    view.apply(told(6, now("a", price=10)))
    assert price(view) == 20
    view.apply(told(7, now("b")))
    view.apply(told(8, now("a", price=21)))
    assert price(view) == 21


def test_a_filter_drops_what_it_matches_no_more_by_an_event_or_by_a_price() -> None:
    view = begun(5, now("a"), now("b"))
    gone = {"at": NOW, "market": "austin", "matches": False}
    view.apply(LeadEvent(seq=6, type="lead.held", lead=now("a", "held", left=0), **gone))
    assert list(view.leads) == ["b"]
    view.apply(LeadEvent(seq=6, type="lead.repriced", lead=now("b", price=50), **gone))
    assert (list(view.leads), view.seq) == ([], 6)
    back = LeadEvent(seq=6, type="lead.repriced", lead=now("b", price=19), at=NOW, market="austin")
    assert view.apply(back)
    assert price(view, "b") == 19
    assert not view.apply(msgspec.structs.replace(back, seq=5))


def test_what_tells_of_a_price_is_newer_than_a_tick_of_its_number() -> None:
    view = begun(5, now("a"))
    view.apply(tick(7, "a", 15))
    view.apply(told(7, now("b")))
    at_16 = LeadEvent(seq=7, type="lead.repriced", lead=now("a", price=16), at=NOW, market="austin")
    view.apply(at_16)
    assert price(view) == 16


def test_ticks_before_the_first_snapshot_count_if_they_are_newer() -> None:
    view = MarketView("austin")
    view.apply(tick(4, "a", 1))
    view.apply(tick(5, "b", 2))
    view.apply(Snapshot(market="austin", seq=5, leads=(now("a"), now("b"))))
    assert (price(view, "a"), price(view, "b")) == (10, 2)


def test_after_a_break_old_ticks_do_not_count_against_a_new_snapshot() -> None:
    view = begun(5, now("a"))
    view.apply(tick(9, "a", 20))
    view.apply(Missed(channel="prices:austin"))
    view.apply(Snapshot(market="austin", seq=5, leads=(now("a", price=30),)))
    assert price(view) == 30


@pytest.mark.parametrize("seed", range(200))
def test_two_channels_merged_in_any_order_come_to_the_same(seed: int) -> None:
    """The market's events and its ticks each come in order; how they mix is chance."""
    rng = random.Random(seed)
    prices = {"a": 10, "b": 10, "c": 10}
    states = dict.fromkeys(prices, "available")
    events: list[FeedMessage] = []
    ticks: list[FeedMessage] = []
    seq = 5
    for _ in range(30):
        lead_id = rng.choice("abc")
        if rng.random() < 0.5 and states[lead_id] == "available":
            prices[lead_id] = rng.randrange(1, 99)
            ticks.append(tick(seq, lead_id, prices[lead_id]))
        else:
            seq += 1
            states[lead_id] = rng.choice(("available", "held", "sold"))
            events.append(told(seq, now(lead_id, states[lead_id], prices[lead_id])))
    view = begun(5, *(now(lead_id) for lead_id in "abc"))
    while events or ticks:
        source = rng.choice([each for each in (events, ticks) if each])
        view.apply(source.pop(0))
    offered = {id_: prices[id_] for id_, state in states.items() if state != "sold"}
    assert {id_: lead.price for id_, lead in view.leads.items()} == offered
