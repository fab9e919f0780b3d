"""The coalescing client, over transports that are plain coroutines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.client import AWAY, BUSY, BookBusy, BookGone, BookUnavailable, MarketClient
from engine.market.answers import Claimed, Done, Held, Reply, Request
from engine.market.commands import Release

_decode = msgspec.msgpack.Decoder(list[Request]).decode
_encode = msgspec.msgpack.Encoder().encode


def command(number: int) -> Release:
    return Release(f"lead-{number}", "ann")


def answers(payload: bytes) -> bytes:
    """What a book would say: each reply names the lead of its request."""
    return _encode([Reply(Held(r.command.lead_id, 1, "15m", 1)) for r in _decode(payload)])


class SlowBook:
    """A transport that keeps every call until `let_go`, and remembers what came."""

    def __init__(self) -> None:
        self.calls: list[list[Request]] = []
        self.gate = asyncio.Event()
        self.here = 0
        self.most_here = 0

    async def __call__(self, market: str, payload: bytes) -> bytes:
        self.calls.append(_decode(payload))
        self.here += 1
        self.most_here = max(self.most_here, self.here)
        try:
            await self.gate.wait()
        finally:
            self.here -= 1
        return answers(payload)

    @property
    def sent(self) -> list[Request]:
        return [request for call in self.calls for request in call]


def scripted(
    *says: bytes | Exception | None,
) -> tuple[list[bytes], Callable[..., Awaitable[bytes]]]:
    """A transport that says or raises these in turn, None for real answers, the last for ever."""
    payloads: list[bytes] = []

    async def transport(market: str, payload: bytes) -> bytes:
        payloads.append(payload)
        said = says[min(len(payloads), len(says)) - 1]
        if isinstance(said, Exception):
            raise said
        return answers(payload) if said is None else said

    return payloads, transport


async def left_over(client: MarketClient) -> tuple[int, int]:
    """Calls in flight and commands waiting, once the calls under way have ended."""
    lane = client._lanes["austin", False]
    if lane.calls:
        await asyncio.wait(lane.calls)
        await asyncio.sleep(0)
    return lane.in_flight, len(lane.waiting)


async def test_what_arrives_during_a_call_travels_together() -> None:
    book = SlowBook()
    client = MarketClient(book, calls_max=1)
    asked = [asyncio.create_task(client.submit("austin", command(n))) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    book.gate.set()
    replies = await asyncio.gather(*asked)
    assert [reply.answer.lead_id for reply in replies] == [f"lead-{n}" for n in range(50)]
    assert [len(call) for call in book.calls] == [1, 49]
    assert [request.command for request in book.sent] == [command(n) for n in range(50)]


async def test_calls_and_batches_are_bounded() -> None:
    book = SlowBook()
    client = MarketClient(book, calls_max=3, batch_max=10)
    asked = [asyncio.create_task(client.submit("austin", command(n))) for n in range(100)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert book.most_here == 3
    book.gate.set()
    await asyncio.gather(*asked)
    assert book.most_here <= 3
    assert max(len(call) for call in book.calls) <= 10
    assert len({request.command_id for request in book.sent}) == 100


async def test_a_full_queue_is_busy_and_takes_again_later() -> None:
    book = SlowBook()
    client = MarketClient(book, calls_max=1, queue_max=2)
    asked = []
    for number in range(3):
        asked.append(asyncio.create_task(client.submit("austin", command(number))))
        await asyncio.sleep(0)
    with pytest.raises(BookBusy, match="austin"):
        await client.submit("austin", command(3))
    # Another market has a queue of its own.
    asked.append(asyncio.create_task(client.submit("dallas", command(4))))
    book.gate.set()
    await asyncio.gather(*asked)
    await client.submit("austin", command(5))


@pytest.mark.parametrize("away", [AWAY, BookGone("died")], ids=["away", "gone"])
async def test_a_retry_keeps_its_ids(away: bytes | Exception) -> None:
    payloads, transport = scripted(away, away, None)
    client = MarketClient(transport)
    reply = await client.submit("austin", command(1), request_hash=b"body")
    assert reply == Reply(Held("lead-1", 1, "15m", 1))
    assert len(payloads) == 3
    assert len(set(payloads)) == 1
    assert _decode(payloads[0])[0].request_hash == b"body"


async def test_a_given_id_is_kept_and_others_are_fresh() -> None:
    payloads, transport = scripted(None)
    client = MarketClient(transport)
    await client.submit("austin", command(1), command_id=b"0123456789abcdef")
    await client.submit("austin", command(1))
    ids = [_decode(payload)[0].command_id for payload in payloads]
    assert ids[0] == b"0123456789abcdef"
    assert len(ids[1]) == 16 != ids[0]


async def test_patience_ends_in_unavailable() -> None:
    payloads, transport = scripted(AWAY)
    client = MarketClient(transport, patience=0.1)
    with pytest.raises(BookUnavailable, match="austin"):
        await client.submit("austin", command(1))
    assert len(payloads) > 1
    assert await left_over(client) == (0, 0)


async def test_a_book_that_hangs_is_left() -> None:
    client = MarketClient(SlowBook(), patience=0.05)
    with pytest.raises(BookUnavailable):
        await client.submit("austin", command(1))
    assert await left_over(client) == (0, 0)


async def test_a_full_inbox_is_busy_for_all_of_the_call() -> None:
    _, transport = scripted(BUSY)
    client = MarketClient(transport)
    said = await asyncio.gather(
        *(client.submit("austin", command(n)) for n in range(5)), return_exceptions=True
    )
    assert {type(each) for each in said} == {BookBusy}
    assert len({id(each) for each in said}) == 5


@pytest.mark.parametrize(
    "says",
    [
        _encode([]),
        _encode([Reply(Done())] * 7),
        b"",
        b"\xff nonsense",
        _encode({"not": "replies"}),
        RuntimeError("a bug in the transport"),
        TimeoutError(),
    ],
    ids=["too-few", "too-many", "empty", "garbage", "other-shape", "bug", "time-out"],
)
async def test_an_answer_out_of_step_is_unavailable_and_stalls_nothing(
    says: bytes | Exception,
) -> None:
    _, transport = scripted(says, says, None)
    client = MarketClient(transport, calls_max=1)
    said = await asyncio.gather(
        *(client.submit("austin", command(n)) for n in range(3)), return_exceptions=True
    )
    assert {type(each) for each in said} == {BookUnavailable}
    assert (await client.submit("austin", command(9))).answer.lead_id == "lead-9"
    assert await left_over(client) == (0, 0)


async def test_a_cancelled_call_task_frees_its_place() -> None:
    book = SlowBook()
    client = MarketClient(book, calls_max=1)
    asked = asyncio.create_task(client.submit("austin", command(1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for call in list(client._lanes["austin", False].calls):
        call.cancel()
    with pytest.raises(BookUnavailable):
        await asked
    book.gate.set()
    assert (await client.submit("austin", command(2))).answer.lead_id == "lead-2"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 9))
def test_waiters_that_leave_never_stall_the_lane(seed: int, calls: int, batch: int) -> None:
    """Callers are cancelled at any moment, the book fails in every way: who stays is answered,
    with his own answer, and nothing stays in flight."""
    rng = random.Random(seed)

    async def moody(market: str, payload: bytes) -> bytes:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        mood = rng.randrange(10)
        if mood == 0:
            return BUSY
        if mood == 1:
            return _encode([])
        if mood == 2:
            raise RuntimeError("moody")
        return answers(payload)

    async def scenario() -> None:
        client = MarketClient(moody, calls_max=calls, batch_max=batch)
        asked: dict[int, asyncio.Task[Reply]] = {}
        for number in range(60):
            asked[number] = asyncio.create_task(client.submit("austin", command(number)))
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            if rng.randrange(3) == 0:
                asked[rng.choice(list(asked))].cancel()
        async with asyncio.timeout(20):
            said = await asyncio.gather(*asked.values(), return_exceptions=True)
        for number, each in zip(asked, said, strict=True):
            if isinstance(each, Reply):
                assert each.answer.lead_id == f"lead-{number}"
            else:
                assert isinstance(each, (BookUnavailable, BookBusy, asyncio.CancelledError))
        assert await left_over(client) == (0, 0)

    asyncio.run(scenario())


async def test_a_claim_is_asked_about_again_under_its_id_until_it_is_decided() -> None:
    claimed = _encode([Reply(Claimed(0))])
    payloads, transport = scripted(claimed, claimed, None)
    client = MarketClient(transport)
    reply = await client.submit("austin", command(1), command_id=b"the same id", request_hash=b"h")
    assert isinstance(reply.answer, Held)
    asked = [request for payload in payloads for request in _decode(payload)]
    assert asked == [Request(b"the same id", command(1), b"h")] * 3


async def test_a_claim_does_not_hold_up_who_came_with_it() -> None:
    async def transport(market: str, payload: bytes) -> bytes:
        waits = [r.command.lead_id == "lead-0" and not decided.is_set() for r in _decode(payload)]
        return _encode([Reply(Claimed(0) if wait else Done()) for wait in waits])

    decided = asyncio.Event()
    client = MarketClient(transport, calls_max=1)
    claim = asyncio.create_task(client.submit("austin", command(0)))
    others = [asyncio.create_task(client.submit("austin", command(n))) for n in range(1, 5)]
    await asyncio.wait_for(asyncio.gather(*others), 5)
    assert not claim.done()
    decided.set()
    assert (await asyncio.wait_for(claim, 5)).answer == Done()


async def test_a_claim_that_is_never_decided_is_given_up() -> None:
    _, transport = scripted(_encode([Reply(Claimed(0))]))
    client = MarketClient(transport, patience=0.05)
    with pytest.raises(BookUnavailable, match="did not decide"):
        await client.submit("austin", command(1))


async def test_claims_that_wait_count_towards_the_bound_of_the_queue() -> None:
    far = 2 * 10**15
    _, transport = scripted(_encode([Reply(Claimed(far))]))
    client = MarketClient(transport, queue_max=1)
    claim = asyncio.create_task(client.submit("austin", command(1)))
    await asyncio.sleep(0.02)
    with pytest.raises(BookBusy):
        await client.submit("austin", command(2))
    claim.cancel()
