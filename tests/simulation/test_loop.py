"""The loop that runs are simulated on: time that jumps, and processes that die or freeze."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.simulation.loop import NoRest, Process, SimulatedLoop, current_process


def simulated(seed: int = 1) -> SimulatedLoop:
    return SimulatedLoop(random.Random(seed))


def play(loop: SimulatedLoop, main: Any, *, until: float = 1_000.0, steps_max: int = 1_000) -> Any:
    return loop.run(main, until=until, steps_max=steps_max)


def test_time_jumps_to_what_comes_next() -> None:
    loop = simulated()

    async def main() -> list[float]:
        await asyncio.sleep(500)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await loop.create_future()
        return [loop.time()]

    assert play(loop, main()) == [600.0]


def test_what_is_due_at_once_comes_in_an_order_of_the_seed() -> None:
    def order(seed: int) -> list[int]:
        loop, seen = simulated(seed), []

        async def main() -> None:
            for number in range(6):
                loop.call_later(1.0, seen.append, number)
            await asyncio.sleep(2.0)

        play(loop, main())
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_a_killed_process_does_nothing_more() -> None:
    """Nothing at all, until it is buried."""
    loop = simulated()
    process, seen = Process("doomed", loop), []
    process.on_death.append(lambda: seen.append("told"))

    async def life() -> None:
        assert current_process() is process
        try:
            await asyncio.sleep(1)
            seen.append("went on")
        finally:
            seen.append("cleaned up")

    async def main() -> None:
        task = process.start(life())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(5)
        assert not task.done()
        assert current_process() is None

    play(loop, main())
    assert seen == ["told"]
    loop.bury()
    assert seen == ["told", "cleaned up"]


@pytest.mark.parametrize("steps", range(4))
def test_a_process_dies_between_any_two_of_its_steps(steps: int) -> None:
    loop = simulated()
    process, seen = Process("doomed", loop), []

    async def life() -> None:
        for number in range(3):
            seen.append(number)
            await asyncio.sleep(0)

    async def main() -> None:
        process.steps_left = steps
        process.start(life())
        await asyncio.sleep(1)

    play(loop, main())
    assert seen == list(range(min(steps, 3)))
    # It dies instead of the step that is one too many: the last is the task's end.
    assert process.is_alive is (steps > 3)
    loop.bury()


def test_a_frozen_process_goes_on_as_if_nothing_had_been() -> None:
    loop = simulated()
    process, seen = Process("frozen", loop), []

    async def life() -> None:
        for _ in range(3):
            await asyncio.sleep(0.1)
            seen.append(loop.time())

    async def main() -> None:
        process.start(life())
        await asyncio.sleep(0.15)
        process.freeze(2.0)
        await asyncio.sleep(5)

    play(loop, main())
    assert seen == pytest.approx([0.1, 2.15, 2.25])


def test_what_never_comes_is_not_waited_for() -> None:
    loop = simulated()

    def go_round() -> None:
        loop.call_later(0.0001, go_round)

    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(NoRest, match="nothing more happens"):
        play(loop, wait())
    go_round()
    with pytest.raises(NoRest, match="circles"):
        play(loop, wait())
    loop.bury()
