"""Whatever a client says, it gets an answer or a close code, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
from websockets.exceptions import ConnectionClosed

from tests.serve_apps.feed.world import (
    Replica,
    ask,
    next_message,
    serving,
    subscribe,
)

NAMED = {
    "empty": "",
    "not JSON": "subscribe market:austin",
    "NUL": "\x00",
    "NUL in JSON": '{"op":"\\u0000"}',
    "null": "null",
    "a number": "1",
    "an array": "[]",
    "no op": "{}",
    "op is null": '{"op":null}',
    "unknown op": '{"op":"sell"}',
    "op is an object": '{"op":{"op":"ping"}}',
    "deep array": "[" * 30_000,
    "deep filter": '{"op":"subscribe","filter":' + '{"a":' * 10_000 + "1" + "}" * 10_001,
    "huge number": '{"op":"subscribe","channel":"market:x","since":' + "9" * 60_000 + "}",
    "float": '{"op":"subscribe","channel":"market:x","since":1.5}',
    "infinite": '{"op":"subscribe","channel":"market:x","since":1e999}',
    "NaN": '{"op":"subscribe","channel":"market:x","since":NaN}',
    "negative": '{"op":"subscribe","channel":"market:x","since":-1}',
    "since is true": '{"op":"subscribe","channel":"market:x","since":true}',
    "since is text": '{"op":"subscribe","channel":"market:x","since":"1"}',
    "no channel": '{"op":"subscribe"}',
    "no such market": '{"op":"subscribe","channel":"market:atlantis"}',
    "no market": '{"op":"subscribe","channel":"market:"}',
    "no such channel": '{"op":"subscribe","channel":"orders:austin"}',
    "long channel": '{"op":"subscribe","channel":"' + "market:" * 9_000 + '"}',
    "odd channel": '{"op":"subscribe","channel":"market:\\u202e\\n\\u0000"}',
    "user with since": '{"op":"subscribe","channel":"user","since":5}',
    "user with filter": '{"op":"subscribe","channel":"user","filter":{"source":"x"}}',
    "filter": '{"op":"subscribe","channel":"market:x","filter":{"city":"Austin"}}',
    "filter is text": '{"op":"subscribe","channel":"market:x","filter":"all"}',
    "not subscribed": '{"op":"unsubscribe","channel":"market:x"}',
    "half a surrogate": '{"op":"\\ud800"}',
    "byte order mark": '\ufeff{"op":"ping"}',
}


@pytest.mark.parametrize("name", NAMED)
async def test_what_is_not_understood_is_answered_by_a_problem(pool, redis_url, market, name):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await socket.send(NAMED[name])
        answer = await next_message(socket)
        assert answer["type"] == "error"
        problem = answer["problem"]
        assert problem["type"] in ("validation", "not-found")
        assert problem["status"] in (404, 422)
        assert problem["title"]
        assert len(json.dumps(answer)) < 1000
        await ask(socket, op="ping")
        assert await next_message(socket) == {"type": "pong"}


async def test_binary_and_repeats_are_answered_by_a_problem(pool, redis_url, market):
    trader = await market(1)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await socket.send(b'{"op":"ping"}')
        assert (await next_message(socket))["problem"]["type"] == "validation"
        await subscribe(socket, channel, since=1)
        await ask(socket, op="subscribe", channel=channel)
        answer = await next_message(socket)
        assert answer["channel"] == channel
        assert "already" in answer["problem"]["detail"]


async def test_filter_may_be_empty(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await ask(
            socket, op="subscribe", channel=f"market:{trader.market}", filter={}, more=1, ack=True
        )
        assert (await next_message(socket))["type"] == "subscribed"


def _value(rng: random.Random, depth: int = 0) -> object:
    kind = rng.randrange(9 if depth < 4 else 7)
    if kind == 7:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 8:
        return {_text(rng): _value(rng, depth + 1) for _ in range(rng.randrange(4))}
    scalars = (None, True, rng.getrandbits(80) - 2**79, rng.gauss(0, 1e9), -1, 0, _text(rng))
    return scalars[kind]


def _text(rng: random.Random) -> str:
    size = rng.choice((0, 1, 5, 40))
    return "".join(
        chr(rng.choice((rng.randrange(0xD800), rng.randrange(128)))) for _ in range(size)
    )


def _garbage(rng: random.Random, market: str) -> str | bytes:
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return _text(rng)
    if kind == 2:
        return json.dumps(_value(rng))
    channels = [f"market:{market}", f"prices:{market}", "user", "market:", "x", "market:nowhere"]
    asked: dict[str, object] = {"op": rng.choice(["subscribe", "unsubscribe", "ping", _value(rng)])}
    for key in ("channel", "since", "filter"):
        if rng.random() < 0.5:
            asked[key] = _value(rng)
    if rng.random() < 0.8:
        asked["channel"] = rng.choice(channels)
    text = json.dumps(asked)
    return text[: rng.randrange(len(text))] if kind == 3 else text


@pytest.mark.parametrize("seed", range(4))
async def test_garbage_harms_nobody_else(pool, redis_url, market, seed):
    rng = random.Random(seed)
    trader = await market(20)
    known = {"error", "pong", "subscribed", "unsubscribed", "snapshot", "events", "prices"}
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as quiet:
        await subscribe(quiet, f"market:{trader.market}", since=20)
        for _ in range(12):
            # All is read as it comes, or the closing handshake would wait for us.
            async with served.connect(max_queue=None) as socket:
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(rng.randrange(20, 90)):
                        await socket.send(_garbage(rng, trader.market))
                    await trader.trade([trader.random_change(rng)])
                    await ask(socket, op="ping")
                    while (answer := await next_message(socket))["type"] != "pong":
                        assert answer["type"] in known
                if socket.close_code is not None:
                    assert socket.close_code in (1007, 1008, 1009)
        replica = Replica()
        replica.seq = 20
        await replica.follow(quiet, trader.seq)
        assert served.feed.hub.alive
