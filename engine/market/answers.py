"""What a book answers. Stored under the command id, so contact data is never in here."""

from __future__ import annotations

import msgspec

from engine.market.commands import Command, Refused


class _Answer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    pass


class Held(_Answer, frozen=True):
    """A hold made or extended; `held_until` in µs since the epoch."""

    lead_id: str
    price: int
    hold: str
    held_until: int


class Bought(_Answer, frozen=True):
    """A purchase; `bought_at` in µs, `balance` is the wallet right after it."""

    order_id: str
    lead_id: str
    price: int
    bought_at: int
    balance: int


class Merged(_Answer, frozen=True):
    """Of two leads `survivor` stays. `merged` is withdrawn, or sold out too if `is_link`."""

    survivor: str
    merged: str
    is_link: bool


class Queued(_Answer, frozen=True):
    """A place in line: `position` from 1, of `waiting` buyers."""

    lead_id: str
    position: int
    waiting: int


class StandingKept(_Answer, frozen=True):
    """A standing order placed or changed, at its new revision."""

    standing_order_id: str
    revision: int


class Done(_Answer, frozen=True):
    """Decided, with nothing more to say."""


class Claimed(_Answer, frozen=True):
    """Not decided yet: the claim is collected with others until `decide_at` (µs). Ask again
    then, with the same command id. Never stored."""

    decide_at: int


Answer = Held | Bought | Merged | Queued | StandingKept | Done | Claimed | Refused


class Request(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One command on its way to a book.

    `command_id` (16 bytes) makes a repeat harmless; `request_hash` is set when the
    client sent an Idempotency-Key, and tells another body under the same key.
    """

    command_id: bytes
    command: Command
    request_hash: bytes | None = None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call and where the property stands: stored in one table, and sent with a
    purchase to the buyer who made it. `is_invented` marks a stand-in for a captured listing."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    unparsed_address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    source_url: str | None = None
    is_invented: bool = False


class Undecided(_Answer, frozen=True):
    """The book could not commit this command, however often it tried. Never stored."""


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it travels back; `contact` comes with Bought only."""

    answer: Answer | Undecided
    contact: Contact | None = None
