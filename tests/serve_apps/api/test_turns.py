"""Heavy requests take turns."""

from __future__ import annotations

import asyncio

import pytest

from serve_apps.api.problems import Problem
from serve_apps.api.turns import Turns


async def test_some_are_served_some_wait_and_the_rest_come_again() -> None:
    turns, go, served = Turns(2, 1), asyncio.Event(), []

    async def work(number: int) -> None:
        async with turns.turn():
            served.append(number)
            await go.wait()

    tasks = [asyncio.create_task(work(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert served == [0, 1]
    with pytest.raises(Problem) as refused:
        await work(3)
    assert refused.value.slug == "unavailable"
    go.set()
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2]
    await work(4)
    assert served[-1] == 4


async def test_who_leaves_the_line_makes_room() -> None:
    turns, go = Turns(1, 1), asyncio.Event()

    async def work() -> None:
        async with turns.turn():
            await go.wait()

    first, second = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(work())
    await asyncio.sleep(0)
    assert not third.done()
    go.set()
    await asyncio.gather(first, third)
