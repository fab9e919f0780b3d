"""Frames of the feed as they come over the socket."""

from __future__ import annotations

from typing import Any

import msgspec

from aiqleads.client.answers.fields import Answer, Instant
from aiqleads.client.answers.leads import LeadNow, Teaser
from aiqleads.client.feed.messages import (
    BuyerMessage,
    HoldExpired,
    HoldExpiring,
    NotificationSent,
    OpenClaims,
    OrderCreated,
    StandingOrderFilled,
    WalletChanged,
)

# The largest that a server sends takes about 400 KB.
FRAME_BYTES_MAX = 8 * 1024 * 1024
USER_CHANNEL = "user"


class BrokenFrame(ValueError):
    """What came is no frame of the feed."""


class Frame(Answer, frozen=True, kw_only=True):
    """Frames whose `type` means nothing here are passed over."""

    type: str
    channel: str = ""


class SnapshotFrame(Frame, frozen=True, kw_only=True):
    seq: int
    part: int
    last: bool
    leads: tuple[LeadNow, ...]


class RawEvent(Answer, frozen=True, kw_only=True):
    seq: int
    type: str
    at: Instant
    lead: msgspec.Raw
    claims: OpenClaims | None = None
    matches: bool = True


class EventsFrame(Frame, frozen=True, kw_only=True):
    from_seq: int
    to_seq: int
    events: tuple[RawEvent, ...]


class RawTick(Answer, frozen=True, kw_only=True):
    lead_id: str
    price: int
    reason: str = ""


class PricesFrame(Frame, frozen=True, kw_only=True):
    seq: int
    at: Instant
    ticks: tuple[RawTick, ...]


class ErrorFrame(Frame, frozen=True, kw_only=True):
    problem: dict[str, Any]


class _Whole(Answer, frozen=True, kw_only=True):
    market: str | None = None


_KINDS: dict[str, type[Frame]] = {
    "snapshot": SnapshotFrame,
    "events": EventsFrame,
    "prices": PricesFrame,
    "error": ErrorFrame,
}
_BUYER_KINDS: dict[str, type[BuyerMessage]] = {
    "hold.expiring": HoldExpiring,
    "hold.expired": HoldExpired,
    "order.created": OrderCreated,
    "standing_order.filled": StandingOrderFilled,
    "wallet.changed": WalletChanged,
    "notification": NotificationSent,
}
_NOT_ABOUT_BUYERS = frozenset({"subscribed", "unsubscribed", "pong"})

_frame = msgspec.json.Decoder(Frame).decode
_decoders = {name: msgspec.json.Decoder(kind).decode for name, kind in _KINDS.items()}
_members = msgspec.json.Decoder(dict[str, Any]).decode
_whole = msgspec.json.Decoder(_Whole).decode
_teaser = msgspec.json.Decoder(Teaser).decode
_thin = msgspec.json.Decoder(LeadNow).decode
_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError)


def frame_of(text: str | bytes) -> Frame:
    """Raises BrokenFrame."""
    try:
        frame = _frame(text)
        decode = _decoders.get(frame.type)
        return frame if decode is None else decode(text)
    except _BROKEN as error:
        raise BrokenFrame(f"not a frame of the feed: {error}") from error


def lead_of(event: RawEvent) -> LeadNow:
    """A Teaser if the event carries all of one. Raises BrokenFrame."""
    try:
        return _teaser(event.lead) if _whole(event.lead).market is not None else _thin(event.lead)
    except _BROKEN as error:
        raise BrokenFrame(f"event {event.seq}: {error}") from error


def buyer_message_of(frame: Frame, text: str | bytes) -> BuyerMessage | None:
    """What a frame of the channel `user` says; None if it is about the channel itself."""
    if frame.channel != USER_CHANNEL or frame.type in _NOT_ABOUT_BUYERS:
        return None
    try:
        members = _members(text)
    except _BROKEN as error:
        raise BrokenFrame(f"not a frame of the feed: {error}") from error
    members.pop("channel", None)
    kind = _BUYER_KINDS.get(frame.type, BuyerMessage)
    said = {name: value for name, value in members.items() if name != "type"}
    try:
        return msgspec.convert({**said, "type": frame.type, "members": said}, kind)
    except msgspec.ValidationError:
        # A later version may say it in other words: better untyped than lost.
        return BuyerMessage(type=frame.type, members=said)
