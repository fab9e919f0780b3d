"""A journey as it is read: the deed to do next, messages that wait, and how it ended. No I/O."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiqleads.client.errors import ClientError
from aiqleads.client.feed.back_off import BackOff
from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.follower import Follower
from aiqleads.client.feed.journey import Deed, Give, Journey
from aiqleads.client.feed.messages import FeedMessage


class FeedClosed(ClientError):
    """The feed was closed here."""


class Reading:
    """Do `deed`, tell `came` what came of it, and take what is `ready` in between."""

    def __init__(
        self,
        channels: Iterable[Channel],
        clock: Callable[[], float],
        rng: random.Random | None,
        give_up_seconds: float | None,
    ) -> None:
        self.follower = Follower()
        for channel in channels:
            self.follower.add(channel)
        back_off = BackOff(rng=rng or random.Random())
        self._steps = Journey(self.follower, back_off, clock, give_up_seconds).steps()
        self.deed: Deed = next(self._steps)
        self._waiting: deque[FeedMessage] = deque()
        self._error: ClientError | None = None

    def ready(self) -> FeedMessage | None:
        """The next message if one is there. Raises what ended the feed, every time."""
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            raise self._error
        return None

    def came(self, outcome: Any) -> None:
        """What came of the deed; a ClientError is one too."""
        self._go(lambda: self._steps.send(outcome))

    def failed(self, error: ClientError) -> None:
        self._go(lambda: self._steps.throw(error))

    def end(self) -> None:
        self._error = self._error or FeedClosed("the feed was closed")
        self._steps.close()

    def _go(self, step: Callable[[], Deed]) -> None:
        """To the next deed that is not just handing out messages."""
        if self._error is not None:
            return
        try:
            self.deed = step()
            while isinstance(self.deed, Give):
                self._waiting.extend(self.deed.messages)
                self.deed = self._steps.send(None)
        except ClientError as error:
            self._error = error
