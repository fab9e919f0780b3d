"""How long a feed stays away, and when it gives up: no sockets, a clock that only rests move."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from aiqleads.client import errors
from aiqleads.client.feed.back_off import BackOff
from aiqleads.client.feed.channels import market
from aiqleads.client.feed.follower import Follower
from aiqleads.client.feed.journey import (
    Closed,
    GetToken,
    Give,
    Hear,
    Journey,
    Open,
    Opened,
    Rest,
    Say,
    Shut,
)
from aiqleads.client.wire import Lost, Received
from tests.client.feed_script import MARKET, error, snapshot

AWAY = Lost("ConnectionRefusedError", was_sent=True)


class Most(random.Random):
    """Chance that always takes its upper bound."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Trip:
    """A journey whose openings and hearings are the script's, in turn; the last one stays."""

    def __init__(
        self, openings: list[Any], hearings: list[Any], give_up_seconds: float | None = None
    ) -> None:
        self.now = 50.0
        self.rests: list[float] = []
        self.heard_for: list[float | None] = []
        self.said: list[dict[str, Any]] = []
        self.stale: list[str | None] = []
        self.tokens: list[Any] = []
        self.openings = openings
        self.hearings = hearings
        follower = Follower()
        follower.add(market("austin"))
        self.back_off = BackOff(rng=Most())
        self._steps = Journey(follower, self.back_off, lambda: self.now, give_up_seconds).steps()

    def go(self, rests: int) -> None:
        """Until it has rested so often."""
        outcome: Any = None
        while len(self.rests) < rests:
            if isinstance(outcome, errors.ClientError):
                deed = self._steps.throw(outcome)
            else:
                deed = self._steps.send(outcome)
            outcome = self._do(deed)

    def _do(self, deed: Any) -> Any:
        match deed:
            case GetToken(stale):
                self.stale.append(stale)
                if self.tokens:
                    return _next(self.tokens)
                return f"token-{len(self.stale)}"
            case Open(_):
                return _next(self.openings)
            case Say(text):
                self.said.append(json.loads(text))
            case Hear(seconds):
                self.heard_for.append(seconds)
                heard = _next(self.hearings)
                if heard is None:
                    self.now += seconds or 0.0
                return heard() if callable(heard) else heard
            case Rest(seconds):
                self.rests.append(seconds)
                self.now += seconds
            case Shut() | Give():
                pass
        return None

    def lasting(self, seconds: float, closed: Closed) -> Callable[[], Closed]:
        def close() -> Closed:
            self.now += seconds
            return closed

        return close


def _next(script: list[Any]) -> Any:
    return script.pop(0) if len(script) > 1 else script[0]


def refused(status: int, slug: str, retry_after: str | None = None) -> Received:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    body = json.dumps({"type": slug, "status": status, "detail": "why"}).encode()
    return Received(status, headers, body)


def test_a_server_that_is_away_is_asked_less_and_less_often() -> None:
    trip = Trip([AWAY], [])
    trip.go(8)
    assert trip.rests == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_connection_that_was_good_for_a_while_forgets_failures_and_a_short_one_does_not() -> None:
    trip = Trip([AWAY, AWAY, AWAY, Opened()], [])
    trip.hearings += [
        trip.lasting(1, Closed(1012)),
        trip.lasting(3600, Closed(1012)),
        trip.lasting(0, Closed(1012)),
    ]
    trip.go(6)
    assert trip.rests == [1, 2, 4, 8, 1, 2]


def test_whoever_said_too_much_is_silent_for_a_while() -> None:
    trip = Trip([Opened()], [Closed(1008)])
    trip.go(2)
    assert trip.rests == [6, 7]


def test_a_full_server_says_when_to_come_again() -> None:
    trip = Trip([refused(503, "unavailable", "7"), refused(429, "rate-limited", "9"), AWAY], [])
    trip.go(2)
    assert trip.rests == [8, 11]


def test_a_token_is_replaced_when_it_is_over_and_only_then() -> None:
    trip = Trip([Opened()], [Closed(1012), Closed(4001), Closed(4008)])
    trip.go(3)
    assert trip.stale == [None, None, "token-2"]


def test_the_feed_is_given_up_only_if_no_connection_was_good_for_so_long() -> None:
    trip = Trip([AWAY, AWAY, Opened(), AWAY], [], give_up_seconds=60)
    trip.hearings.append(trip.lasting(3600, Closed(1006)))
    with pytest.raises(errors.Unreachable, match="ConnectionRefusedError"):
        trip.go(100)
    assert sum(trip.rests[3:]) >= 60
    assert len(trip.rests) < 12


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(403, "forbidden"), errors.Forbidden),
        (refused(422, "validation"), errors.Invalid),
        (Received(404, {}, b"<html>"), errors.NotFound),
    ],
)
def test_a_refusal_of_the_market_is_final_and_one_of_something_before_it_only_at_first(
    answer: Received, kind: type[errors.Problem]
) -> None:
    with pytest.raises(kind):
        Trip([answer], []).go(1)
    later = Trip([Opened(), answer], [Closed(1012)])
    if b"html" in answer.body:
        later.go(5)
    else:
        with pytest.raises(kind):
            later.go(5)


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (errors.SignedOut("x"), (True, True)),
        (errors.Unauthorized(401, {"type": "token-reused"}, None), (True, True)),
        (errors.Forbidden(403, {"type": "forbidden"}, None), (True, True)),
        (errors.Unreachable("x"), (False, False)),
        (errors.Problem(500, {"type": "internal"}, None), (False, False)),
        (errors.UnexpectedAnswer("x"), (True, False)),
        (errors.NotFound(404, {}, None), (True, False)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_token_that_can_not_be_got_ends_the_feed_if_it_never_will(
    error: errors.ClientError, is_final: tuple[bool, bool]
) -> None:
    for has_been_open, ends in zip((False, True), is_final, strict=True):
        trip = Trip([Opened()], [Closed(1012)])
        trip.tokens = [*["fine"] * has_been_open, error, "fine"]
        if ends:
            with pytest.raises(type(error)):
                trip.go(3)
        else:
            trip.go(3)


def test_a_channel_that_ended_for_now_is_asked_for_later_and_later_without_a_new_socket() -> None:
    ended = json.dumps(error("unavailable"))
    whole = json.dumps(snapshot(7, []))
    trip = Trip([Opened()], [ended, None, ended, None, whole, Closed(1012)])
    trip.go(1)
    assert trip.said == [{"op": "subscribe", "channel": MARKET}] * 3
    assert trip.heard_for == [None, 1, None, 2, None, None]
    assert trip.rests == [1]
