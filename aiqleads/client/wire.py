"""Requests as they are sent, and what comes back. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from aiqleads.client.calls.call import Call
from aiqleads.client.errors import Problem, UnexpectedAnswer, problem

T = TypeVar("T")

# No answer is nearly as large: 200 leads take half a megabyte.
BODY_BYTES_MAX = 16 * 1024 * 1024
USER_AGENT = "aiqleads-client"
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is path and query; headers are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whatever it says; headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer. The server may have the request if `was_sent`."""

    reason: str
    was_sent: bool


def request_of(call: Call[Any], access_token: str | None) -> Request:
    headers = {"accept": "application/json", "user-agent": USER_AGENT}
    if access_token is not None:
        headers["authorization"] = f"Bearer {access_token}"
    if call.key is not None:
        headers["idempotency-key"] = call.key
    content = None
    if call.body is not None:
        headers["content-type"] = "application/json"
        content = msgspec.json.encode(call.body)
    target = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
    return Request(call.method, target, headers, content)


def answer_of(call: Call[T], received: Received) -> T:
    """What a 2xx says. Raises UnexpectedAnswer."""
    try:
        return call.read(received.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedAnswer(
            f"{call.method} {call.path}: {received.status} with a body that is not understood: "
            f"{error}"
        ) from error


def problem_of(asked: str, received: Received) -> Problem | UnexpectedAnswer:
    """What any status but 2xx says; `asked` is what for, in words."""
    if received.status < 400:
        return UnexpectedAnswer(f"{asked}: {received.status}, which is nothing of ours")
    return problem(received.status, _members(received.body), retry_after(received.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, if the header says so in digits."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _members(body: bytes) -> dict[str, Any]:
    """A problem's members; none when something in between has answered."""
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
