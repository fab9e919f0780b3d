"""One call of the API as data: what is sent, and how the answer is read. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """`read` makes the answer of a body, and raises msgspec's errors when it can't.

    `is_write` calls may change something; all of them bear being made twice, by the `key`
    (Idempotency-Key) or by their nature. `is_signed` calls need a session.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    key: str | None = None
    is_write: bool = False
    is_signed: bool = True

    def at(self, cursor: str) -> Call[T]:
        """The same list from `cursor` on."""
        return replace(self, query=(*self.query, ("cursor", cursor)))


def read_call(
    path: str,
    read: Callable[[bytes], T],
    query: Iterable[tuple[str, str]] = (),
    *,
    is_signed: bool = True,
) -> Call[T]:
    """A GET."""
    return Call(method="GET", path=path, read=read, query=tuple(query), is_signed=is_signed)


def keyed_write(
    method: str,
    path: str,
    read: Callable[[bytes], T],
    body: Any = None,
    *,
    key: str | None = None,
    is_signed: bool = True,
) -> Call[T]:
    """A write that is done once for all repeats with one key, which is made up if not given."""
    return Call(
        method=method,
        path=path,
        read=read,
        body=body,
        key=key if key is not None else new_key(),
        is_write=True,
        is_signed=is_signed,
    )


def new_key() -> str:
    """An Idempotency-Key that nobody else makes up."""
    return secrets.token_urlsafe(18)


@cache
def decoded(kind: type[T]) -> Callable[[bytes], T]:
    """Reads a body as `kind`."""
    return msgspec.json.Decoder(kind).decode


def nothing(body: bytes) -> None:
    """Reads the body that a 204 does not have."""


def path(*parts: str) -> str:
    """`/v1/…` of parts, which are quoted. Raises ValueError for one that can be none."""
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"{part!r} can't be part of an address")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def present(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
