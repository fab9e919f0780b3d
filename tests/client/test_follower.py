"""What frames add up to, and which of them are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiqleads.client import errors
from aiqleads.client.answers.leads import LeadNow, Teaser
from aiqleads.client.feed.channels import USER, Channel, market, prices
from aiqleads.client.feed.follower import Follower, Gap
from aiqleads.client.feed.frames import BrokenFrame
from aiqleads.client.feed.messages import (
    BuyerMessage,
    FeedMessage,
    HoldExpiring,
    LeadEvent,
    Missed,
    NotificationSent,
    PriceTick,
    Snapshot,
)
from tests.client.feed_script import MARKET, error, event, events, lead, snapshot, teaser
from tests.client.feed_script import prices as ticks

AUSTIN = market("austin")


def following(*channels: Channel) -> Follower:
    follower = Follower()
    for channel in channels:
        follower.add(channel)
    follower.opened()
    return follower


def take(follower: Follower, frame: dict[str, Any] | str | bytes) -> list[FeedMessage]:
    text = json.dumps(frame) if isinstance(frame, dict) else frame
    return follower.take(text).messages


def asked(follower: Follower) -> list[dict[str, Any]]:
    return [json.loads(text) for text in follower.opened()]


def test_a_snapshot_is_told_once_it_is_whole() -> None:
    follower = following(AUSTIN)
    assert take(follower, snapshot(7, [lead("a")], 0, last=False)) == []
    assert follower.since(MARKET) is None
    [whole] = take(follower, snapshot(7, [lead("b")], 1))
    assert isinstance(whole, Snapshot)
    assert (whole.market, whole.seq) == ("austin", 7)
    assert [each.lead_id for each in whole.leads] == ["a", "b"]
    assert follower.since(MARKET) == 7


def test_a_snapshot_that_begins_again_replaces_its_beginning() -> None:
    follower = following(AUSTIN)
    take(follower, snapshot(7, [lead("a")], 0, last=False))
    [whole] = take(follower, snapshot(9, [lead("b")]))
    assert isinstance(whole, Snapshot)
    assert [each.lead_id for each in whole.leads] == ["b"]


def test_events_that_join_are_told_and_remembered() -> None:
    follower = following(AUSTIN)
    take(follower, snapshot(7, []))
    told = take(follower, events(8, lead("a"), lead("b", "sold", left=0)))
    assert [each.seq for each in told if isinstance(each, LeadEvent)] == [8, 9]
    assert asked(follower) == [{"op": "subscribe", "channel": MARKET, "since": 9}]


def test_numbers_that_a_filter_left_out_are_no_gap() -> None:
    filter = {"price_max": 20, "property_type": ["house"]}
    follower = following(market("austin", since=3, filter=filter))
    assert asked(follower)[0]["filter"] == filter
    told = take(follower, events(4, lead("a"), to=9))
    assert [each.seq for each in told if isinstance(each, LeadEvent)] == [4]
    assert take(follower, events(10, to=12)) == []
    assert follower.since(MARKET) == 12


def test_prices_that_a_filter_asks_for_are_told_between_the_numbers() -> None:
    follower = following(market("austin", since=7, filter={"price_max": 20}))
    repriced = event(7, lead("a", price=19), "lead.repriced")
    [told] = take(follower, {**events(8, to=7), "events": [repriced]})
    assert isinstance(told, LeadEvent)
    assert (told.matches, told.is_numbered) == (True, False)
    gone = event(8, lead("a", price=21), "lead.repriced", matches=False)
    mixed = [event(8, lead("b")), gone, event(9, lead("c"), matches=False)]
    told_all = take(follower, {**events(8, to=9), "events": mixed})
    assert [(e.seq, e.matches) for e in told_all if isinstance(e, LeadEvent)] == [
        (8, True),
        (8, False),
        (9, False),
    ]
    assert follower.since(MARKET) == 9
    with pytest.raises(Gap):
        take(follower, {**events(10, to=9), "events": [event(8, lead("a"), "lead.repriced")]})


@pytest.mark.parametrize(
    "frame",
    [
        events(9, lead("a")),
        events(7, lead("a")),
        events(8, lead("a"), to=7),
        events(8, to=6),
        events(8, lead("a"), lead("b"), to=8),
        {**events(8, to=9), "events": [event(9, lead("a")), event(8, lead("b"))]},
        {**events(8, to=9), "events": [event(7, lead("a"))]},
        snapshot(9, [], part=1),
    ],
    ids=["ahead", "again", "nowhere", "backwards", "beyond", "disorder", "before", "headless"],
)
def test_frames_that_do_not_join_begin_the_channel_anew(frame: dict[str, Any]) -> None:
    follower = following(AUSTIN, prices("dallas"))
    take(follower, snapshot(7, []))
    with pytest.raises(Gap):
        take(follower, frame)
    assert "since" not in asked(follower)[0]


@pytest.mark.parametrize(
    "frame", [events(8, lead("a")), snapshot(7, [], part=2), snapshot(8, [], part=1)]
)
def test_a_snapshot_that_does_not_go_on_as_it_began_is_a_gap(frame: dict[str, Any]) -> None:
    follower = following(market("austin", since=3))
    take(follower, snapshot(7, [lead("a")], 0, last=False))
    with pytest.raises(Gap):
        take(follower, frame)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"type":"events","channel":"market:austin"}',
        b'{"type":"events","channel":"market:austin","from_seq":8,"to_seq":8,"events":[{}]}',
        json.dumps(events(8, {**lead("a"), "price": "dear"})),
        json.dumps(events(8, teaser("a", listed_at="yesterday"))),
    ],
    ids=range(10),
)
def test_garbage_begins_anew_what_it_may_have_been_of(text: str | bytes) -> None:
    follower = following(AUSTIN)
    take(follower, snapshot(7, []))
    with pytest.raises(BrokenFrame):
        take(follower, text)
    assert "since" not in asked(follower)[0]


def test_what_this_version_does_not_know_is_passed_over() -> None:
    follower = following(AUSTIN, USER)
    take(follower, snapshot(7, []))
    assert take(follower, {"type": "weather", "channel": MARKET, "seq": "x"}) == []
    assert take(follower, {"type": "weather"}) == []
    assert take(follower, {"type": "pong"}) == []
    assert take(follower, snapshot(9, []) | {"channel": "market:dallas"}) == []
    [told] = take(follower, events(8, {**lead("a", "auctioned"), "more": 1}))
    assert isinstance(told, LeadEvent)
    assert not told.lead.is_on_offer


def test_listed_leads_come_whole_and_tell_of_claims() -> None:
    follower = following(market("austin", since=7))
    claims = {"decide_at": "2026-05-01T12:00:00.75Z", "commitment": "c0ffee"}
    whole = event(8, teaser("a", public_remarks='say "market": now'), "lead.listed", claims=claims)
    sly = event(9, lead("b") | {"note": '"market":"x"'}, "lead.updated")
    told = take(follower, {**events(8, to=9), "events": [whole, sly]})
    listed, updated = (each for each in told if isinstance(each, LeadEvent))
    assert isinstance(listed.lead, Teaser)
    assert listed.lead.city == "Austin"
    assert listed.claims is not None
    assert listed.claims.commitment == "c0ffee"
    assert type(updated.lead) is LeadNow


def test_ticks_are_told_one_by_one() -> None:
    follower = following(prices("austin"))
    assert take(follower, {"type": "subscribed", "channel": "prices:austin", "seq": 4}) == [
        Missed(channel="prices:austin")
    ]
    told = take(follower, ticks(5, a=11, b=12))
    assert [(t.lead_id, t.price, t.seq) for t in told if isinstance(t, PriceTick)] == [
        ("a", 11, 5),
        ("b", 12, 5),
    ]


def test_what_is_a_buyers_own_is_typed_where_it_is_known() -> None:
    follower = following(USER)
    ending = {
        "type": "hold.expiring",
        "channel": "user",
        "market": "austin",
        "lead_id": "a",
        "price": 9,
        "hold": "15m",
        "held_until": "2026-05-01T12:00:00Z",
        "minutes_left": 10,
    }
    [told] = take(follower, ending)
    assert isinstance(told, HoldExpiring)
    assert told.minutes_left == 10
    assert "channel" not in told.members
    assert told.members["lead_id"] == "a"
    [other] = take(follower, {"type": "gift.given", "channel": "user", "credits": 3})
    assert type(other) is BuyerMessage
    assert (other.type, other.members) == ("gift.given", {"credits": 3})
    [changed] = take(follower, {**ending, "minutes_left": "ten"})
    assert type(changed) is BuyerMessage
    [note] = take(follower, {"type": "notification", "channel": "user", "title": "hi"})
    assert isinstance(note, NotificationSent)
    assert take(follower, {"type": "missed", "channel": "user"}) == [Missed(channel="user")]
    assert take(follower, {"type": "unsubscribed", "channel": "user"}) == []


def test_a_channel_that_is_not_served_is_told_as_the_problem_it_is() -> None:
    follower = following(market("atlantis"))
    with pytest.raises(errors.NotFound) as caught:
        take(follower, error("not-found", "market:atlantis", 404))
    assert caught.value.channel == "market:atlantis"
    with pytest.raises(errors.Problem):
        take(follower, {"type": "error", "problem": {}})


def test_a_channel_that_ended_for_now_is_asked_for_again_from_where_it_was() -> None:
    follower = following(AUSTIN)
    take(follower, snapshot(7, []))
    taken = follower.take(json.dumps(error("unavailable")))
    assert (taken.messages, taken.ended) == ([], [MARKET])
    assert json.loads(follower.ask_again(MARKET) or "")["since"] == 7
    assert follower.take(json.dumps(error("rate-limited", None, 429))).ended == []


def test_channels_come_and_go_and_late_frames_of_old_ones_mean_nothing() -> None:
    follower = following(AUSTIN)
    take(follower, snapshot(7, []))
    with pytest.raises(ValueError, match="already"):
        follower.add(AUSTIN)
    with pytest.raises(ValueError, match="not followed"):
        follower.drop("market:dallas")
    assert json.loads(follower.drop(MARKET) or "") == {"op": "unsubscribe", "channel": MARKET}
    assert json.loads(follower.add(AUSTIN) or "") == {"op": "subscribe", "channel": MARKET}
    assert take(follower, events(8, lead("a"))) == []
    assert take(follower, {"type": "unsubscribed", "channel": MARKET}) == []
    assert len(take(follower, snapshot(9, []))) == 1
    # The old one had ended by itself: then the server knows of none to end.
    follower.drop(MARKET)
    follower.add(AUSTIN)
    assert take(follower, error("unavailable")) == []
    assert take(follower, error("validation", MARKET, 422)) == []
    assert len(take(follower, snapshot(11, []))) == 1


def test_without_a_socket_nothing_is_said_and_later_everything() -> None:
    follower = Follower()
    assert follower.add(AUSTIN) is None
    assert follower.add(prices("austin")) is None
    assert follower.add(USER) is None
    assert follower.drop("prices:austin") is None
    assert asked(follower) == [
        {"op": "subscribe", "channel": MARKET},
        {"op": "subscribe", "channel": "user", "ack": True},
    ]


def test_a_channel_that_does_not_resume_begins_anew_after_a_break() -> None:
    follower = following(market("austin", resumes=False), market("dallas", since=4))
    take(follower, snapshot(7, []))
    follower.closed()
    assert [each.get("since") for each in asked(follower)] == [None, 4]
