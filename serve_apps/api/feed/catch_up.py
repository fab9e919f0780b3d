"""Brings one reader of a market to the present: a snapshot or what it missed.

It writes as the reader drains, one frame at a time, and returns in the same step in which
it finds nothing left to send: frames join those of the live fan-out without gap or repeat.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serve_apps.api.feed.close_codes import TOO_SLOW
from serve_apps.api.feed.frame import EVENTS_PER_FRAME, Frame, frame_end
from serve_apps.api.feed.read_model import Snapshot
from serve_apps.api.feed.view import View

if TYPE_CHECKING:
    from serve_apps.api.feed.hub import FeedHub
    from serve_apps.api.feed.session import FeedSocket

# A `since` that another replica sent already is waited for; seconds, steps of STEP.
_AHEAD_SECONDS = 3.0
_STEP_SECONDS = 0.05
# Most are ahead by a moment only, and many may come at once: the journal is asked later.
_STEPS_BEFORE_ASKING = 3


async def catch_up(hub: FeedHub, view: View, socket: FeedSocket, since: int | None) -> None:
    """Send what follows `since`, or a snapshot and what follows it.

    The reader must join the live ones in the step in which this returns. Raises as
    FeedJournal does.
    """
    with view.catching_up():
        if since is not None and not view.resumes:
            since = None
        if since is not None and since > view.seq:
            since = await _wait_for(hub, view, since)
        snapshot = None if since is not None else await _send_snapshot(hub, view, socket)
        sent = since if snapshot is None else snapshot.seq
        assert sent is not None
        while not socket.closed and sent < view.seq:
            missed = await _missed(hub, view, sent)
            if missed is None:
                snapshot = await _send_snapshot(hub, view, socket)
                sent = snapshot.seq
                continue
            frame, sent = missed
            await _send(hub, socket, frame)
        for frame in view.moved_since(snapshot) if snapshot is not None else ():
            socket.send(frame)


async def _wait_for(hub: FeedHub, view: View, since: int) -> int | None:
    """`since` once this replica has come so far; None if it lies in the market's future."""
    steps = round(_AHEAD_SECONDS / _STEP_SECONDS)
    for step in range(steps):
        if view.seq >= since:
            return since
        if step == _STEPS_BEFORE_ASKING:
            async with hub.journal_reads:
                head = (await hub.journal.heads([view.market])).get(view.market)
            if head is None or since > head.seq:
                return None
        await asyncio.sleep(_STEP_SECONDS)
    return None


async def _send_snapshot(hub: FeedHub, view: View, socket: FeedSocket) -> Snapshot:
    """The snapshot that was sent."""
    snapshot = view.snapshot(asyncio.get_running_loop().time())
    for number in range(snapshot.parts):
        await _send(hub, socket, snapshot.part(number))
        if socket.closed:
            break
    return snapshot


async def _missed(hub: FeedHub, view: View, sent: int) -> tuple[Frame, int] | None:
    """The frame after `sent` and its last seq; None if those events are no longer kept."""
    texts = view.ring.after(sent, EVENTS_PER_FRAME)
    if texts is None:
        if view.seq - sent > hub.limits.replay_events_max:
            return None
        async with hub.journal_reads:
            events = await hub.journal.events(view.market, sent, view.seq, EVENTS_PER_FRAME)
        if not events or events[-1].seq != sent + len(events):
            return None
        texts = [event.text for event in events]
    count = frame_end(texts, 0)
    key = ("events", view.market, view.name, sent + 1, count)
    frame = hub.cache.get(key, lambda: view.replay(sent + 1, texts[:count]))
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
