"""Brings one reader of a market to the present: a snapshot or what it missed, then live.

It writes as the reader drains, one frame at a time, and hands the socket to the live
fan-out in the same step in which it finds nothing left to send: frames join without
gap or repeat.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from engine.adapters.postgres.feed_journal import AWAY
from serve_apps.api.feed.close_codes import TOO_SLOW
from serve_apps.api.feed.frame import EVENTS_PER_FRAME, Frame, events_frame, frame_end
from serve_apps.api.feed.market_feed import MarketFeed

if TYPE_CHECKING:
    from serve_apps.api.feed.hub import FeedHub
    from serve_apps.api.feed.session import FeedSocket

log = logging.getLogger(__name__)

# A `since` that another replica sent already is waited for; seconds, steps of STEP.
_AHEAD_SECONDS = 3.0
_STEP_SECONDS = 0.05
# Most are ahead by a moment only, and many may come at once: the journal is asked later.
_STEPS_BEFORE_ASKING = 3


async def catch_up(
    hub: FeedHub, feed: MarketFeed, socket: FeedSocket, channel: str, since: int | None
) -> None:
    """Send what follows `since`, or a snapshot and what follows it, then join the live ones."""
    try:
        if since is not None and since > feed.seq:
            since = await _wait_for(hub, feed, since)
        sent = since if since is not None else await _send_snapshot(hub, feed, socket)
        while not socket.closed and sent < feed.seq:
            missed = await _missed(hub, feed, sent)
            if missed is None:
                sent = await _send_snapshot(hub, feed, socket)
                continue
            frame, sent = missed
            await _send(hub, socket, frame)
        if not socket.closed:
            socket.subscriptions[channel].catching_up = None
            feed.join(socket)
    except AWAY as error:
        log.warning("feed of %s: a reader can't catch up: %s", feed.market, type(error).__name__)
        socket.end(channel, "unavailable", "missed events can't be read now; subscribe again")
    except Exception:
        log.exception("feed of %s: catching up failed", feed.market)
        socket.end(channel, "internal", "something went wrong here; subscribe again")


async def _wait_for(hub: FeedHub, feed: MarketFeed, since: int) -> int | None:
    """`since` once this replica has come so far; None if it lies in the market's future."""
    steps = round(_AHEAD_SECONDS / _STEP_SECONDS)
    for step in range(steps):
        if feed.seq >= since:
            return since
        if step == _STEPS_BEFORE_ASKING:
            async with hub.journal_reads:
                head = (await hub.journal.heads([feed.market])).get(feed.market)
            if head is None or since > head.seq:
                return None
        await asyncio.sleep(_STEP_SECONDS)
    return None


async def _send_snapshot(hub: FeedHub, feed: MarketFeed, socket: FeedSocket) -> int:
    """The seq of the snapshot that was sent."""
    snapshot = feed.snapshot(asyncio.get_running_loop().time())
    for number in range(snapshot.parts):
        await _send(hub, socket, snapshot.part(number))
        if socket.closed:
            break
    return snapshot.seq


async def _missed(hub: FeedHub, feed: MarketFeed, sent: int) -> tuple[Frame, int] | None:
    """The frame after `sent` and its last seq; None if those events are no longer kept."""
    texts = feed.ring.after(sent, EVENTS_PER_FRAME)
    if texts is None:
        if feed.seq - sent > hub.limits.replay_events_max:
            return None
        async with hub.journal_reads:
            events = await hub.journal.events(feed.market, sent, feed.seq, EVENTS_PER_FRAME)
        if not events or events[-1].seq != sent + len(events):
            return None
        texts = [event.text for event in events]
    count = frame_end(texts, 0)
    key = ("events", feed.market, sent + 1, count)
    frame = hub.cache.get(key, lambda: events_frame(feed.market, sent + 1, texts[:count]))
    return frame, sent + count


async def _send(hub: FeedHub, socket: FeedSocket, frame: Frame) -> None:
    socket.send(frame)
    if socket.closed:
        return
    if not socket.writer.paused:
        # A reader as fast as we are must not keep the others waiting.
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(hub.limits.stalled_seconds):
            await socket.writer.drain()
    except TimeoutError:
        socket.close(TOO_SLOW, "too slow; resume with since")
