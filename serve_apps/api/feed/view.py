"""What a reader of `market:<market>` sees: all of a market, or what a filter asks for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from serve_apps.api.feed.frame import Frame
from serve_apps.api.feed.read_model import Snapshot
from serve_apps.api.feed.ring import Ring


class View(Protocol):
    """A snapshot at N and the events N+1 to M make the snapshot at M."""

    @property
    def market(self) -> str: ...

    @property
    def name(self) -> bytes:
        """Tells the views of a market apart; empty for all of it."""

    @property
    def resumes(self) -> bool:
        """Whether events alone tell what was missed; if not, `since` gets a snapshot."""

    @property
    def seq(self) -> int:
        """The market's newest event here."""

    @property
    def ring(self) -> Ring: ...

    def catching_up(self) -> AbstractContextManager[None]:
        """While a reader is between its snapshot and `join`."""

    def snapshot(self, now: float) -> Snapshot: ...

    def replay(self, from_seq: int, texts: Sequence[bytes]) -> Frame:
        """What there is to see of the market's events `from_seq`.., which were before."""

    def moved_since(self, snapshot: Snapshot) -> Sequence[Frame]:
        """What changed since the snapshot and no event tells, for one who has seen `seq`."""
