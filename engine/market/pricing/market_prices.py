"""One market as pricing sees it: folded from its journal and from who looked at what.

The same object prices a live market, replays a recorded one and drives a simulated one. It is
pure: instants are in µs since the epoch, chance is a generator that the caller keeps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.market import events as e
from engine.market.commands import REPRICE_LEADS_MAX
from engine.market.listing import Listing
from engine.market.pricing.considering import (
    IMPRESSION_WEIGHT,
    PATIENCE_US,
    Considered,
    Considering,
    Signal,
)
from engine.market.pricing.lead_columns import LeadColumns
from engine.market.pricing.lots import is_on_trial
from engine.market.pricing.parts import BASE_MAX, CREDIT, HOUR_US, Ints, pack_columns, unpack
from engine.market.pricing.policy import Chance
from engine.market.pricing.rails import Rails
from engine.market.pricing.repricing import REASONS, Arm, Change, Rows, changes
from engine.market.pricing.resting_demand import RestingDemand
from engine.market.pricing.segments import Key, Segments
from engine.market.pricing.trust import Accounts

VERSION = 1
_decode_listing = msgspec.msgpack.Decoder(tuple[str, Listing, int]).decode
_encode = msgspec.msgpack.Encoder().encode


class Proposal(NamedTuple):
    """New prices for at most REPRICE_LEADS_MAX leads, as the book is asked for them; parallel."""

    lead_ids: tuple[str, ...]
    previous: tuple[int, ...]
    prices: tuple[int, ...]
    parts: tuple[bytes, ...]
    reason: str


class Unvalued(NamedTuple):
    """A lead whose base value is to be worked out."""

    lead_id: str
    listing: Listing
    max_buyers: int


class MarketPrices:
    """Folds `apply` and `observe`, proposes prices. `share` of the leads, by hash of lead id and
    `experiment`, are priced by the second of two arms; both learn from all of them."""

    def __init__(
        self,
        segments: Segments,
        arms: Sequence[Arm],
        rails: Rails = Rails(),  # noqa: B008  (immutable)
        *,
        experiment: str = "",
        share: float = 0.0,
    ) -> None:
        if len(arms) not in (1, 2):
            raise ValueError(f"a market is priced by one policy or two, not {len(arms)}")
        self.segments = segments
        self.arms = list(arms)
        self.rails = rails
        self.experiment = experiment
        self.share = share if len(arms) == 2 else 0.0
        self.columns = LeadColumns()
        self.accounts = Accounts()
        self.considering = Considering()
        self.resting = RestingDemand()
        self._unvalued: dict[str, Unvalued] = {}
        self._dirty: set[int] = set()
        self._left: dict[int, int] = {}
        self._learnt_at = 0

    # --- what happened -----------------------------------------------------------------

    def apply(self, event: e.Event, at: int, parts: Sequence[bytes] = ()) -> None:
        """Fold one journal entry; `parts` are those of a tick, in step with its leads."""
        match event:
            case e.LeadListed():
                self._list(event, at)
            case e.LeadUpdated(lead_id=lead_id, listing=listing):
                self._update(lead_id, listing, at)
            case e.LeadsRepriced():
                self._reprice(event, at, parts)
            case e.LeadHeld() | e.QueueJoined():
                self._consider(event.lead_id, event.user_id, at, until=None)
                self._act(event.lead_id, event.user_id, at)
            case e.LeadReleased() | e.QueueLeft():
                self.considering.decide(event.lead_id, event.user_id, bought=False)
            case e.LeadSold():
                self._sell(event, at)
            case e.LeadWithdrawn():
                self._close(event.lead_id, is_gone=event.merged_into is None)
            case e.LeadQuarantined():
                self._close(event.lead_id, is_gone=False)
            case e.LeadApproved() | e.LeadRelisted():
                self._open(event.lead_id)
            case e.StandingPlaced():
                self.resting.place(event.lead_id, event.user_id, event.terms)
            case e.StandingChanged():
                self.resting.change(event.lead_id, event.terms)
            case e.StandingCancelled():
                self.resting.cancel(event.lead_id)
            case _:
                pass

    def observe(self, signals: Iterable[Signal]) -> None:
        """Take in who saw what. What a lead's earlier considerer sees again changes nothing."""
        for signal in signals:
            lead_id, user_id = signal.lead_id, signal.user_id
            is_view = signal.kind == "view"
            share = 1.0 if is_view else IMPRESSION_WEIGHT
            if self.considering.seen_late(lead_id, user_id, share):
                continue
            if self.considering.knows(lead_id, user_id):
                found = self.considering.get(lead_id, user_id)
                if found is None or not is_view or found.is_look or found.until is None:
                    continue
            until = signal.at + PATIENCE_US
            if self._consider(lead_id, user_id, signal.at, until=until, share=share) and is_view:
                self._act(lead_id, user_id, signal.at)

    def set_base(self, lead_ids: Sequence[str], values: Ints | Sequence[int]) -> None:
        """Set base values (thousandths of a credit), within what a price can be made of."""
        for lead_id, value in zip(lead_ids, values, strict=True):
            row = self.columns.row.get(lead_id)
            self._unvalued.pop(lead_id, None)
            if row is not None:
                self.columns.base[row] = min(BASE_MAX, max(CREDIT, int(value)))
                self._dirty.add(row)

    def unvalued(self, limit: int) -> list[Unvalued]:
        """At most `limit` leads that wait for `set_base`, the oldest first."""
        return [each for each, _ in zip(self._unvalued.values(), range(limit), strict=False)]

    # --- prices ------------------------------------------------------------------------

    def propose(self, now: int, rng: Chance, *, whole: bool = True) -> list[Proposal]:
        """Learn from what happened, decide, and reprice the `whole` market or, else, the leads
        of which something happened since. Nothing is changed until `apply` sees the ticks."""
        self.learn(now)
        for arm in self.arms:
            arm.policy.decide(now, rng)
        return self.reprice(now, whole=whole)

    def learn(self, now: int) -> None:
        """Hand decisions and the time that passed to the policies."""
        self.considering.expire(now)
        trials = self.considering.take()
        hours = max(0, now - self._learnt_at) / HOUR_US if self._learnt_at else 0.0
        exposure = hours * self.offered()
        left = np.zeros(len(self.segments))
        for segment, count in self._left.items():
            left[segment] = count
        self._left.clear()
        self._learnt_at = now
        for arm in self.arms:
            arm.policy.pass_time(exposure, left, hours, now)
            if len(trials.at):
                arm.policy.learn(trials, now)

    def reprice(self, now: int, *, whole: bool = True) -> list[Proposal]:
        """By what was decided last."""
        if whole:
            rows = self.columns.offered()
        else:
            touched = np.array(sorted(self._dirty), np.intp)
            rows = touched[self.columns.is_offered[touched]]
        self._dirty.clear()
        if not len(rows):
            return []
        return self._proposals(changes(self.columns, rows, self.arms, self.rails, now))

    def offered(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Leads on offer by segment."""
        rows = self.columns.offered()
        counts = np.bincount(self.columns.segment[rows], minlength=len(self.segments))
        return counts.astype(np.float64)

    def _proposals(self, change: Change) -> list[Proposal]:
        found = []
        for number, reason in enumerate(REASONS):
            own = np.flatnonzero(change.reasons == number)
            for start in range(0, len(own), REPRICE_LEADS_MAX):
                chosen = own[start : start + REPRICE_LEADS_MAX]
                found.append(self._proposal(change, chosen, reason))
        return found

    def _proposal(self, change: Change, chosen: Rows, reason: str) -> Proposal:
        ids = self.columns.ids
        parts = change.parts.take(chosen)
        return Proposal(
            tuple(ids[row] for row in change.rows[chosen].tolist()),
            tuple(parts.previous.tolist()),
            tuple(change.prices[chosen].tolist()),
            tuple(pack_columns(parts)),
            reason,
        )

    # --- folding -----------------------------------------------------------------------

    def _list(self, event: e.LeadListed, at: int) -> None:
        columns = self.columns
        row = columns.add(event.lead_id)
        columns.base[row] = min(BASE_MAX, event.price * CREDIT)
        columns.price[row] = event.price
        columns.segment[row] = self.segments.of(event.listing)
        columns.arm[row] = self._arm_of(event.lead_id)
        columns.max_buyers[row] = event.max_buyers
        columns.listed_at[row] = at
        columns.is_offered[row] = True
        self._unvalued[event.lead_id] = Unvalued(event.lead_id, event.listing, event.max_buyers)
        self._dirty.add(row)
        if event.unseen:
            return
        for user_id in self.resting.missed(event.listing, event.price, event.max_buyers):
            considered = self._considered(row, user_id, at, None, 1.0)
            if considered is not None:
                self.considering.trial(considered, bought=False)

    def _arm_of(self, lead_id: str) -> int:
        if not self.share:
            return 0
        return int(is_on_trial(self.experiment, lead_id, self.share))

    def _update(self, lead_id: str, listing: Listing, at: int) -> None:
        row = self.columns.row[lead_id]
        self.columns.segment[row] = self.segments.of(listing)
        self.columns.acted_at[row] = at
        max_buyers = int(self.columns.max_buyers[row])
        self._unvalued[lead_id] = Unvalued(lead_id, listing, max_buyers)

    def _reprice(self, event: e.LeadsRepriced, at: int, parts: Sequence[bytes]) -> None:
        columns = self.columns
        for number, (lead_id, price) in enumerate(zip(event.lead_ids, event.prices, strict=True)):
            row = columns.row[lead_id]
            columns.price[row] = price
            columns.changed_at[row] = at
            if parts and parts[number]:
                made = unpack(parts[number])
                columns.rate[row] = made.rate
                columns.committed[row] = made.committed
                columns.committed_at[row] = made.committed_at
                columns.drawn_base[row] = made.base
                columns.drawn_demand[row] = made.demand
                columns.drawn_age[row] = made.age
                columns.drawn_seats[row] = made.seats

    def _sell(self, event: e.LeadSold, at: int) -> None:
        lead_id, user_id = event.lead_id, event.user_id
        row = self.columns.row[lead_id]
        if not self.considering.knows(lead_id, user_id):
            considered = self._considered(row, user_id, at, None, 1.0)
            if considered is not None and event.standing_order_id is not None:
                self.considering.put(lead_id, user_id, considered)
            elif considered is not None:
                self.considering.bought_ahead(lead_id, user_id, considered)
        self.considering.decide(lead_id, user_id, bought=True)
        self.considering.settle(lead_id, user_id)
        self.columns.sold[row] += 1
        self.columns.acted_at[row] = at
        self.accounts.paid(user_id)
        self._dirty.add(row)
        if self.columns.sold[row] >= self.columns.max_buyers[row]:
            self._close(lead_id, is_gone=False)

    def _open(self, lead_id: str) -> None:
        row = self.columns.row[lead_id]
        if self.columns.sold[row] < self.columns.max_buyers[row]:
            self.columns.is_offered[row] = True
            self._dirty.add(row)

    def _close(self, lead_id: str, *, is_gone: bool) -> None:
        row = self.columns.row[lead_id]
        if is_gone and self.columns.is_offered[row]:
            segment = int(self.columns.segment[row])
            self._left[segment] = self._left.get(segment, 0) + 1
        self.columns.is_offered[row] = False
        self.considering.leave(lead_id)

    # --- considering -------------------------------------------------------------------

    def _consider(
        self, lead_id: str, user_id: str, at: int, *, until: int | None, share: float = 1.0
    ) -> bool:
        """Note that the account considers the lead; whether that counts for anything."""
        row = self.columns.row.get(lead_id)
        if row is None or not self.columns.is_offered[row]:
            return False
        found = self.considering.get(lead_id, user_id)
        if found is None and self.considering.knows(lead_id, user_id):
            return False
        if found is not None and found.is_look:
            considered: Considered | None = found._replace(until=until)
        else:
            considered = self._considered(row, user_id, at, until, share)
        if considered is None:
            return False
        self.considering.put(lead_id, user_id, considered)
        return True

    def _considered(
        self, row: int, user_id: str, at: int, until: int | None, share: float
    ) -> Considered | None:
        columns = self.columns
        segment = int(columns.segment[row])
        weight = self.accounts.weigh(user_id, segment, at, share)
        if not weight:
            return None
        ratio = math.log(int(columns.price[row]) * CREDIT / int(columns.base[row]))
        age = max(0, at - int(columns.listed_at[row])) / HOUR_US
        return Considered(segment, ratio, age, weight, at, until, share == 1.0)

    def _act(self, lead_id: str, user_id: str, at: int) -> None:
        """Somebody who counts acts on the lead: its price may be decided anew."""
        row = self.columns.row.get(lead_id)
        if row is not None and self.accounts.trust(user_id, at):
            self.columns.acted_at[row] = at
            self._dirty.add(row)

    # --- checkpoint ----------------------------------------------------------------------

    def dump(self) -> bytes:
        """Everything that later prices depend on, except the caller's generator."""
        return _encode(
            {
                "version": VERSION,
                "segments": self.segments.keys,
                "columns": self.columns.dump(),
                "accounts": self.accounts.dump(),
                "considering": self.considering.dump(),
                "resting": self.resting.dump(),
                "unvalued": [_encode(tuple(each)) for each in self._unvalued.values()],
                "dirty": sorted(self._dirty),
                "left": list(self._left.items()),
                "learnt_at": self._learnt_at,
                "policies": [
                    [arm.policy.name, arm.policy.version, arm.policy.dump()] for arm in self.arms
                ],
            }
        )

    def load(self, data: bytes) -> None:
        """Take up where a dump left off; to be called on an object that folded nothing yet.

        What a policy had learnt is taken up by the same policy and version, if it is among the
        arms now. Raises ValueError or msgspec.DecodeError on what is no dump of this version.
        """
        dumped: Mapping[str, Any] = msgspec.msgpack.decode(data)
        if dumped.get("version") != VERSION:
            raise ValueError(f"a checkpoint of version {dumped.get('version')}, not {VERSION}")
        for cell, kind, band in dumped["segments"]:
            key: Key = (cell, kind, band)
            self.segments.index(key)
        self.columns = LeadColumns.load(dumped["columns"])
        self.accounts = Accounts.load(dumped["accounts"])
        self.considering = Considering.load(dumped["considering"])
        self.resting = RestingDemand.load(dumped["resting"])
        waiting = (Unvalued(*_decode_listing(each)) for each in dumped["unvalued"])
        self._unvalued = {each.lead_id: each for each in waiting}
        self._dirty = set(dumped["dirty"])
        self._left = dict(dumped["left"])
        self._learnt_at = dumped["learnt_at"]
        learnt = {(name, version): state for name, version, state in dumped["policies"]}
        for arm in self.arms:
            state = learnt.get((arm.policy.name, arm.policy.version))
            if state is not None:
                arm.policy.load(state)
        for row, lead_id in enumerate(self.columns.ids):
            self.columns.arm[row] = self._arm_of(lead_id)
