"""Reads the streams of all markets once per process and hands on what is new, gap-free.

Redis carries the events; the journal is the truth. A gap, a trimmed or emptied stream
and a Redis that is away are filled from the journal, which is also compared with what
came through once a second: nothing the feed promises depends on Redis.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from engine.adapters.postgres.feed_journal import AWAY, FeedJournal, PriceTick
from engine.adapters.redis.feed_stream import entry_number, feed_key, prices_key

log = logging.getLogger(__name__)

# While Redis is away the journal is asked this often, seconds.
POLL_SECONDS = 0.25
# While it is not, the journal is compared with what came through this often, seconds.
CHECK_SECONDS = 1.0
# A stream that contradicts the journal is left alone for this long, seconds.
DISTRUST_SECONDS = 1.0

_BLOCK_MS = 1_000
_PATIENCE_SECONDS = _BLOCK_MS / 1000 + 4
_ENTRIES_MAX = 16
_EVENTS_PER_FILL = 500
_TICKS_PER_FILL = 64
_AWAY_FROM_REDIS = (RedisError, OSError, TimeoutError)


class _Tick(msgspec.Struct, gc=False):
    lead_id: str
    price: int


_events = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ticks = msgspec.json.Decoder(list[_Tick]).decode


class FeedFollower(Protocol):
    """Who is told. Both are called from the event loop and must neither wait nor raise."""

    def on_events(self, market: str, from_seq: int, texts: Sequence[bytes]) -> None:
        """The next public events as JSON texts: `texts[i]` has seq `from_seq + i`."""

    def on_prices(self, tick: PriceTick) -> None:
        """The next price tick of a market."""


class _Batch(NamedTuple):
    from_seq: int
    texts: list[bytes]


class _Track:
    """How far one market has been handed on."""

    __slots__ = ("distrusted_until", "market", "position", "seq")

    def __init__(self, market: str, seq: int, position: int) -> None:
        self.market = market
        self.seq = seq
        self.position = position
        self.distrusted_until = 0.0


class FeedReader:
    """Name the markets with `follow`, then `run` until cancelled.

    Without a `redis_url` everything comes from the journal, every `POLL_SECONDS`.
    """

    def __init__(self, redis_url: str, journal: FeedJournal, follower: FeedFollower) -> None:
        self._redis_url = redis_url
        self._journal = journal
        self._follower = follower
        self._tracks: dict[str, _Track] = {}
        self._by_key: dict[str, _Track] = {}
        # Between a look at `seq` and handing on what follows it, nobody else may hand on.
        self._turn = asyncio.Lock()
        self.streaming = False

    def follow(self, market: str, seq: int, position: int) -> None:
        """Hand on what comes after `seq` and, of prices, after journal `position`."""
        track = _Track(market, seq, position)
        self._tracks[market] = track
        self._by_key[feed_key(market)] = self._by_key[prices_key(market)] = track

    async def run(self) -> None:
        """Read until cancelled. Outages are logged once each and waited out."""
        async with asyncio.TaskGroup() as readers:
            if self._redis_url:
                readers.create_task(self._read_streams(), name="feed:streams")
            readers.create_task(self._read_journal(), name="feed:journal")

    # --- Redis -------------------------------------------------------------------

    async def _read_streams(self) -> None:
        # A client of its own: a blocked read would keep a shared connection busy.
        redis = Redis.from_url(
            self._redis_url,
            protocol=2,
            # A timeout of the client's own may lose a cancellation (asyncio.wait_for,
            # Python 3.11).
            socket_timeout=None,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
        task = asyncio.current_task()
        assert task is not None
        try:
            while True:
                # redis-py may lose a cancellation that comes while it connects.
                if task.cancelling():
                    raise asyncio.CancelledError
                streams = self._trusted_streams()
                if not streams:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        reply: Any = await redis.xread(streams, count=_ENTRIES_MAX, block=_BLOCK_MS)
                except _AWAY_FROM_REDIS as error:
                    if self.streaming:
                        log.warning("feed: Redis is away, reading the journal: %s", error)
                    self.streaming = False
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                self.streaming = True
                for key, entries in reply or ():
                    await self._take(key.decode(), entries)
        finally:
            await redis.aclose()

    def _trusted_streams(self) -> dict[Any, Any]:
        now = asyncio.get_running_loop().time()
        streams: dict[Any, Any] = {}
        for track in self._tracks.values():
            if track.distrusted_until <= now:
                streams[feed_key(track.market)] = f"{track.seq}-0"
                streams[prices_key(track.market)] = f"{track.position}-0"
        return streams

    async def _take(self, key: str, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Hand on one stream's entries; what can't be is left to the journal."""
        track = self._by_key[key]
        batches: list[_Batch] = []
        ticks: list[PriceTick] = []
        try:
            if key == feed_key(track.market):
                batches = [_batch(*entry) for entry in entries]
            else:
                ticks = [_price_tick(track.market, *entry) for entry in entries]
        except (ValueError, KeyError, TypeError) as error:
            log.warning("feed of %s: stream %s is not readable: %s", track.market, key, error)
            self._distrust(track)
            return
        try:
            await self._take_events(track, batches)
        except AWAY as error:
            log.warning("feed of %s: the journal can't fill a gap yet: %s", track.market, error)
            self._distrust(track)
        for tick in ticks:
            self._hand_on_prices(track, tick)

    async def _take_events(self, track: _Track, batches: list[_Batch]) -> None:
        async with self._turn:
            texts: list[bytes] = []
            for batch in batches:
                expected = track.seq + len(texts) + 1
                if batch.from_seq > expected:
                    self._hand_on(track, texts)
                    texts = []
                    await self._fill(track, batch.from_seq - 1)
                    expected = track.seq + 1
                    if batch.from_seq > expected:
                        log.warning(
                            "feed of %s: the stream has %d, the journal ends at %d",
                            track.market,
                            batch.from_seq,
                            track.seq,
                        )
                        self._distrust(track)
                        return
                # What came before is skipped, all of it or the first part.
                texts += batch.texts[expected - batch.from_seq :]
            self._hand_on(track, texts)

    def _distrust(self, track: _Track) -> None:
        track.distrusted_until = asyncio.get_running_loop().time() + DISTRUST_SECONDS

    # --- the journal -------------------------------------------------------------

    async def _read_journal(self) -> None:
        loop = asyncio.get_running_loop()
        heads: dict[str, int] = {}
        next_check = loop.time()
        away = False
        while True:
            await asyncio.sleep(POLL_SECONDS)
            now = loop.time()
            poll = [
                track
                for track in self._tracks.values()
                if not self.streaming or track.distrusted_until > now
            ]
            check = now >= next_check
            if not poll and not check:
                continue
            try:
                # What the last check saw and has not come since, the streams won't bring.
                for track in self._tracks.values() if check else ():
                    await self._fill_in_turn(track, heads.get(track.market, 0))
                found = await self._journal.heads(list(self._tracks))
                for track in poll:
                    head = found.get(track.market)
                    await self._fill_in_turn(track, head.seq if head else 0)
                await self._fill_prices()
            except AWAY as error:
                if not away:
                    log.warning("feed: the journal is away: %s", error)
                away = True
                continue
            away = False
            if check:
                heads = {market: head.seq for market, head in found.items()}
                next_check = now + CHECK_SECONDS

    async def _fill_in_turn(self, track: _Track, to: int) -> None:
        # A page at a time, so that the other markets' streams wait for one page at most.
        seq = -1
        while seq < track.seq < to:
            async with self._turn:
                seq = track.seq
                await self._fill(track, min(to, seq + _EVENTS_PER_FILL))

    async def _fill(self, track: _Track, to: int) -> None:
        """Hand on from the journal up to `to`, as far as it reaches. Call in turn."""
        while track.seq < to:
            events = await self._journal.events(track.market, track.seq, to, _EVENTS_PER_FILL)
            if not events or events[-1].seq != track.seq + len(events):
                return
            self._hand_on(track, [event.text for event in events])

    async def _fill_prices(self) -> None:
        after = {track.market: track.position for track in self._tracks.values()}
        for tick in await self._journal.ticks(after, _TICKS_PER_FILL):
            self._hand_on_prices(self._tracks[tick.market], tick)

    # --- on ----------------------------------------------------------------------

    def _hand_on(self, track: _Track, texts: list[bytes]) -> None:
        if texts:
            from_seq = track.seq + 1
            track.seq += len(texts)
            self._follower.on_events(track.market, from_seq, texts)

    def _hand_on_prices(self, track: _Track, tick: PriceTick) -> None:
        if tick.position > track.position:
            track.position = tick.position
            self._follower.on_prices(tick)


def _batch(entry_id: bytes, fields: dict[bytes, bytes]) -> _Batch:
    """Raises ValueError, KeyError or msgspec.DecodeError on an entry that is not a batch."""
    from_seq, texts = int(fields[b"from"]), [bytes(raw) for raw in _events(fields[b"events"])]
    if from_seq + len(texts) - 1 != entry_number(entry_id):
        raise ValueError(f"entry {entry_id!r} has {len(texts)} events from {from_seq}")
    return _Batch(from_seq, texts)


def _price_tick(market: str, entry_id: bytes, fields: dict[bytes, bytes]) -> PriceTick:
    ticks = _ticks(fields[b"ticks"])
    return PriceTick(
        market,
        entry_number(entry_id),
        fields[b"at"].decode(),
        fields[b"reason"].decode(),
        [tick.lead_id for tick in ticks],
        [tick.price for tick in ticks],
    )
