"""A clock that the machine's owner may set without ending anybody's hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.steady_clock import STEP_NS, SteadyClock

START = 1_800_000_000_000_000_000


class Machine:
    """A wall and a monotonic clock, set by hand, ns."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 5_000

    def pass_by(self, nanoseconds: int, drift: int = 0) -> None:
        self.monotonic += nanoseconds
        self.wall += nanoseconds + drift


def clock(machine: Machine) -> SteadyClock:
    return SteadyClock(lambda: machine.wall, lambda: machine.monotonic)


def test_it_follows_the_wall_clock_while_that_is_slewed() -> None:
    machine = Machine()
    steady = clock(machine)
    for _ in range(1_000):
        machine.pass_by(1_000_000_000, drift=500_000)
        assert steady() == machine.wall
    assert steady.stepped_ns == 0


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(-(10**13), 10**13)), max_size=30))
def test_steps_are_not_followed(history: list[tuple[int, int]]) -> None:
    machine = Machine()
    steady = clock(machine)
    passed = followed = 0
    for nanoseconds, step in history:
        machine.pass_by(nanoseconds, drift=step)
        passed += nanoseconds
        if abs(step) <= STEP_NS:
            followed += step
        assert steady() == START + passed + followed
    assert steady.stepped_ns == machine.wall - START - passed - followed
