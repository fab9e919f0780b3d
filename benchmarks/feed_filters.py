"""What filters on subscriptions cost a replica, in one process and without sockets.

    python -m benchmarks.feed_filters [--leads 50000] [--filters 128] [--events 20000]

A market of random homes, filters that ask for a price range around some point, each a
hundredth to a tenth of the leads, and one reader for each. Shown are the memory of the
facts, the time to look at all leads for one more filter and to take its snapshot, and what
an event or a price tick costs with all filters, beside what it costs with none.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry

from engine.adapters.postgres.feed_journal import FeedJournal, Head, PriceTick, ThinLead
from engine.market.instant import rfc3339
from engine.market.listing import Listing
from serve_apps.api.feed.feed_filter import FeedFilter, parse_filter
from serve_apps.api.feed.frame import Frame, FrameCache
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.market_feed import MarketFeed
from serve_apps.api.feed.metrics import FeedMetrics
from serve_apps.api.feed.read_model import ReadModel
from serve_apps.api.feed.session import FeedSocket

MARKET = "austin"
EVENTS_PER_BATCH = 20
_encode = msgspec.json.Encoder().encode


class Homes:
    """Listings at random, as a journal that only lists them."""

    def __init__(self, leads: int, rng: random.Random) -> None:
        self.rng = rng
        self.ids = [f"lead-{rng.getrandbits(96):024x}" for _ in range(leads)]

    def thin(self, lead_id: str) -> ThinLead:
        return ThinLead(lead_id, "available", self.rng.randrange(5, 60), 3, 3)

    def listing(self) -> Listing:
        rng = self.rng
        return Listing(
            sources=rng.choice((("craigs",), ("mls",), ("craigs", "mls"))),
            list_price=rng.randrange(100, 900) * 1000,
            property_type=rng.choice(("House", "Condo", "Land")),
            bedrooms_total=rng.randrange(6),
            living_area=rng.randrange(500, 4000),
            year_built=rng.randrange(1920, 2025),
            latitude=30.0 + rng.random(),
            longitude=-98.0 + rng.random(),
        )

    def asked(self) -> FeedFilter:
        rng = self.rng
        low = rng.randrange(100, 600) * 1000
        near = [30.0 + rng.random(), -98.0 + rng.random()]
        asked: dict[str, Any] = {
            "near": near,
            "radius_m": rng.randrange(10_000, 40_000),
            "list_price_min": low,
            "list_price_max": low + 300_000,
        }
        if rng.random() < 0.25:
            asked["price_max"] = rng.randrange(20, 50)
        found = parse_filter(msgspec.Raw(_encode(asked)))
        assert found is not None
        return found

    async def listings(self, market: str) -> AsyncIterator[Head | list[tuple[str, Listing]]]:
        yield Head(0, 0)
        for start in range(0, len(self.ids), 1000):
            yield [(lead_id, self.listing()) for lead_id in self.ids[start : start + 1000]]


class _Nothing:
    """The way to a client that costs nothing."""

    paused = False

    def write_wire(self, wire: bytes) -> None:
        pass

    def write_frame(self, frame: Frame) -> None:
        pass


class _Reader:
    writer = _Nothing()


def market_feed(homes: Homes) -> MarketFeed:
    model = ReadModel(MARKET, Head(0, 0), [homes.thin(lead_id) for lead_id in homes.ids])
    limits = FeedLimits()
    return MarketFeed(
        model,
        journal=cast(FeedJournal, homes),
        limits=limits,
        cache=FrameCache(limits.cache_bytes_max),
        metrics=FeedMetrics(CollectorRegistry()),
        paused=set(),
        written=lambda frames, size: None,
        building=asyncio.Lock(),
    )


async def happen(feed: MarketFeed, homes: Homes, kind: str, events: int) -> float:
    """Microseconds of CPU an event of a kind costs, its frames included."""
    spent = 0.0
    for _ in range(events // EVENTS_PER_BATCH):
        leads = homes.rng.sample(homes.ids, EVENTS_PER_BATCH)
        at = rfc3339(time.time_ns() // 1000)
        texts = [_text(feed.seq + 1 + n, kind, at, homes, lead) for n, lead in enumerate(leads)]
        prices = [homes.rng.randrange(5, 60) for _ in leads]
        began = time.thread_time()
        if kind == "price":
            feed.on_prices(PriceTick(MARKET, 0, at, "demand", leads, prices))
        else:
            feed.on_events(feed.seq + 1, texts)
        await asyncio.sleep(0)
        spent += time.thread_time() - began
    return spent / events * 1e6


def _text(seq: int, kind: str, at: str, homes: Homes, lead_id: str) -> bytes:
    lead = msgspec.structs.asdict(homes.thin(lead_id))
    if kind == "lead.updated":
        lead |= msgspec.structs.asdict(homes.listing())
    return _encode({"seq": seq, "type": kind, "at": at, "lead": lead})


async def measure(leads: int, filters: int, events: int) -> None:
    homes = Homes(leads, random.Random(1))
    feed = market_feed(homes)
    kinds: Sequence[str] = ("lead.held", "lead.updated", "price")
    alone = {kind: await happen(feed, homes, kind, events) for kind in kinds}
    tracemalloc.start()
    began = time.perf_counter()
    await feed.filters.open(homes.asked()).ready()
    took = time.perf_counter() - began
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"facts: {size / leads:.0f} bytes a lead, read and looked at in {took:.2f} s (traced)")
    built, taken, matching = [], [], []
    for _ in range(filters - 1):
        group = feed.filters.open(homes.asked())
        began = time.thread_time()
        await group.ready()
        built.append(time.thread_time() - began)
        began = time.thread_time()
        snapshot = group.snapshot(0.0)
        taken.append(time.thread_time() - began)
        matching.append(len(snapshot._leads))
        group.join(cast(FeedSocket, _Reader()))
        group.prices.join(cast(FeedSocket, _Reader()))
    share = sum(matching) / len(matching) / leads
    print(
        f"one more filter: {1e3 * sum(built) / len(built):.0f} ms of CPU in slices,"
        f" its snapshot {1e3 * sum(taken) / len(taken):.1f} ms"
        f" (greatest {1e3 * max(taken):.1f}); it asks for {share:.1%} of the leads"
    )
    for kind in kinds:
        cost = await happen(feed, homes, kind, events)
        print(f"{kind:14} {alone[kind]:6.1f} us without filters, {cost:6.1f} us with {filters}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--filters", type=int, default=128)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    asyncio.run(measure(options.leads, options.filters, options.events))


if __name__ == "__main__":
    main()
