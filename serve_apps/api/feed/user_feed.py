"""The `user` channel in one replica: what single buyers are told, to their own sockets.

Sockets are found by user id, so a message reaches whom it is about and nobody else, and
costs nothing for all the others. Nothing is kept: what was missed is read again by GET.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.market.buyer_events import TOLD, BuyerEvent
from serve_apps.api.feed.frame import Frame, message

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket

USER_CHANNEL = "user"
# Told when messages may have been lost, as while Redis was away.
_MISSED = message({"type": "missed", "channel": USER_CHANNEL})
# Buyers told before the loop may do something else.
_SLICE = 256


class UserFeed:
    """The sockets of each buyer that subscribed to `user`."""

    def __init__(self) -> None:
        self._sockets: dict[str, dict[FeedSocket, None]] = {}

    def join(self, socket: FeedSocket) -> None:
        self._sockets.setdefault(socket.principal.user_id, {})[socket] = None

    def leave(self, socket: FeedSocket) -> None:
        user_id = socket.principal.user_id
        own = self._sockets.get(user_id, {})
        own.pop(socket, None)
        if not own:
            self._sockets.pop(user_id, None)

    def __len__(self) -> int:
        return sum(map(len, self._sockets.values()))

    def on_events(self, events: Iterable[BuyerEvent]) -> None:
        """What was committed, of all buyers; each message is encoded once."""
        for event in events:
            own = self._sockets.get(event.user_id)
            if own is not None and event.type in TOLD:
                self._send(own, _frame(event))

    async def tell_missed(self) -> None:
        """Tell every subscriber that messages may have been lost, some at a time."""
        for number, user_id in enumerate(tuple(self._sockets), start=1):
            own = self._sockets.get(user_id)
            if own is not None:
                self._send(own, _MISSED)
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    def _send(self, own: dict[FeedSocket, None], frame: Frame) -> None:
        # A socket that is too slow is closed, and leaves.
        for socket in tuple(own):
            socket.send(frame)


def _frame(event: BuyerEvent) -> Frame:
    head = {"type": event.type, "channel": USER_CHANNEL}
    # The body can't rename the message.
    return message({**head, **event.body, **head})
