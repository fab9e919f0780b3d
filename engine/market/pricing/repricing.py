"""A market's prices in columns: what each lead should cost now, and which of them change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market.pricing.lead_columns import LeadColumns
from engine.market.pricing.parts import (
    AGE_MAX,
    COMMIT_HOURS,
    DEMAND_MAX,
    HOUR_US,
    RATE_SCALE,
    SEATS_MAX,
    Ints,
    PartsColumns,
    caps_of,
    exact_targets,
    prices_of,
    targets_of,
)
from engine.market.pricing.policy import LeadView, Multipliers, Policy
from engine.market.pricing.rails import Rails

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# Why a price moved: the part that changed most since the price before, `limits` where it only
# follows its target step by step or falls as committed.
REASONS = ("value", "demand", "age", "seats", "limits")
_UNCAPPED = 2**31 - 1
ANY_STEP = 2**31 - 1
# For so long a lead counts as new, µs.
NEW_US = 6 * HOUR_US
# So many leads are repriced at a time.
BLOCK = 8_192


class Arm(NamedTuple):
    """A policy that prices part of a market's leads, and the number prices name it by."""

    number: int
    policy: Policy


class Change(NamedTuple):
    """Prices that change: rows of the columns, prices with their parts, indices into REASONS."""

    rows: Rows
    prices: Ints
    parts: PartsColumns
    reasons: npt.NDArray[np.intp]


def changes(
    columns: LeadColumns, rows: Rows, arms: Sequence[Arm], rails: Rails, now: int
) -> Change:
    """Reprice the leads at `rows`, in ascending order, by the arm of each; `now` in µs. Changes
    nothing in `columns`."""
    blocks = [_changes(columns, picked, arms, rails, now) for picked in _blocks(columns, rows)]
    if len(blocks) == 1:
        return blocks[0]
    parts = (block.parts for block in blocks)
    return Change(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.prices for block in blocks]),
        PartsColumns(*(np.concatenate(column) for column in zip(*parts, strict=True))),
        np.concatenate([block.reasons for block in blocks]),
    )


def _blocks(columns: LeadColumns, rows: Rows) -> list[Any]:
    """The rows in pieces that stay in a core's cache while they are worked on; where most of a
    piece of the columns is asked for, the whole piece, which copies nothing."""
    if 2 * len(rows) > len(columns):
        starts = range(0, len(columns), BLOCK)
        return [slice(start, min(start + BLOCK, len(columns))) for start in starts]
    return [rows[start : start + BLOCK] for start in range(0, max(1, len(rows)), BLOCK)]


def _changes(
    columns: LeadColumns, picked: Any, arms: Sequence[Arm], rails: Rails, now: int
) -> Change:
    base, previous = columns.base[picked], columns.price[picked]
    multipliers = _multipliers(columns, picked, arms, now)
    floor, ceiling = rails.bounds(base)
    holds = _is_committed(columns, picked, now)
    caps = _caps(columns, picked, holds, floor, now)
    np.minimum(ceiling, caps, out=ceiling)
    parts = PartsColumns(
        policy=previous,
        base=base,
        demand=np.clip(multipliers.demand, 1, DEMAND_MAX),
        age=np.clip(multipliers.age, 1, AGE_MAX),
        seats=np.clip(multipliers.seats, 1, SEATS_MAX),
        previous=previous,
        step=_steps(columns, picked, rails, previous, now),
        floor=floor,
        ceiling=ceiling,
        rate=multipliers.rate,
        committed=previous,
        committed_at=previous,
    )
    prices = prices_of(parts)
    moved = rails.is_material(previous, prices, exact_targets(parts))
    moved &= columns.changed_at[picked] <= now - rails.cool_down_us
    # What was committed is kept, however small the change and however young the price.
    moved |= (previous > caps) & (prices != previous)
    moved &= columns.is_offered[picked]
    chosen = np.flatnonzero(moved)
    changed = chosen + picked.start if isinstance(picked, slice) else picked[chosen]
    prices = prices[chosen]
    made = _with_commitment(columns, changed, parts.take(chosen), prices, holds[chosen], now)
    numbers = np.array([arm.number for arm in arms], np.int64)
    made = made._replace(policy=numbers[columns.arm[changed]])
    return Change(changed, prices, made, _reasons(columns, changed, made))


