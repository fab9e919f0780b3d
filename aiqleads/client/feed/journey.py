"""The way of a feed from socket to socket, without any I/O.

A journey is a generator like an exchange: it yields what is to be done, is sent what came of
it, and never returns. Sockets come and go; what the follower knows stays.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiqleads.client.errors import (
    ClientError,
    Problem,
    RateLimited,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from aiqleads.client.feed.back_off import BackOff
from aiqleads.client.feed.follower import Follower, Gap
from aiqleads.client.feed.frames import BrokenFrame
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.wire import Lost, Received, problem_of

T = TypeVar("T")

# A connection that lasted this long was a good one.
STEADY_SECONDS = 10.0
# How often in a row new tokens may be refused before that is an answer.
TOKENS_REFUSED_MAX = 2


@dataclass(frozen=True, slots=True)
class GetToken:
    """Answered with an access token that is not `stale`. Raises ClientError."""

    stale: str | None


@dataclass(frozen=True, slots=True)
class Open:
    """Connect. Answered with Opened, Received (the handshake was refused) or Lost."""

    token: str


@dataclass(frozen=True, slots=True)
class Say:
    """Send. Answered with None or Closed."""

    text: str


@dataclass(frozen=True, slots=True)
class Hear:
    """Receive. Answered with a text message, Closed, or None after `seconds` of silence."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Shut:
    """Close the socket."""


@dataclass(frozen=True, slots=True)
class Rest:
    seconds: float


@dataclass(frozen=True, slots=True)
class Give:
    """Hand messages to whoever reads the feed."""

    messages: list[FeedMessage]


class Opened:
    """The socket is open."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The socket is gone; 1006 if nobody said why."""

    code: int
    reason: str = ""


Deed = GetToken | Open | Say | Hear | Shut | Rest | Give
Steps = Generator[Deed, Any, T]


@dataclass(frozen=True, slots=True)
class After:
    """What a close code asks for. `is_final`: to come again would not help."""

    needs_token: bool = False
    at_least: float = 0.0
    is_final: bool = False


_AFTER: dict[int, After] = {
    # The token expired, or it or the account was revoked.
    4001: After(needs_token=True),
    # We said too much: slow down.
    1008: After(at_least=5.0),
    # What we say is too large, or not text, and would be again.
    1007: After(is_final=True),
    1009: After(is_final=True),
}
_ANY_OTHER = After()


class Journey:
    """`steps` goes on until the server refuses for good; then it raises ClientError.

    It also gives up with Unreachable when no connection was good for `give_up_seconds`; None
    goes on for ever, at most `back_off.window_seconds_max` apart.
    """

    def __init__(
        self,
        follower: Follower,
        back_off: BackOff,
        clock: Callable[[], float],
        give_up_seconds: float | None = None,
    ) -> None:
        self._follower = follower
        self._back_off = back_off
        self._clock = clock
        self._give_up_seconds = give_up_seconds
        self._stale: str | None = None
        self._tokens_refused = 0
        self._has_been_open = False
        self._good_at = clock()

    def steps(self) -> Steps[None]:
        while True:
            failure = yield from self._one_socket()
            now = self._clock()
            pause = self._back_off.pause(failure.at_least)
            if self._give_up_seconds is not None and now - self._good_at > self._give_up_seconds:
                raise Unreachable(f"the feed is away: {failure.reason}")
            yield Rest(pause)

    def _one_socket(self) -> Steps[_Failure]:
        """From a token to the end of a socket."""
        try:
            token: str = yield GetToken(self._stale)
        except ClientError as error:
            if self._is_final(error):
                raise
            return _failure(error)
        opened: Opened | Received | Lost = yield Open(token)
        if isinstance(opened, Received):
            return self._refused(opened, token)
        if isinstance(opened, Lost):
            return _Failure(opened.reason)
        self._has_been_open = True
        self._tokens_refused = 0
        opened_at = self._clock()
        closed = yield from self._converse()
        self._follower.closed()
        yield Shut()
        if self._clock() - opened_at >= STEADY_SECONDS:
            self._back_off.recover()
            self._good_at = self._clock()
        after = _AFTER.get(closed.code, _ANY_OTHER)
        if after.is_final:
            raise UnexpectedAnswer(f"the feed closed with {closed.code}: {closed.reason}")
        if after.needs_token:
            self._stale = token
        return _Failure(f"closed with {closed.code}", after.at_least)

    def _converse(self) -> Steps[Closed]:
        """Subscribe and listen until the socket closes, or has to be."""
        again = _Again(self._clock, self._back_off.rng)
        unsaid = self._follower.opened()
        while True:
            for text in unsaid:
                closed: Closed | None = yield Say(text)
                if closed is not None:
                    return closed
            heard: str | bytes | Closed | None = yield Hear(again.seconds())
            if isinstance(heard, Closed):
                return heard
            if heard is not None:
                try:
                    taken = self._follower.take(heard)
                except (BrokenFrame, Gap) as error:
                    return Closed(1006, str(error))
                again.after(taken.ended)
                if taken.messages:
                    yield Give(taken.messages)
            asked = (self._follower.ask_again(channel) for channel in again.due())
            unsaid = [each for each in asked if each is not None]

    def _refused(self, answer: Received, token: str) -> _Failure:
        """What a refused handshake comes to. Raises the problem if it is final."""
        error = problem_of("the feed", answer)
        is_ours = isinstance(error, Problem) and bool(error.slug)
        if isinstance(error, Unauthorized) or (answer.status == 403 and not is_ours):
            # A server that can't answer a handshake with more than a status says 403.
            self._stale = token
            self._tokens_refused += 1
            if self._tokens_refused > TOKENS_REFUSED_MAX:
                raise error
            return _Failure(str(error))
        if self._is_final(error):
            raise error
        return _failure(error)

    def _is_final(self, error: ClientError) -> bool:
        """Whether the market has said no. What something before it says, as while it is put
        anew, counts only as long as the feed has never been open."""
        if isinstance(error, Unreachable | Unavailable | RateLimited):
            return False
        if isinstance(error, Problem) and (error.status >= 500 or not error.slug):
            return error.status < 500 and not self._has_been_open
        return not (isinstance(error, UnexpectedAnswer) and self._has_been_open)


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    at_least: float = 0.0


def _failure(error: ClientError) -> _Failure:
    at_least = error.retry_after if isinstance(error, Problem) else None
    return _Failure(str(error), at_least or 0.0)


class _Again:
    """Subscriptions that ended for now, and when to ask for them again."""

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self._clock = clock
        self._back_off = BackOff(rng=rng)
        self._at: dict[str, float] = {}

    def after(self, channels: list[str]) -> None:
        for channel in channels:
            self._at[channel] = self._clock() + self._back_off.pause()

    def seconds(self) -> float | None:
        """Until the first is due."""
        return max(0.0, min(self._at.values()) - self._clock()) if self._at else None

    def due(self) -> list[str]:
        now = self._clock()
        found = [channel for channel, at in self._at.items() if at <= now]
        for channel in found:
            del self._at[channel]
        return found
