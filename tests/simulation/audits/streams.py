"""The published streams: what is told is what the journal has, all of it, in order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.adapters.redis import feed_stream
from tests.simulation.audits.history import History
from tests.simulation.world import World


def wrong_streams(world: World, history: History) -> Iterator[str]:
    """Complete, unless Redis lost something; then it is the readers who fill the gap."""
    yield from _wrong_events(world, history)
    yield from _wrong_prices(world, history)


def _wrong_events(world: World, history: History) -> Iterator[str]:
    public = {
        row.feed_seq: msgspec.json.decode(row.public)
        for row in history.rows
        if row.feed_seq is not None
    }
    told: list[int] = []
    for entry_id, fields in world.redis.streams.get(feed_stream.feed_key(history.market), []):
        for event in msgspec.json.decode(fields[b"events"]):
            if public.get(event["seq"]) != event:
                yield f"{event} was told, and never was"
            # A batch that two books tell may come in two cuts; readers skip what they have.
            if not told or event["seq"] > told[-1]:
                told.append(event["seq"])
        if feed_stream.entry_number(entry_id) != told[-1]:
            yield f"the entry {entry_id!r} ends at {told[-1]}"
    if not world.redis.was_emptied and told != list(range(1, len(public) + 1)):
        yield f"the stream tells {told} of {len(public)}"


def _wrong_prices(world: World, history: History) -> Iterator[str]:
    ticks = sorted(
        row.position
        for row in world.tables.price_ticks.rows.values()
        if row.market == history.market
    )
    entries = world.redis.streams.get(feed_stream.prices_key(history.market), [])
    told = [feed_stream.entry_number(entry_id) for entry_id, _ in entries]
    if not set(told) <= set(ticks):
        yield "prices were told that never were"
    if not world.redis.was_emptied and told != ticks:
        yield f"the prices of {ticks} were told as {told}"
