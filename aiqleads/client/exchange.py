"""How a call is made: tokens, repeats, waits and problems, without any I/O.

An exchange is a generator. It yields what is to be done, is sent what came of it, and returns
the answer. The clients differ only in how they do these three: `Send`, `Wait`, `Renew`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiqleads.client.answers.accounts import Tokens
from aiqleads.client.calls import accounts
from aiqleads.client.calls.call import Call
from aiqleads.client.errors import (
    ClientError,
    PlanRequired,
    Problem,
    RateLimited,
    SignedOut,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from aiqleads.client.patience import Patience
from aiqleads.client.session import Credentials, Session
from aiqleads.client.wire import Lost, Received, Request, answer_of, problem_of, request_of

T = TypeVar("T")

# Answers that say what became of a write, also of one whose first answer was lost. A 403 but
# for the plan is about the account, and comes before the market is asked.
_DECIDED = frozenset({402, 404, 409})


@dataclass(frozen=True, slots=True)
class Send:
    """Answered with Received or Lost, within `seconds`."""

    request: Request
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Have the session get a new token instead of `stale`, unless somebody else did: one at a
    time, for a refresh token that is used twice ends the session. Raises what that raises,
    and Unreachable after `seconds`."""

    stale: str | None
    seconds: float


Effect = Send | Wait | Renew
Work = Generator[Effect, Any, T]


@dataclass(frozen=True, slots=True)
class Manner:
    """What all calls of a client share. `clock` is monotonic, in seconds."""

    session: Session
    patience: Patience
    clock: Callable[[], float]
    rng: random.Random = field(default_factory=random.Random)


def exchange(call: Call[T], manner: Manner) -> Work[T]:
    """Make a call, with as many repeats as patience allows. Raises ClientError.

    A write that was lost, or answered with 503, is repeated with its key: then it is done once
    whatever became of the first. 429 is waited for. A token that is refused is renewed once.
    """
    outcome = _Outcome(call)
    try:
        return (yield from _tries(call, manner, outcome))
    except ClientError as error:
        outcome.mark(error)
        raise


class _Outcome:
    """Whether an earlier try of a write may have been done, and nobody has said."""

    def __init__(self, call: Call[Any]) -> None:
        self._call = call
        self._is_open = False

    def not_told(self, came: Received | Lost) -> None:
        if self._call.is_write and not (isinstance(came, Lost) and not came.was_sent):
            self._is_open = True

    def told(self, error: ClientError) -> None:
        """The call was answered with this."""
        if isinstance(error, PlanRequired) or (
            isinstance(error, Problem) and error.status in _DECIDED
        ):
            self._is_open = False

    def mark(self, error: ClientError) -> None:
        error.idempotency_key = self._call.key
        error.is_outcome_unknown = self._is_open


def _tries(call: Call[T], manner: Manner, outcome: _Outcome) -> Work[T]:
    patience, clock = manner.patience, manner.clock
    give_up_at = clock() + patience.budget_seconds
    repeats = 0
    refused: str | None = None
    while True:
        token = None
        if call.is_signed:
            token = yield from _token(manner, refused, give_up_at)
        seconds = min(patience.request_seconds, _left(manner, give_up_at))
        came: Received | Lost = yield Send(request_of(call, token), seconds)
        if isinstance(came, Received) and came.status < 300:
            return _answer(call, came, outcome)
        error = _error(call, came)
        if isinstance(error, Unauthorized) and token is not None and refused is None:
            refused = token
            continue
        if not isinstance(error, Unreachable | Unavailable | RateLimited):
            outcome.told(error)
            raise error
        if not isinstance(error, RateLimited):
            outcome.not_told(came)
        at_least = error.retry_after if isinstance(error, Problem) else None
        pause = patience.pause(repeats, manner.rng, at_least or 0.0)
        if repeats >= patience.repeats_max or pause >= _left(manner, give_up_at):
            raise error
        repeats += 1
        yield Wait(pause)


def token_other_than(stale: str | None, manner: Manner) -> Work[str]:
    """A token to use now. Raises ClientError."""
    give_up_at = manner.clock() + manner.patience.budget_seconds
    return (yield from _token(manner, stale, give_up_at))


def _token(manner: Manner, stale: str | None, give_up_at: float) -> Work[str]:
    token = manner.session.access_token(manner.clock())
    if token is None or token == stale:
        yield Renew(stale, _left(manner, give_up_at))
        token = manner.session.access_token(manner.clock())
    if token is None:
        raise SignedOut("the session has ended meanwhile; login first")
    return token


def _left(manner: Manner, give_up_at: float) -> float:
    return max(give_up_at - manner.clock(), 0.0)


def _error(call: Call[Any], came: Received | Lost) -> ClientError:
    if isinstance(came, Lost):
        return Unreachable(came.reason)
    return problem_of(f"{call.method} {call.path}", came)


def _answer(call: Call[T], came: Received, outcome: _Outcome) -> T:
    try:
        return answer_of(call, came)
    except UnexpectedAnswer:
        outcome.not_told(came)
        raise


def renewal(manner: Manner) -> Work[None]:
    """New tokens for the session: by its refresh token, else by its credentials.

    Raises SignedOut if there are neither, Unauthorized if they are no good any more.
    """
    session = manner.session
    if session.refresh_token is not None:
        asked_at = manner.clock()
        try:
            tokens = yield from exchange(accounts.refresh(session.refresh_token), manner)
        except Unauthorized:
            session.end()
            if session.credentials is None:
                raise
        else:
            session.keep(tokens, asked_at)
            return
    if session.credentials is None:
        raise SignedOut("login first")
    yield from signing_in(manner, session.credentials)


def signing_in(manner: Manner, credentials: Credentials) -> Work[Tokens]:
    """Begin a session."""
    asked_at = manner.clock()
    call = accounts.login(credentials.email, credentials.password)
    tokens = yield from exchange(call, manner)
    manner.session.keep(tokens, asked_at)
    return tokens


def signing_out(manner: Manner) -> Work[None]:
    """End the session here in any case, and at the server if it can be told."""
    session = manner.session
    token = session.refresh_token
    session.credentials = None
    session.end()
    if token is not None:
        yield from exchange(accounts.logout(token), manner)
