"""One client's socket: what it asked for, and what it may still ask."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

import msgspec

from serve_apps.api.feed.close_codes import BAD_BEHAVIOUR, FAILED, TOO_BIG, TOO_SLOW, known_code
from serve_apps.api.feed.frame import Frame, message, problem_frame
from serve_apps.api.feed.price_feed import PriceFeed
from serve_apps.api.feed.principal import Principal
from serve_apps.api.feed.subscription import Subscription
from serve_apps.api.feed.writer import MESSAGE_BYTES_MAX, FrameWriter
from serve_apps.api.problems import Problem

if TYPE_CHECKING:
    from serve_apps.api.feed.hub import FeedHub

log = logging.getLogger(__name__)

_CHANNEL_MAX = 80
_PONG = message({"type": "pong"})
_NO_FILTER = msgspec.Raw(b"null")
_OPS = "subscribe, unsubscribe, ping"


class ClientMessage(msgspec.Struct):
    op: str
    channel: str | None = None
    since: int | None = None
    ack: bool = False
    filter: msgspec.Raw = _NO_FILTER


_decode = msgspec.json.Decoder(ClientMessage).decode


class FeedSocket:
    """A client. It is the Listener of its connection."""

    __slots__ = (
        "__weakref__",
        "_hub",
        "_messages_at",
        "_messages_left",
        "closed",
        "principal",
        "socket_id",
        "subscriptions",
        "writer",
    )

    def __init__(self, hub: FeedHub, writer: FrameWriter, principal: Principal) -> None:
        self.socket_id = secrets.token_hex(8)
        self.writer = writer
        self.principal = principal
        self.closed = False
        self.subscriptions: dict[str, Subscription] = {}
        self._hub = hub
        self._messages_left = float(hub.limits.messages_burst)
        self._messages_at = time.monotonic()

    # --- to the client -----------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Write one frame; a client that reads too slowly for it is closed."""
        if self.closed:
            return
        self.writer.write_frame(frame)
        self._hub.metrics.sent(1, len(frame.wire))
        if self.writer.paused:
            self.check_buffer()

    def check_buffer(self) -> None:
        if self.writer.buffered() > self._hub.limits.buffer_bytes:
            self.close(TOO_SLOW, "too slow; resume with since")

    def close(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._hub.metrics.closed.labels(str(code)).inc()
        self.let_go()
        self.writer.close(code, reason)

    def let_go(self) -> None:
        """Leave every channel."""
        subscriptions, self.subscriptions = self.subscriptions, {}
        for subscription in subscriptions.values():
            subscription.end()

    def on_paused(self) -> None:
        self._hub.paused.add(self)

    def on_drained(self) -> None:
        self._hub.paused.discard(self)
        for subscription in list(self.subscriptions.values()):
            if isinstance(subscription.feed, PriceFeed):
                subscription.feed.catch_up(self)

    # --- from the client ---------------------------------------------------------

    def on_text(self, text: str) -> None:
        """One message. Whatever it is, the answer is a message or a close code."""
        # Our own protocol stops these earlier; other servers take more.
        if len(text) > MESSAGE_BYTES_MAX or len(text.encode()) > MESSAGE_BYTES_MAX:
            self.close(TOO_BIG, "a message has at most 64 KiB")
            return
        try:
            self._hear(text)
        except Exception:
            log.exception("feed: a message could not be handled")
            self.close(FAILED, "something went wrong here")

    def on_control(self) -> bool:
        if self._may_speak():
            return True
        self.close(BAD_BEHAVIOUR, "too many messages")
        return False

    def on_lost(self, code: int) -> None:
        if not self.closed:
            self.closed = True
            self._hub.metrics.closed.labels(known_code(code)).inc()
        self._hub.drop(self)

    def _hear(self, text: str) -> None:
        if not self._may_speak():
            self._refuse("rate-limited", "too many messages")
            self.close(BAD_BEHAVIOUR, "too many messages")
            return
        try:
            asked = _decode(text)
        except msgspec.ValidationError as error:
            self._refuse("validation", f"the message is not understood: {error}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._refuse("validation", "the message is not JSON")
        except RecursionError:
            self._refuse("validation", "the message is nested too deeply")
        else:
            self._obey(asked)

    def on_binary(self) -> None:
        if not self._may_speak():
            self.close(BAD_BEHAVIOUR, "too many messages")
            return
        self._refuse("validation", "messages are JSON text, not binary")

    def _obey(self, asked: ClientMessage) -> None:
        if asked.op == "ping":
            self.send(_PONG)
        elif asked.op not in ("subscribe", "unsubscribe"):
            self._refuse("validation", f"op must be one of {_OPS}")
        elif asked.channel is None:
            self._refuse("validation", f"{asked.op} needs a channel, such as market:austin")
        elif asked.op == "subscribe":
            self._subscribe(asked.channel, asked)
        else:
            self._unsubscribe(asked.channel)

    def _subscribe(self, channel: str, asked: ClientMessage) -> None:
        try:
            if channel in self.subscriptions:
                raise Problem("validation", "subscribed already; unsubscribe first")
            limit = self._hub.limits.subscriptions_max
            if len(self.subscriptions) >= limit:
                raise Problem("validation", f"a socket has at most {limit} subscriptions")
            subscription = Subscription(self._hub, self, channel, asked.since, asked.filter)
        except Problem as problem:
            shown = channel if len(channel) <= _CHANNEL_MAX else None
            self._refuse(problem.slug, problem.detail, shown)
            return
        self.subscriptions[channel] = subscription
        if asked.ack:
            self.send(message({"type": "subscribed", "channel": channel, "seq": subscription.seq}))
        if not self.closed:
            subscription.start()

    def _unsubscribe(self, channel: str) -> None:
        subscription = self.subscriptions.pop(channel, None)
        if subscription is None:
            self._refuse("validation", "not subscribed", channel)
            return
        subscription.end()
        self.send(message({"type": "unsubscribed", "channel": channel}))

    def end(self, channel: str, slug: str, detail: str) -> None:
        """Give a subscription up with a problem; the socket lives on."""
        subscription = self.subscriptions.pop(channel, None)
        if subscription is not None:
            subscription.end()
            self._refuse(slug, detail, channel)

    def _refuse(self, slug: str, detail: str, channel: str | None = None) -> None:
        self.send(problem_frame(slug, detail, self.socket_id, channel))

    def _may_speak(self) -> bool:
        limits = self._hub.limits
        now = time.monotonic()
        earned = (now - self._messages_at) * limits.messages_per_second
        self._messages_left = min(limits.messages_burst, self._messages_left + earned) - 1
        self._messages_at = now
        return self._messages_left >= 0
