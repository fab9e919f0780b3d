"""Messages to clients as prebuilt WebSocket frames: encoded once, written to many sockets."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import msgspec

from engine.adapters.postgres.feed_journal import ThinLead
from serve_apps.api.problems import problem_body

_encode = msgspec.json.Encoder().encode
_FINAL_TEXT = 0x81

# What goes into one frame of events at most. Readers commonly refuse messages past 1 MiB.
EVENTS_PER_FRAME = 500
EVENT_BYTES_PER_FRAME = 256 * 1024
LEADS_PER_FRAME = 1_000


class Frame:
    """One text message: `wire` is the unmasked, uncompressed frame of RFC 6455."""

    __slots__ = ("_payload_at", "wire")

    def __init__(self, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            header = bytes((_FINAL_TEXT, size))
        elif size < 65_536:
            header = struct.pack("!BBH", _FINAL_TEXT, 126, size)
        else:
            header = struct.pack("!BBQ", _FINAL_TEXT, 127, size)
        self.wire = header + payload
        self._payload_at = len(header)

    @property
    def text(self) -> str:
        return self.wire[self._payload_at :].decode()


def message(content: dict[str, Any]) -> Frame:
    return Frame(_encode(content))


def market_channel(market: str) -> str:
    return f"market:{market}"


def prices_channel(market: str) -> str:
    return f"prices:{market}"


def events_frame(market: str, from_seq: int, to_seq: int, texts: Sequence[bytes]) -> Frame:
    """What a reader gets to see of a market's events `from_seq`..`to_seq`, each JSON text
    already. All of them, unless it asked for less."""
    head = (
        f'{{"type":"events","channel":"{market_channel(market)}","from_seq":{from_seq},'
        f'"to_seq":{to_seq},"events":['
    )
    return Frame(b"".join((head.encode(), b",".join(texts), b"]}")))


def snapshot_frame(
    market: str, seq: int, part: int, last: bool, leads: Sequence[ThinLead]
) -> Frame:
    content = {
        "type": "snapshot",
        "channel": market_channel(market),
        "seq": seq,
        "part": part,
        "last": last,
        "leads": leads,
    }
    return message(content)


def frame_end(texts: Sequence[bytes], start: int) -> int:
    """Where the frame that begins with `texts[start]` ends: within both bounds, never empty."""
    size = 0
    end = start
    for end in range(start, min(len(texts), start + EVENTS_PER_FRAME)):
        size += len(texts[end])
        if size > EVENT_BYTES_PER_FRAME and end > start:
            return end
    return end + 1


def problem_frame(slug: str, detail: str, request_id: str, channel: str | None = None) -> Frame:
    """The contract's `error` message; it names the channel if it is about one."""
    content: dict[str, Any] = {
        "type": "error",
        "problem": problem_body(slug, detail, request_id),
    }
    if channel is not None:
        content["channel"] = channel
    return message(content)


class FrameCache:
    """Frames that many sockets ask for about the same time, at most `bytes_max` of them."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._frames: OrderedDict[Hashable, Frame] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], Frame]) -> Frame:
        frame = self._frames.get(key)
        if frame is not None:
            self._frames.move_to_end(key)
            return frame
        frame = self._frames[key] = build()
        self._bytes += len(frame.wire)
        while self._bytes > self._bytes_max:
            _, oldest = self._frames.popitem(last=False)
            self._bytes -= len(oldest.wire)
        return frame

    def __len__(self) -> int:
        return len(self._frames)


def joined(frames: Iterable[Frame]) -> bytes:
    return b"".join([frame.wire for frame in frames])
