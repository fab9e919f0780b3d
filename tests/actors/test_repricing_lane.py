"""Repricings in their lane: cut, answered whole, and behind the trades."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from actors.client import BUSY
from actors.lead_book import BATCH_MAX
from actors.repricing_lane import (
    BESIDE_TRADES_SECONDS,
    COMMANDS_MAX,
    QUIET_SECONDS,
    SLICE_LEADS,
    RepricingLane,
    is_repricing,
    slices,
)
from engine.market import commands as c
from engine.market.answers import Bought, Done, Reply, Request, Undecided
from tests.actors.test_lead_book import _encode
from tests.actors.trading_house import TradingHouse

REFUSED = c.Refused("validation", "no")


def _reprice(leads: int, id_: bytes = b"i" * 16) -> Request:
    ids = tuple(f"lead-{n}" for n in range(leads))
    prices, before = tuple(range(1, leads + 1)), tuple(range(2, leads + 2))
    return Request(id_, c.Reprice(ids, prices, "demand", before, tuple(map(str.encode, ids))))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_slices_add_up_and_are_the_same_again() -> None:
    whole = _reprice(2 * SLICE_LEADS + 1)
    cut = list(slices(whole))
    assert [len(each.command.lead_ids) for each in cut] == [SLICE_LEADS, SLICE_LEADS, 1]
    for name in ("lead_ids", "prices", "previous", "parts"):
        pieces = [getattr(each.command, name) for each in cut]
        assert sum(pieces, ()) == getattr(whole.command, name)
    assert len({each.command_id for each in cut}) == 3
    assert cut == list(slices(whole))
    assert cut[0].command_id != next(slices(_reprice(900, b"j" * 16))).command_id
    assert list(slices(_reprice(SLICE_LEADS))) == [_reprice(SLICE_LEADS)]


@pytest.mark.parametrize(
    "change",
    [{"prices": (1,)}, {"previous": (1,)}, {"parts": (b"",)}, {"prices": (0,) * (SLICE_LEADS + 1)}],
)
def test_what_will_be_refused_is_not_cut(change: dict[str, object]) -> None:
    command = _reprice(SLICE_LEADS + 1).command
    fields = {name: getattr(command, name) for name in command.__struct_fields__} | change
    request = Request(b"i" * 16, c.Reprice(**fields))
    assert list(slices(request)) == [request]


async def test_trades_go_first_and_do_not_starve_it() -> None:
    clock = Clock()
    lane = RepricingLane(clock)
    assert not lane.is_due(trades_wait=False)
    waiting = asyncio.create_task(lane.carried_out([_reprice(3 * SLICE_LEADS)]))
    await asyncio.sleep(0)
    assert len(lane) == 3
    assert lane.is_due(trades_wait=True)
    lane.take().replies.set_result([Reply(Done())])
    # The next one lets trades go for a while, and waits for nothing else.
    assert not lane.is_due(trades_wait=True)
    assert lane.is_due(trades_wait=False)
    clock.now += BESIDE_TRADES_SECONDS
    assert lane.is_due(trades_wait=True)
    # Right after trades the next ones may be on their way.
    lane.take().replies.set_result([Reply(Done())])
    lane.traded()
    assert not lane.is_due(trades_wait=False)
    assert lane.due_in(trades_wait=False) == pytest.approx(QUIET_SECONDS)
    assert lane.due_in(trades_wait=True) == pytest.approx(BESIDE_TRADES_SECONDS)
    clock.now += QUIET_SECONDS * 1.01
    assert lane.is_due(trades_wait=False)
    assert not waiting.done()
    lane.take().replies.set_result([Reply(Done())])
    assert await waiting == [Reply(Done())]
    assert lane.due_in(trades_wait=False) is None


@pytest.mark.parametrize("other", [Reply(REFUSED), Reply(Undecided())])
async def test_a_command_is_done_when_all_of_it_is(other: Reply) -> None:
    lane = RepricingLane(Clock())
    waiting = asyncio.create_task(lane.carried_out([_reprice(2 * SLICE_LEADS), _reprice(1)]))
    await asyncio.sleep(0)
    for reply in (other, Reply(Done()), Reply(Done())):
        lane.take().replies.set_result([reply])
    assert await waiting == [other, Reply(Done())]


async def test_it_is_bounded_and_dropped_as_a_whole() -> None:
    lane = RepricingLane(Clock())
    assert lane.has_room(COMMANDS_MAX + 1)
    requests = [_reprice(1, bytes([n]) * 16) for n in range(COMMANDS_MAX)]
    waiting = asyncio.create_task(lane.carried_out(requests))
    await asyncio.sleep(0)
    assert not lane.has_room(1)
    lane.drop(lambda: RuntimeError("lost"))
    with pytest.raises(RuntimeError):
        await waiting
    assert lane.has_room(COMMANDS_MAX)


def test_only_calls_of_repricings_alone_wait() -> None:
    buy = Request(b"b" * 16, c.Buy("lead", "ann", "order"))
    assert is_repricing([_reprice(1)])
    assert not is_repricing([_reprice(1), buy])
    assert not is_repricing([])


async def test_a_big_repricing_among_purchases(house: TradingHouse) -> None:
    book = await house.book()
    ann = await house.buyer(100_000)
    leads = [await house.lead(price=10) for _ in range(60)]
    prices = tuple(range(20, 20 + len(leads)))
    parts = tuple(id_.encode() for id_ in leads)
    command = c.Reprice(tuple(leads), prices, "demand", (10,) * len(leads), parts)
    repricing = asyncio.create_task(house.said(command))
    bought = await asyncio.gather(*(house.buy(lead_id, ann) for lead_id in leads[:5]))
    assert all(isinstance(answer, Bought) for answer in bought)
    assert await repricing == Done()
    rows = await house.pool.fetch(
        "SELECT lead_id, price, price_parts, lead_state FROM lead_trading WHERE market = $1",
        house.market,
    )
    for row in rows:
        if row["lead_state"] == "available":
            assert row["price"] == 20 + leads.index(row["lead_id"])
            assert row["price_parts"] == row["lead_id"].encode()
    assert book.stats()["repricings"] == 0
    await house.audit()


async def test_a_full_lane_says_busy(house: TradingHouse) -> None:
    book = await house.book()
    flood = [_reprice(1, secrets.token_bytes(16)) for _ in range(COMMANDS_MAX)]
    first = asyncio.create_task(book.submit(_encode(flood)))
    await asyncio.sleep(0)
    assert await book.submit(_encode([_reprice(1)])) == BUSY
    assert await first != BUSY
    assert BATCH_MAX > COMMANDS_MAX


async def test_prices_survive_a_book_that_is_lost_halfway(house: TradingHouse) -> None:
    book = await house.book()
    leads = [await house.lead(price=10) for _ in range(2 * SLICE_LEADS + 5)]
    command = c.Reprice(tuple(leads), (12,) * len(leads), "demand", (10,) * len(leads))
    repricing = asyncio.create_task(house.said(command))
    while book.stats()["repricings"] != 1:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert book._store is not None
    book._store.connection.terminate()
    assert await repricing == Done()
    prices = await house.pool.fetch(
        "SELECT DISTINCT price FROM lead_trading WHERE market = $1", house.market
    )
    assert [row["price"] for row in prices] == [12]
    named = await house.pool.fetchval(
        "SELECT sum(cardinality(lead_ids)) FROM price_ticks WHERE market = $1", house.market
    )
    assert named == len(leads), "a slice was written twice"
    await house.audit()
