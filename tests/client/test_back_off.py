"""How readers come back after a server went: spread, later and later, bounded."""

from __future__ import annotations

import random

import pytest

from aiqleads.client.feed.back_off import BackOff

READERS = 10_000
BINS = 20


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_storm_of_readers_comes_back_spread_over_the_whole_window(failures: int) -> None:
    pauses = [
        BackOff(rng=random.Random(reader), failures=failures).pause() for reader in range(READERS)
    ]
    window = 2.0**failures
    counts = [0] * BINS
    for pause in pauses:
        assert 0 <= pause <= window
        counts[min(BINS - 1, int(pause / window * BINS))] += 1
    even = READERS / BINS
    # Chi-squared with 19 degrees of freedom: 43.8 is passed once in a thousand fair draws.
    assert sum((count - even) ** 2 / even for count in counts) < 43.8


def test_two_readers_with_one_seed_come_together_and_with_two_apart() -> None:
    def course(seed: int) -> list[float]:
        back_off = BackOff(rng=random.Random(seed))
        return [back_off.pause() for _ in range(8)]

    assert course(1) == course(1)
    assert course(1) != course(2)


def test_windows_double_up_to_a_bound_and_shrink_after_a_good_while() -> None:
    class Most(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    back_off = BackOff(rng=Most())
    assert [back_off.pause() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    for _ in range(5_000):
        assert back_off.pause() == 30
    back_off.recover()
    assert back_off.pause() == 1
    assert back_off.pause(at_least=5) == 7
