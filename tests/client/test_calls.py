"""Calls as they are sent."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from aiqleads.client.address import checked_base, feed_address
from aiqleads.client.calls import accounts, leads, queue, trading
from aiqleads.client.calls.call import Call
from aiqleads.client.wire import request_of


def asked(call: Call[object]) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(request_of(call, None).target)
    return parts.path, parse_qsl(parts.query)


def test_a_search_says_what_it_is_for() -> None:
    call = leads.search(
        market="austin",
        near=(30.2672, -97.7431),
        radius_m=5000,
        bbox=(-98, 30, -97.5, 30.00000001),
        property_type=["house", "land & more"],
        source="craigslist",
        list_price_max=400_000,
        sort="distance",
    )
    assert asked(call) == (
        "/v1/leads",
        [
            ("market", "austin"),
            ("near", "30.2672,-97.7431"),
            ("radius_m", "5000"),
            ("bbox", "-98,30,-97.5,30"),
            ("property_type", "house"),
            ("property_type", "land & more"),
            ("source", "craigslist"),
            ("list_price_max", "400000"),
            ("sort", "distance"),
            ("limit", "200"),
        ],
    )
    assert asked(leads.search(page_size=7).at("abc=="))[1] == [("limit", "7"), ("cursor", "abc==")]


@pytest.mark.parametrize("number", [1e-7, -1e-9, 100.0, -0.0])
def test_degrees_have_no_exponent(number: float) -> None:
    [(_, text), *_] = asked(leads.search(near=(number, 0)))[1]
    assert "e" not in text
    assert not text.endswith(".")


@pytest.mark.parametrize("lead_id", ["a/b", "a?b", "a#b", "ä b", "%2e%2e", "a\nb"])
def test_an_id_stays_one_part_of_the_path(lead_id: str) -> None:
    target = request_of(leads.lead(lead_id), None).target
    assert target.count("/") == 3
    assert not set(target) & set("?# \n")


@pytest.mark.parametrize("lead_id", ["", ".", ".."])
def test_what_can_be_no_id_is_refused_before_it_is_sent(lead_id: str) -> None:
    with pytest.raises(ValueError, match="can't be part"):
        trading.buy(lead_id)


def test_bodies_hold_what_was_given_and_no_more() -> None:
    assert trading.buy("a").body == {}
    assert trading.buy("a", max_price=0).body == {"max_price": 0}
    assert trading.checkout().body == {}
    assert trading.checkout(iter(["b", "a"])).body == {"lead_ids": ["b", "a"]}
    assert trading.release("a").body is None
    change = accounts.change_me(full_name="Ann", clear=("phone",))
    content = request_of(change, "t").content
    assert json.loads(content or b"") == {"full_name": "Ann", "phone": None}


@pytest.mark.parametrize(
    "call",
    [
        trading.hold("a"),
        trading.extend("a", "24h"),
        trading.release("a"),
        trading.checkout(),
        trading.buy("a"),
        queue.join_queue("a"),
        queue.leave_queue("a"),
        accounts.register("a@b.example", "12345678", "Ann"),
        accounts.change_me(full_name="Ann"),
    ],
    ids=lambda call: f"{call.method} {call.path}",
)
def test_every_write_carries_a_key(call: Call[object]) -> None:
    key = request_of(call, "t").headers["idempotency-key"]
    assert 16 <= len(key) <= 255
    assert call.is_write


def test_addresses() -> None:
    assert checked_base("https://m.example/") == "https://m.example"
    assert feed_address("https://m.example/x") == "wss://m.example/x/v1/feed"
    assert feed_address("http://127.0.0.1:8000") == "ws://127.0.0.1:8000/v1/feed"
    for wrong in ("m.example", "ftp://m.example", "https://", "https://m.example?a=1", "HTTP://x"):
        with pytest.raises(ValueError, match="must be an address"):
            checked_base(wrong)