def _steps(columns: LeadColumns, picked: Any, rails: Rails, previous: Ints, now: int) -> Ints:
    """The most each price may move. The listing table's price of a new lead is a stopgap: the
    first that a policy decides for replaces it at once, as long as the lead is new."""
    is_new = columns.changed_at[picked] == 0
    is_new &= columns.listed_at[picked] >= now - NEW_US
    return np.where(is_new, ANY_STEP, rails.steps(previous))


def view_of(columns: LeadColumns, picked: Any, now: int) -> LeadView:
    """What policies see of the leads at `picked`, rows or a slice."""
    max_buyers = columns.max_buyers[picked]
    return LeadView(
        base=columns.base[picked],
        segment=columns.segment[picked],
        age=np.maximum(now - columns.listed_at[picked], 0) / HOUR_US,
        seats_left=np.maximum(max_buyers - columns.sold[picked], np.int16(1)),
        max_buyers=max_buyers,
    )


def _multipliers(columns: LeadColumns, picked: Any, arms: Sequence[Arm], now: int) -> Multipliers:
    view = view_of(columns, picked, now)
    if len(arms) == 1:
        return arms[0].policy.price(view)
    belongs = columns.arm[picked]
    whole = Multipliers(*(np.empty(len(belongs), np.int64) for _ in Multipliers._fields))
    for number, arm in enumerate(arms):
        own = np.flatnonzero(belongs == number)
        part = arm.policy.price(
            LeadView(
                view.base[own],
                view.segment[own],
                view.age[own],
                view.seats_left[own],
                view.max_buyers[own],
            )
        )
        for into, values in zip(whole, part, strict=True):
            into[own] = values
    return whole


def _is_committed(columns: LeadColumns, picked: Any, now: int) -> Mask:
    """Whether what was committed still holds: time is not over, and nobody acted on the lead."""
    since = columns.committed_at[picked]
    holds: Mask = (since >= now - COMMIT_HOURS * HOUR_US) & (since > 0)
    holds &= columns.acted_at[picked] <= since
    return holds


def _caps(columns: LeadColumns, picked: Any, holds: Mask, floor: Ints, now: int) -> Ints:
    """What each price must not exceed, credits."""
    caps = np.full(len(holds), _UNCAPPED, np.int64)
    some = np.flatnonzero(holds)
    if len(some):
        hours = (now - columns.committed_at[picked][some]) / HOUR_US
        falling = caps_of(columns.committed[picked][some], columns.rate[picked][some], hours)
        caps[some] = np.maximum(falling, floor[some])
    return caps


def _with_commitment(
    columns: LeadColumns, rows: Rows, parts: PartsColumns, prices: Ints, holds: Mask, now: int
) -> PartsColumns:
    """What was committed goes on while it holds; else the price commits anew, to what it is on its
    way to where that takes more than one step: else each step up would block the next."""
    aims = np.clip(targets_of(*parts[1:5]), parts.floor, parts.ceiling)
    return parts._replace(
        rate=np.where(holds, columns.rate[rows], np.clip(parts.rate, 0, RATE_SCALE)),
        committed=np.where(holds, columns.committed[rows], np.maximum(prices, aims)),
        committed_at=np.where(holds, columns.committed_at[rows], now),
    )


def _reasons(columns: LeadColumns, rows: Rows, parts: PartsColumns) -> npt.NDArray[np.intp]:
    before = (columns.drawn_base, columns.drawn_demand, columns.drawn_age, columns.drawn_seats)
    after = (parts.base, parts.demand, parts.age, parts.seats)
    most = np.full(len(rows), 1e-9)
    reasons = np.full(len(rows), len(REASONS) - 1)
    for reason, (column, part) in enumerate(zip(before, after, strict=True)):
        drawn = column[rows]
        # A lead whose first parts these are has nothing to compare with.
        shift = np.abs(part - drawn) / np.maximum(drawn, 1)
        shift *= drawn > 0
        larger = shift > most
        reasons[larger] = reason
        most[larger] = shift[larger]
    reasons[columns.drawn_base[rows] == 0] = 0
    return reasons
