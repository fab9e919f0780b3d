"""A view of a market that a thread keeps up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from aiqleads.client.answers.leads import LeadNow
from aiqleads.client.feed.market_view import MarketView
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.feed.sockets import OPEN_SECONDS
from aiqleads.client.feed.sync_feed import Feed

T = TypeVar("T")


class LiveView(MarketView):
    """`with client.view("austin") as view:` enters once the market is known; then `view.leads`
    is what is on offer, a moment old at most while `is_connected`. Any thread may ask.

    Once the server has refused for good, asking raises why.
    """

    def __init__(self, market: str, feed: Feed, ready_seconds: float) -> None:
        super().__init__(market)
        self._feed = feed
        self._ready_seconds = ready_seconds
        self._moved = threading.Condition()
        self._following: threading.Thread | None = None
        self._error: Exception | None = None

    @property
    def is_connected(self) -> bool:
        return self._feed.is_connected

    @property
    def leads(self) -> Mapping[str, LeadNow]:
        with self._moved:
            self._require_whole()
            return super().leads

    def apply(self, message: FeedMessage) -> bool:
        with self._moved:
            changed = super().apply(message)
            if changed:
                self._moved.notify_all()
        return changed

    def until(self, holds: Callable[[Self], T], seconds: float | None = None) -> T:
        """Wait until `holds(view)` is true, which is looked at after every change; its value.

        Raises TimeoutError.
        """
        give_up_at = None if seconds is None else time.monotonic() + seconds
        with self._moved:
            while not (value := holds(self)):
                self._require_whole()
                left = None if give_up_at is None else give_up_at - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{self.market} did not come to that in {seconds} s")
                self._moved.wait(left)
        return value

    def __enter__(self) -> Self:
        self._following = threading.Thread(
            target=self._read, name=f"aiqleads:{self.market}", daemon=True
        )
        self._following.start()
        try:
            self.until(lambda view: view.seq is not None, self._ready_seconds)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _require_whole(self) -> None:
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            for message in self._feed:
                self.apply(message)
        except Exception as error:
            # Whoever asks next is told; in this thread nobody would hear of it.
            with self._moved:
                self._error = error
                self._moved.notify_all()

    def _stop(self) -> None:
        self._feed.close()
        following, self._following = self._following, None
        if following is not None:
            # It is closed already, and ends when what it waits for does.
            following.join(OPEN_SECONDS)
