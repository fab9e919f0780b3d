"""One market's filters in one replica, and the facts of its leads that they look at.

The facts are read when the first filter comes and let go with the last one; in between the
events' own teasers keep them. What a filter says of a lead's facts is worked out once, when
either changes, and kept as a bit: an event or a price tick costs only the filters that ask
for its lead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence, Set
from typing import TYPE_CHECKING

from engine.adapters.postgres.feed_journal import FeedJournal, Head, PriceTick, ThinLead
from engine.market.listing import Listing
from serve_apps.api.feed.facts import FactsStore
from serve_apps.api.feed.fan_out import Pace
from serve_apps.api.feed.feed_filter import FeedFilter, facts_of
from serve_apps.api.feed.filter_group import FilterGroup
from serve_apps.api.feed.frame import FrameCache
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.read_model import PublicEvent, ReadModel, Repriced, listing_of
from serve_apps.api.feed.ring import Ring

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket

# Leads judged before the loop may do something else, about 2 ms, and how long it may,
# as a multiple of that.
_JUDGED_AT_ONCE = 500
_REST_FACTOR = 2.0
# Facts are read from the database, which is ahead of the stream by a moment.
_BEHIND_SECONDS = 5.0
_STEP_SECONDS = 0.02


class MarketFilters:
    """`open` a filter, then tell it what happens; `building` lets one filter at a time look
    at all leads."""

    def __init__(
        self,
        model: ReadModel,
        ring: Ring,
        *,
        journal: FeedJournal,
        limits: FeedLimits,
        cache: FrameCache,
        paused: Set[FeedSocket],
        written: Callable[[int, int], None],
        building: asyncio.Lock,
    ) -> None:
        self.model = model
        self.ring = ring
        self.limits = limits
        self.cache = cache
        self.paused = paused
        self.written = written
        self.pace = Pace()
        self._journal = journal
        self._building = building
        self._groups: list[FilterGroup | None] = []
        self._by_name: dict[bytes, FilterGroup] = {}
        self._facts: FactsStore | None = None
        self._loading: asyncio.Task[None] | None = None
        # Listings that came while the facts were read.
        self._late: list[tuple[int, str, Listing]] = []
        self._touched: dict[FilterGroup, None] = {}

    # --- filters -----------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[FilterGroup]:
        return iter(tuple(self._by_name.values()))

    def find(self, wanted: FeedFilter) -> FilterGroup | None:
        return self._by_name.get(wanted.key)

    def open(self, wanted: FeedFilter) -> FilterGroup:
        """A new filter, to be awaited with `ready`."""
        number = self._groups.index(None) if None in self._groups else len(self._groups)
        group = FilterGroup(number, wanted, self)
        self._groups[number : number + 1] = [group]
        self._by_name[wanted.key] = group
        group.building = asyncio.get_running_loop().create_task(self._build(group))
        # Those who wait for it are told; if nobody does any more, that is no error.
        group.building.add_done_callback(lambda task: task.cancelled() or task.exception())
        return group

    def close(self, group: FilterGroup) -> None:
        if self._by_name.get(group.name) is not group:
            return
        del self._by_name[group.name]
        self._groups[group.number] = None
        self._touched.pop(group, None)
        if not group.is_built and group.building is not asyncio.current_task():
            assert group.building is not None
            group.building.cancel()
        if not self._by_name:
            self._facts = None
            self._groups.clear()

    def stop(self) -> None:
        """Close all."""
        for group in self:
            self.close(group)
        if self._loading is not None:
            self._loading.cancel()

    async def _build(self, group: FilterGroup) -> None:
        try:
            facts = await self._loaded()
            async with self._building:
                await self._judge_all(facts, group)
            group.is_built = True
        finally:
            if not group.is_built:
                self.close(group)

    async def _judge_all(self, facts: FactsStore, group: FilterGroup) -> None:
        # Leads that come meanwhile are judged when they come.
        start = 0
        while start < facts.slots:
            began = time.thread_time()
            for lead_id, listing in facts.between(start, start + _JUDGED_AT_ONCE):
                asked_for = group.wanted.lists(lead_id, facts_of(listing))
                facts.mark(lead_id, group.number, asked_for)
            start += _JUDGED_AT_ONCE
            await asyncio.sleep(_REST_FACTOR * (time.thread_time() - began))

    # --- facts -------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether it must be told what happens."""
        return bool(self._by_name) or self._loading is not None

    def asks(self, number: int, lead_id: str) -> bool:
        """Whether filter `number` asks for the facts of this lead, if it is on offer."""
        return bool(self._facts and self._facts.mask(lead_id) >> number & 1)

    def asked_for(self, number: int) -> Sequence[str]:
        return self._facts.asked_for(number) if self._facts else ()

    async def _loaded(self) -> FactsStore:
        while self._facts is None:
            if self._loading is None:
                self._loading = asyncio.get_running_loop().create_task(self._load())
            await asyncio.shield(self._loading)
        return self._facts

    async def _load(self) -> None:
        try:
            facts, head = FactsStore(), Head(0, 0)
            async for reading in self._journal.listings(self.model.market):
                if isinstance(reading, Head):
                    head = reading
                    continue
                for lead_id, listing in reading:
                    facts.put(lead_id, listing)
            await self._reach(head.seq)
            for seq, lead_id, listing in self._late:
                if seq > head.seq:
                    facts.put(lead_id, listing)
            facts.keep(self.model.leads)
            for lead_id in self.model.leads.keys() - facts.ids():
                facts.put(lead_id, Listing())
            if self._by_name:
                self._facts = facts
        finally:
            self._loading = None
            self._late.clear()

    async def _reach(self, seq: int) -> None:
        """Wait until the model has come to `seq`. Raises TimeoutError."""
        async with asyncio.timeout(_BEHIND_SECONDS):
            while self.model.seq < seq:  # noqa: ASYNC110
                await asyncio.sleep(_STEP_SECONDS)

    def _judge(self, lead_id: str, listing: Listing) -> int:
        mask, facts = 0, facts_of(listing)
        for group in self._by_name.values():
            if group.wanted.lists(lead_id, facts):
                mask |= 1 << group.number
        return mask

    # --- what happens ------------------------------------------------------------

    def on_event(
        self, event: PublicEvent, text: bytes, before: ThinLead | None, after: ThinLead | None
    ) -> None:
        """An event that the model has taken; the lead on offer before and after it, if it was."""
        facts, lead_id = self._facts, event.lead.lead_id
        listing = listing_of(event, text)
        if facts is None:
            if listing is not None and self._loading is not None:
                self._late.append((event.seq, lead_id, listing))
            return
        was = facts.mask(lead_id)
        if after is None:
            now = 0
            facts.drop(lead_id)
        elif listing is not None or lead_id not in facts:
            now = self._judge(lead_id, listing or Listing())
            facts.put(lead_id, listing or Listing(), now)
        else:
            now = was
        for group in self._asking(was | now):
            bit = 1 << group.number
            seen = (before if was & bit else None), (after if now & bit else None)
            if group.on_event(event, text, *seen):
                self._touched[group] = None

    def on_prices(self, tick: PriceTick, held: Sequence[Repriced]) -> None:
        """A tick that the model has taken."""
        if self._facts is None:
            return
        repriced: dict[FilterGroup, list[str]] = {}
        for before, after in held:
            for group in self._asking(self._facts.mask(after.lead_id)):
                if group.on_price(before, after, tick.at):
                    repriced.setdefault(group, []).append(after.lead_id)
        for group, lead_ids in repriced.items():
            self._touched[group] = None
            group.prices.on_prices(tick.at, tick.reason, lead_ids)
        self.publish()

    def publish(self) -> None:
        """Tell the readers of the filters that something passed."""
        touched, self._touched = self._touched, {}
        for group in touched:
            group.publish()

    def _asking(self, mask: int) -> Iterator[FilterGroup]:
        # A closed filter's bits stay until its number is given again.
        while mask:
            lowest = mask & -mask
            mask ^= lowest
            number = lowest.bit_length() - 1
            group = self._groups[number] if number < len(self._groups) else None
            if group is not None:
                yield group
