"""The price of a lead in words and numbers that anyone can check.

`factors_of` says what made a price; `price_from` makes the price again of those words alone,
as a reader of the API would.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from engine.market.pricing.parts import (
    COMMIT_HOURS,
    CREDIT,
    HOUR_US,
    ONE,
    PriceParts,
    committed_at_most,
)
from engine.market.pricing.repricing import ANY_STEP

Factor = dict[str, Any]

FORMULA = (
    "base x demand x age x seats, rounded half up to whole credits; then at most the ceiling, at"
    " least the floor, no further from the price before than the step limit, and at least 1"
)
SET_FORMULA = "set by hand, or before prices said what makes them"


def factors_of(parts: PriceParts) -> list[Factor]:
    """What makes the price, in the order in which it does. The first price of a new lead has no
    step limit."""
    factors: list[Factor] = [
        {"name": "base", "credits": f"{parts.base // CREDIT}.{parts.base % CREDIT:03d}"},
        *(
            {"name": name, "times": f"{times // ONE}.{times % ONE:04d}"}
            for name, times in (
                ("demand", parts.demand),
                ("age", parts.age),
                ("seats", parts.seats),
            )
        ),
        {"name": "ceiling", "at_most": parts.ceiling},
        {"name": "floor", "at_least": parts.floor},
    ]
    if parts.previous and parts.step < ANY_STEP:
        factors.append({"name": "step limit", "before": parts.previous, "by_at_most": parts.step})
    return factors


def set_factor(price: int) -> Factor:
    """The one factor of a price of which nothing else is known."""
    return {"name": "set", "credits": f"{price}.000"}


def price_from(factors: Sequence[Factor]) -> int:
    """The price in credits that the factors make. Raises ValueError on a factor nobody knows."""
    product = Fraction(1)
    price: int | None = None
    for factor in factors:
        if "credits" in factor or "times" in factor:
            product *= Fraction(factor["credits" if "credits" in factor else "times"])
            continue
        if price is None:
            price = _half_up(product)
        if "at_most" in factor:
            price = min(price, factor["at_most"])
        elif "at_least" in factor:
            price = max(price, factor["at_least"])
        elif "by_at_most" in factor:
            before, step = factor["before"], factor["by_at_most"]
            price = max(before - step, min(before + step, price))
        else:
            raise ValueError(f"nobody knows the factor {factor}")
    return max(1, _half_up(product) if price is None else price)


def path_of(parts: PriceParts, price: int, now: int, *, is_open: bool) -> list[tuple[int, int]]:
    """(µs, most the price will be in credits) at `now` and every hour after it for as long as is
    committed to; just now without a commitment. `is_open`: nobody acted on the lead since."""
    found = [(now, price)]
    if not is_open or not parts.committed_at:
        return found
    for hour in range(1, COMMIT_HOURS + 1):
        most = committed_at_most(parts, at := now + hour * HOUR_US)
        if most is None:
            break
        found.append((at, min(price, most)))
    return found


def _half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
