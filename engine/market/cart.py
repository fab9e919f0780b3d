"""Carts: every buyer's live holds, and the timers of all of them.

A cart is derived: the book owns holds, and what is kept here says only when to look. So a
`CartBook` may lose a hold, or keep one that is over, and be put right from the tables.
Time is an argument, in µs since the epoch.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from engine.market.buyer_events import BuyerEvent
from engine.market.instant import from_datetime

MINUTE_US = 60 * 1_000_000
# Timers of holds that are over stay until there are this many too many.
TIMER_SLACK = 1024
# Timers wait in buckets of 2 ** 20 µs, about a second.
_BUCKET_BITS = 20
# `told` of a hold whose buyer was not reminded yet: further ahead than any reminder.
_NEVER = 2**62


class HeldLead(msgspec.Struct, frozen=True, gc=False):
    """A live hold at its locked price. `held_until` in µs."""

    lead_id: str
    market: str
    price: int
    hold: str
    held_until: int


class Cart(msgspec.Struct, frozen=True):
    """What a buyer holds, in the order in which it ends."""

    user_id: str
    holds: tuple[HeldLead, ...]


class Reminder(NamedTuple):
    """A buyer is to be told that a hold ends; `minutes` names the reminder, `held_until` in µs.

    Fewer minutes may be left: one that was missed comes late.
    """

    user_id: str
    held: HeldLead
    minutes: int


class _Timer(msgspec.Struct, gc=False, order=True):
    """A hold and its timer in one, ordered by `due`, the first field.

    `told` is how far ahead (µs) the last reminder was due, `next` the same buyer's next hold.
    A timer whose hold is over names nobody, and has a `held_until` like no other's: `next`
    can't be compared, and two timers must differ before it.
    """

    due: int
    user_id: str
    lead_id: str
    market: str
    price: int
    hold: str
    held_until: int
    told: int
    next: _Timer | None = None

    def held(self) -> HeldLead:
        return HeldLead(self.lead_id, self.market, self.price, self.hold, self.held_until)


class CartBook:
    """Carts by user id. `reminder_minutes` before a hold ends its buyer is to be reminded.

    Each hold has one timer: its next reminder, at last its end. A hold that was not yet there
    when a reminder would have been due gets none of it. `timers` counts those of holds that
    are over too; they are at most twice the holds and `TIMER_SLACK`.
    """

    def __init__(self, reminder_minutes: Sequence[int]) -> None:
        # Nearest to the end first.
        self._ahead_us = tuple(sorted({minutes * MINUTE_US for minutes in reminder_minutes}))
        self._carts: dict[str, _Timer] = {}
        # A heap of the timers up to the second that is gone through now, and all later ones by
        # their second; `_seconds` is a heap of those that have any.
        self._near: list[_Timer] = []
        self._later: dict[int, list[_Timer]] = {}
        self._seconds: list[int] = []
        self._second = 0
        self.timers = 0
        self._ended = 0
        self.holds = 0

    # --- what there is -----------------------------------------------------------

    @property
    def carts(self) -> int:
        return len(self._carts)

    def users(self) -> list[str]:
        """Whose carts are known."""
        return list(self._carts)

    def cart(self, user_id: str, now: int) -> Cart:
        """What is known of the buyer's cart."""
        held = [timer.held() for timer in self._of(user_id) if timer.held_until > now]
        held.sort(key=lambda each: (each.held_until, each.lead_id))
        return Cart(user_id, tuple(held))

    def next_due(self) -> int | None:
        """When `due` is next worth asking, µs; may be early, never late."""
        if self._near:
            return self._near[0].due
        return self._seconds[0] << _BUCKET_BITS if self._seconds else None

    # --- what happens ------------------------------------------------------------

    def apply(self, event: BuyerEvent, now: int) -> None:
        """Follow what a buyer was told of a commit; events of other kinds change nothing."""
        match event.type:
            case "hold.started" | "hold.extended":
                self.put(event.user_id, _held_by(event), now, since=now)
            case "hold.ended" | "hold.expired":
                self.end(event.user_id, event.body["lead_id"])

    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        """The buyer has this hold, and has had it since `since`.

        Of the reminders that were due from then until `now` the last is due at once, unless
        it was given already.
        """
        known = self._find(user_id, held.lead_id)
        if held.held_until <= now:
            if known is not None:
                self._end(known)
            return
        told = _NEVER
        due = self._due(held.held_until, now, since, told)
        if known is not None:
            if known.held_until == held.held_until:
                told = known.told
                due = min(known.due, self._due(held.held_until, now, since, told))
                if known.due == due and known.held() == held:
                    return
            self._end(known)
        timer = _Timer(
            due,
            user_id,
            held.lead_id,
            held.market,
            held.price,
            held.hold,
            held.held_until,
            told,
            self._carts.get(user_id),
        )
        self._carts[user_id] = timer
        self.holds += 1
        self.timers += 1
        self._wait(timer)

    def replace(self, user_id: str, holds: Iterable[tuple[HeldLead, int]], now: int) -> None:
        """The buyer has exactly these holds, each since the µs beside it."""
        listed = {held.lead_id: (held, since) for held, since in holds}
        for timer in list(self._of(user_id)):
            if timer.lead_id not in listed:
                self._end(timer)
        for held, since in listed.values():
            self.put(user_id, held, now, since=since)

    def end(self, user_id: str, lead_id: str) -> None:
        """The buyer holds this lead no more."""
        timer = self._find(user_id, lead_id)
        if timer is not None:
            self._end(timer)

    def forget(self, user_id: str) -> None:
        """Let a whole cart go."""
        for timer in list(self._of(user_id)):
            self._end(timer)

    def due(self, now: int) -> Iterator[Reminder]:
        """The reminders due at or before `now`, and the end of holds that are over.

        Of several missed for one hold only the last comes; none once it is over.
        """
        while self._is_near(now):
            timer = heapq.heappop(self._near)
            if not timer.user_id or timer.held_until <= now:
                self.timers -= 1
                if timer.user_id:
                    self._unlink(timer)
                continue
            timer.told, timer.due = self._around(timer.held_until, now)
            self._wait(timer)
            yield Reminder(timer.user_id, timer.held(), timer.told // MINUTE_US)

    def is_nearest(self, reminder: Reminder, now: int) -> bool:
        """Whether a reminder is still to be given: its hold lives, and no later one is due."""
        until = reminder.held.held_until
        return now < until and self._around(until, now)[0] == reminder.minutes * MINUTE_US

    # --- when --------------------------------------------------------------------

    def _due(self, until: int, now: int, since: int, told: int) -> int:
        """When the timer of a hold that began at `since` is due next, if it is not over."""
        last, following = self._around(until, now)
        return until - last if last < told and until - last > since else following

    def _around(self, until: int, now: int) -> tuple[int, int]:
        """How far ahead of `until` the last reminder was that was due by `now`, and when the
        next one is, or the end."""
        following = until
        for ahead in self._ahead_us:
            if until - ahead <= now:
                return ahead, following
            following = until - ahead
        return _NEVER, following

    # --- the structure -----------------------------------------------------------

    def _wait(self, timer: _Timer) -> None:
        second = timer.due >> _BUCKET_BITS
        if second <= self._second:
            heapq.heappush(self._near, timer)
            return
        bucket = self._later.get(second)
        if bucket is None:
            self._later[second] = [timer]
            heapq.heappush(self._seconds, second)
        else:
            bucket.append(timer)

    def _is_near(self, now: int) -> bool:
        """Whether a timer in `_near` is due. A second comes near when the one before is gone
        through, however late that is: so no timer is sorted in twice."""
        while not self._near and self._seconds and self._seconds[0] <= now >> _BUCKET_BITS:
            self._second = heapq.heappop(self._seconds)
            self._near = self._later.pop(self._second)
            heapq.heapify(self._near)
        return bool(self._near) and self._near[0].due <= now

    def _of(self, user_id: str) -> Iterator[_Timer]:
        timer = self._carts.get(user_id)
        while timer is not None:
            yield timer
            timer = timer.next

    def _find(self, user_id: str, lead_id: str) -> _Timer | None:
        for timer in self._of(user_id):
            if timer.lead_id == lead_id:
                return timer
        return None

    def _end(self, timer: _Timer) -> None:
        """Take a hold out of its cart; its timer stays behind, without a name."""
        self._unlink(timer)
        timer.user_id = timer.lead_id = ""
        self._ended += 1
        timer.held_until = -self._ended
        timer.next = None
        if self.timers > 2 * self.holds + TIMER_SLACK:
            self._drop_ended()

    def _drop_ended(self) -> None:
        """Drop the timers of holds that are over, so that there are no more than the bound."""
        waiting = [timer for bucket in self._later.values() for timer in bucket if timer.user_id]
        waiting += [timer for timer in self._near if timer.user_id]
        self._near, self._later, self._seconds = [], {}, []
        self.timers = len(waiting)
        for timer in waiting:
            self._wait(timer)

    def _unlink(self, timer: _Timer) -> None:
        self.holds -= 1
        first = self._carts[timer.user_id]
        if first is timer:
            if timer.next is None:
                del self._carts[timer.user_id]
            else:
                self._carts[timer.user_id] = timer.next
            return
        while first.next is not timer:
            assert first.next is not None
            first = first.next
        first.next = timer.next


def _held_by(event: BuyerEvent) -> HeldLead:
    body = event.body
    return HeldLead(
        body["lead_id"],
        body["market"],
        body["price"],
        body["hold"],
        from_datetime(datetime.fromisoformat(body["held_until"])),
    )
