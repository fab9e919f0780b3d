"""When a buyer in line may expect a seat."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


def expected_at(deadlines: Iterable[int], position: int, offer_us: int, now: int) -> int | None:
    """The instant (µs) by which a seat comes to `position` (from 1) in line, None if none can.

    `deadlines` are those of the seats that are held or offered to somebody; one that has
    passed counts as `now`. Everybody ahead is taken to let their offer run out, `offer_us`
    later. So it is the latest moment, unless a holder extends or buys, or somebody ahead
    takes the seat offered; and earlier if a hold is released or an offer declined.
    """
    seats = [max(deadline, now) for deadline in deadlines]
    if not seats:
        return None
    heapq.heapify(seats)
    for _ in range(position - 1):
        heapq.heapreplace(seats, seats[0] + offer_us)
    return seats[0]
