"""Exchanges played against a script instead of a network, on a clock that only waits move."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from aiqleads.client.answers.accounts import Tokens
from aiqleads.client.errors import ClientError
from aiqleads.client.exchange import Effect, Manner, Renew, Send, Wait, Work, renewal
from aiqleads.client.patience import Patience
from aiqleads.client.session import Credentials, Session
from aiqleads.client.wire import Lost, Received, Request

T = TypeVar("T")
Step = Received | Lost | Callable[[Request], Received | Lost]


def said(status: int, body: Any = None, **headers: str) -> Received:
    content = b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(status, named, content)


def no(status: int, slug: str, *, retry_after: str | None = None, **more: Any) -> Received:
    body = {"type": slug, "title": slug, "status": status, "detail": f"because {slug}"}
    headers = {} if retry_after is None else {"retry_after": retry_after}
    return said(status, {**body, "request_id": "r1", **more}, **headers)


def tokens(number: int, expires_in: int = 900) -> dict[str, Any]:
    return {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "token_type": "Bearer",
        "expires_in": expires_in,
    }


FIRST = Tokens(access_token="access-0", refresh_token="refresh-0", expires_in=900)


class Play:
    """Answers requests with the script's steps, in turn."""

    def __init__(
        self,
        *steps: Step,
        credentials: Credentials | None = None,
        tokens: Tokens | None = FIRST,
        patience: Patience | None = None,
    ) -> None:
        self.steps = list(steps)
        self.requests: list[Request] = []
        self.waits: list[float] = []
        self.renewals: list[str | None] = []
        self.now = 1000.0
        self.kept: list[Any] = []
        session = Session(credentials, self.kept.append)
        if tokens is not None:
            session.take_up(tokens, self.now)
        self.manner = Manner(session, patience or Patience(), lambda: self.now, random.Random(7))

    def run(self, work: Work[T]) -> T:
        try:
            effect = next(work)
            while True:
                try:
                    came = self._do(effect)
                except ClientError as error:
                    effect = work.throw(error)
                else:
                    effect = work.send(came)
        except StopIteration as done:
            answer: T = done.value
            return answer

    def _do(self, effect: Effect) -> Received | Lost | None:
        match effect:
            case Send(request, seconds):
                assert seconds > 0
                self.requests.append(request)
                assert self.steps, f"nothing is left to answer {request}"
                step = self.steps.pop(0)
                return step(request) if callable(step) else step
            case Wait(seconds):
                self.waits.append(seconds)
                self.now += seconds
            case Renew(stale, _):
                self.renewals.append(stale)
                self.run(renewal(self.manner))
        return None

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("idempotency-key") for request in self.requests}


def sent(requests: Iterable[Request]) -> list[str]:
    return [f"{request.method} {request.target}" for request in requests]
