"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

_NORMAL_975 = 1.959963984540054


class Estimate(NamedTuple):
    """A mean with the ends of its 95 % interval; both None if there is only one value."""

    mean: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of paired differences or ratios, one a seed, with Student's interval.

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values to take the mean of")
    mean = fmean(values)
    if len(values) < 2:
        return Estimate(mean, None, None)
    half = student_975(len(values) - 1) * stdev(values) / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half)


def student_975(freedom: int) -> float:
    """The 97.5 % point of Student's distribution, to 1 % from 2 degrees of freedom up
    (Abramowitz & Stegun 26.7.5); exact for 1 and 2."""
    if freedom < 1:
        raise ValueError(f"{freedom} degrees of freedom")
    if freedom <= 2:
        return (12.706204736, 4.30265273)[freedom - 1]
    z = _NORMAL_975
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** (power + 1) for power, term in enumerate(terms))
