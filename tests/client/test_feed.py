"""Both feeds against a server that drops, skips, talks nonsense and closes with every code."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from typing import Any

import pytest

from aiqleads.client import errors
from aiqleads.client.feed.channels import USER, market, prices
from aiqleads.client.feed.messages import FeedMessage, LeadEvent, Missed, PriceTick, Snapshot
from aiqleads.client.feed.reading import FeedClosed
from tests.client.either import EitherFeed, Kind, either_feed
from tests.client.feed_script import (
    MARKET,
    Socket,
    error,
    events,
    lead,
    snapshot,
    staged,
)
from tests.client.feed_script import prices as ticks

AUSTIN = market("austin")


def seqs(messages: list[FeedMessage]) -> list[int]:
    return [m.seq for m in messages if isinstance(m, Snapshot | LeadEvent | PriceTick)]


async def begin(socket: Socket) -> None:
    """A new reader gets a snapshot at 7 and two events."""
    assert await socket.asked() == {"op": "subscribe", "channel": MARKET}
    await socket.send(snapshot(7, [lead("a")]), events(8, lead("a"), lead("b")))


async def go_on(socket: Socket) -> None:
    """A reader that knows all up to 9 gets 10, and stays."""
    assert await socket.asked() == {"op": "subscribe", "channel": MARKET, "since": 9}
    await socket.send(events(10, lead("c")))
    await socket.stay()


async def begin_again(socket: Socket) -> None:
    """A reader that knows nothing any more gets a snapshot at 20, and stays."""
    assert await socket.asked() == {"op": "subscribe", "channel": MARKET}
    await socket.send(snapshot(20, [lead("z")]))
    await socket.stay()


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4001, 4008])
async def test_a_closed_feed_goes_on_where_it_ended(kind: Kind, code: int) -> None:
    async def close(socket: Socket) -> None:
        await begin(socket)
        await socket.close(code)

    async with staged(close, go_on) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        assert seqs(await feed.take(4)) == [7, 8, 9, 10]


async def test_a_dropped_feed_goes_on_where_it_ended(kind: Kind) -> None:
    async def drop(socket: Socket) -> None:
        await begin(socket)
        await asyncio.sleep(0.05)
        socket.drop()

    async with staged(drop, go_on) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        assert seqs(await feed.take(4)) == [7, 8, 9, 10]


@pytest.mark.parametrize(("code", "is_new"), [(4001, True), (4008, False), (1012, False)])
async def test_only_a_token_that_is_over_is_replaced(kind: Kind, code: int, is_new: bool) -> None:
    stale: list[str | None] = []

    def token(refused: str | None) -> str:
        stale.append(refused)
        return "second" if refused == "first" else "first"

    async def close(socket: Socket) -> None:
        await begin(socket)
        await socket.close(code)

    async with (
        staged(close, go_on) as stage,
        either_feed(kind, stage.url, AUSTIN, token=token) as feed,
    ):
        await feed.take(4)
        assert stage.tokens == ["first", "second" if is_new else "first"]


@pytest.mark.parametrize(
    "nonsense",
    [
        "nonsense",
        b"\x00\xff",
        json.dumps(events(11, lead("x"))),
        json.dumps(events(9, lead("x"))),
        json.dumps(snapshot(9, [], part=3)),
        "x" * 9_000_000,
    ],
    ids=["text", "binary", "gap", "repeat", "headless", "huge"],
)
async def test_after_a_gap_or_nonsense_it_begins_with_a_snapshot(
    kind: Kind, nonsense: str | bytes
) -> None:
    is_huge = len(nonsense) > 8_000_000

    async def talk(socket: Socket) -> None:
        await begin(socket)
        await socket.send(nonsense)
        await socket.stay()

    async with (
        staged(talk, go_on if is_huge else begin_again) as stage,
        either_feed(kind, stage.url, AUSTIN) as feed,
    ):
        assert seqs(await feed.take(4)) == [7, 8, 9, 10 if is_huge else 20]


async def test_an_unfinished_snapshot_is_asked_for_again(kind: Kind) -> None:
    async def half(socket: Socket) -> None:
        await socket.asked()
        await socket.send(snapshot(7, [lead("a")], 0, last=False))
        await socket.close(1012)

    async with staged(half, begin_again) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        assert seqs(await feed.take(1)) == [20]


@pytest.mark.parametrize("code", [1007, 1009])
async def test_what_would_be_refused_again_is_not_said_again(kind: Kind, code: int) -> None:
    async def close(socket: Socket) -> None:
        await socket.asked()
        await socket.close(code)

    async with staged(close) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        for _ in range(2):
            with pytest.raises(errors.UnexpectedAnswer, match=str(code)):
                await feed.next()


async def test_an_unknown_market_ends_the_feed(kind: Kind) -> None:
    async def refuse(socket: Socket) -> None:
        await socket.asked()
        await socket.send(error("not-found", MARKET, 404))
        await socket.stay()

    async with staged(refuse) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        for _ in range(2):
            with pytest.raises(errors.NotFound, match="no not-found"):
                await feed.next()


async def test_a_channel_that_ended_for_now_is_asked_for_again_over_the_same_socket(
    kind: Kind,
) -> None:
    async def away(socket: Socket) -> None:
        await begin(socket)
        await socket.send(error("unavailable"))
        await socket.send(ticks(9, a=1), ticks(9, a=2))
        assert await socket.asked() == {"op": "subscribe", "channel": MARKET, "since": 9}
        await socket.send(events(10, lead("c")))
        await socket.stay()

    async with staged(away) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        assert seqs(await feed.take(4)) == [7, 8, 9, 10]


def _problem(slug: str, status: int) -> bytes:
    body = {"type": slug, "title": slug, "status": status, "detail": "why", "request_id": "r"}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("refusal", "kind_of_error"),
    [
        ((403, {}, _problem("forbidden", 403)), errors.Forbidden),
        ((404, {}, b"nothing here"), errors.NotFound),
        ((301, {"Location": "https://elsewhere.example/v1/feed"}, b""), errors.UnexpectedAnswer),
    ],
)
async def test_a_handshake_refused_for_good_ends_the_feed(
    kind: Kind, refusal: Any, kind_of_error: type[Exception]
) -> None:
    async with staged(refusal) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        with pytest.raises(kind_of_error):
            await feed.next()


@pytest.mark.parametrize(
    ("status", "body"), [(401, _problem("unauthorized", 401)), (403, b"no reason")]
)
async def test_a_refused_token_is_replaced_but_not_for_ever(
    kind: Kind, status: int, body: bytes
) -> None:
    no = (status, {}, body)
    async with staged(no, begin_again) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        assert seqs(await feed.take(1)) == [20]
        assert stage.tokens == ["token-1", "token-2"]
    async with staged(no, no, no) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        with pytest.raises(errors.Problem):
            await feed.next()


async def test_a_session_that_is_over_ends_the_feed(kind: Kind) -> None:
    def token(stale: str | None) -> str:
        if stale is not None:
            raise errors.SignedOut("login first")
        return "first"

    async def close(socket: Socket) -> None:
        await begin(socket)
        await socket.close(4001)

    async with (
        staged(close) as stage,
        either_feed(kind, stage.url, AUSTIN, token=token) as feed,
    ):
        assert seqs(await feed.take(3)) == [7, 8, 9]
        for _ in range(2):
            with pytest.raises(errors.SignedOut):
                await feed.next()


async def test_a_token_that_can_not_be_got_now_is_got_later(kind: Kind) -> None:
    tries = 0

    def token(stale: str | None) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise errors.Unreachable("away")
        return "third"

    async with (
        staged(begin_again) as stage,
        either_feed(kind, stage.url, AUSTIN, token=token) as feed,
    ):
        assert seqs(await feed.take(1)) == [20]


async def test_what_is_not_numbered_tells_that_something_may_be_missing(kind: Kind) -> None:
    async def tell(socket: Socket) -> None:
        for channel in ("prices:austin", "user"):
            asked = await socket.asked()
            assert asked == {"op": "subscribe", "channel": channel, "ack": True}
            await socket.send({"type": "subscribed", "channel": channel, "seq": 4})
        await socket.send(ticks(4, a=11))
        await socket.close(1012)

    async with (
        staged(tell, tell) as stage,
        either_feed(kind, stage.url, prices("austin"), USER) as feed,
    ):
        once = [Missed(channel="prices:austin"), Missed(channel="user")]
        told = await feed.take(6)
        assert told[:2] == told[3:5] == once


async def test_channels_come_and_go_while_it_runs(kind: Kind) -> None:
    async def obey(socket: Socket) -> None:
        await begin(socket)
        assert await socket.asked() == {"op": "unsubscribe", "channel": MARKET}
        await socket.send(events(10, lead("c")), {"type": "unsubscribed", "channel": MARKET})
        assert (await socket.asked())["channel"] == "prices:austin"
        await socket.send(ticks(11, a=5))
        await socket.stay()

    async with staged(obey) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        await feed.take(3)
        await feed.do("unsubscribe", MARKET)
        await feed.do("subscribe", prices("austin"))
        [tick] = await feed.take(1)
        assert isinstance(tick, PriceTick)


async def test_a_read_that_is_cut_short_loses_nothing(kind: Kind) -> None:
    async def slowly(socket: Socket) -> None:
        await asyncio.sleep(0.1)
        await begin(socket)
        for number in range(10, 20):
            await asyncio.sleep(0.03)
            await socket.send(events(number, lead("a")))
        await socket.close(1012)

    async def last(socket: Socket) -> None:
        assert (await socket.asked())["since"] == 19
        await socket.send(events(20, lead("a")))
        await socket.stay()

    found: list[FeedMessage] = []
    async with staged(slowly, last) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        async with asyncio.timeout(20):
            while len(found) < 14:
                message = await feed.next(0.01)
                if message is not None:
                    found.append(message)
        assert seqs(found) == list(range(7, 21))


async def test_short_reads_connect_in_the_end() -> None:
    async def slow_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 404 -\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    connections = 0
    async with await asyncio.start_server(slow_handshake, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with either_feed("async", url, AUSTIN) as feed, asyncio.timeout(10):
            with pytest.raises(errors.NotFound):
                await read_in_snatches(feed)
    assert connections == 1


async def read_in_snatches(feed: EitherFeed) -> None:
    while True:
        await feed.next(0.05)


async def test_who_waits_only_for_so_long_is_let_go(kind: Kind) -> None:
    async def tell_nothing_more(socket: Socket) -> None:
        await begin(socket)
        await socket.stay()

    async with staged(tell_nothing_more) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        await feed.take(3)
        async with asyncio.timeout(5):
            assert await feed.next(0.05) is None
    async with (
        either_feed(kind, "http://127.0.0.1:9", AUSTIN, rng=random.Random(1)) as feed,
        asyncio.timeout(5),
    ):
        assert await feed.next(0.05) is None, "not while it rests between sockets either"


async def test_closing_ends_a_read_under_way(kind: Kind) -> None:
    async def stay(socket: Socket) -> None:
        await socket.asked()
        await socket.stay()

    async with staged(stay) as stage, either_feed(kind, stage.url, AUSTIN) as feed:
        reading = asyncio.create_task(feed.next(20))
        while not feed.feed.is_connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await feed.do("close")
        async with asyncio.timeout(5):
            with pytest.raises(FeedClosed):
                await reading
        assert not [t for t in threading.enumerate() if "recv_events" in t.name]


async def test_iteration_ends_when_the_feed_is_closed() -> None:
    async with staged(begin_again) as stage, either_feed("async", stage.url, AUSTIN) as feed:
        found = []
        async for message in feed.feed:  # type: ignore[union-attr]
            found.append(message)
            await feed.do("close")
        assert seqs(found) == [20]
