"""Answers: JSON bytes with the few headers they need."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from serve_apps.api.problems import Problem

_encode = msgspec.json.Encoder().encode

_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", b"application/problem+json")
_lengths = [(b"content-length", str(length).encode()) for length in range(4096)]


class Answer(Response):
    """A response made of ready bytes. Starlette's own constructor costs more than a purchase."""

    def __init__(
        self,
        status: int,
        body: bytes,
        content_type: tuple[bytes, bytes] = _JSON,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [content_type, _length(body), *headers]


def _length(body: bytes) -> tuple[bytes, bytes]:
    if len(body) < 4096:
        return _lengths[len(body)]
    return (b"content-length", str(len(body)).encode())


class NoContent(Response):
    """204."""

    def __init__(self) -> None:
        self.status_code = 204
        self.body = b""
        self.background = None
        self.raw_headers = []


def answer(payload: Any, status: int = 200) -> Answer:
    """`payload` as JSON; datetimes become RFC 3339."""
    return Answer(status, _encode(payload))


def problem_answer(problem: Problem, request_id: str) -> Answer:
    return Answer(problem.status, _encode(problem.body(request_id)), _PROBLEM, problem.headers)


def document(text: str, content_type: str) -> Answer:
    return Answer(200, text.encode(), (b"content-type", content_type.encode()))
