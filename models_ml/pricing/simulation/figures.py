"""What one run comes to: revenue, what stayed unsold, how prices moved and how right they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.clairvoyant import Ideal
from models_ml.pricing.simulation.desk import OPENED_AT
from models_ml.pricing.simulation.record import Record
from models_ml.pricing.simulation.terms import ALL_KINDS, Shock
from models_ml.pricing.simulation.world import World

Floats = npt.NDArray[np.float64]


class Figures(NamedTuple):
    """Of the leads listed after the learning period, followed until they left the market.

    `revenue` in credits; `unsold` the share of seats, `unsold_leads` of leads without a sale;
    `hours_to_sale` the median from listing, over seats sold. `changes` and `turns` (changes
    against the direction of the last) per lead, `turns_a_day` per lead and day on offer.
    """

    revenue: int
    sales: int
    unsold: float
    unsold_leads: float
    hours_to_sale: float
    changes: float
    turns: float
    turns_a_day: float


class Course(NamedTuple):
    """The run by time: `revenue` by day of all leads, `error` by hour: the mean over leads on
    offer of ln(price / the best price for the lead as it then stood), nan where there is none;
    `spread` by hour the standard deviation of the same."""

    revenue: Floats
    error: Floats
    spread: Floats


def counted(world: World) -> npt.NDArray[np.bool_]:
    """Leads listed after the learning period."""
    listed: npt.NDArray[np.bool_] = world.leads.listed >= 24 * world.terms.learning_days
    return listed


def figures_of(world: World, record: Record) -> Figures:
    counts = counted(world)
    sold = np.zeros(world.leads.size, np.int64)
    revenue, waits = 0, []
    for sale, at in zip(record.sales, record.sale_hours(OPENED_AT).tolist(), strict=True):
        if counts[sale.lead]:
            sold[sale.lead] += 1
            revenue += sale.price
            waits.append(at - int(world.leads.listed[sale.lead]))
    seats = int(world.leads.seats[counts].sum())
    on_offer = (record.prices[:, counts] > 0).sum()
    return Figures(
        revenue=revenue,
        sales=int(sold.sum()),
        unsold=1 - int(sold.sum()) / seats,
        unsold_leads=float((sold[counts] == 0).mean()),
        hours_to_sale=float(np.median(waits)) if waits else float("nan"),
        changes=float(record.changes[counts].mean()),
        turns=float(record.turns[counts].mean()),
        turns_a_day=float(record.turns[counts].sum() / max(1, on_offer) * 24),
    )


def course_of(world: World, record: Record, ideal: Ideal, kind: int = ALL_KINDS) -> Course:
    """The course of the leads of a `kind`, or of all."""
    hours = world.terms.hours
    chosen = (world.leads.kind == kind) | (kind == ALL_KINDS)
    error, spread = np.full(hours, np.nan), np.full(hours, np.nan)
    for hour in range(hours):
        offered = np.flatnonzero((record.prices[hour] > 0) & chosen)
        if len(offered):
            left = record.seats_left[hour, offered].astype(np.int64)
            best = ideal.prices_at(offered, hour, left)
            off = np.log(record.prices[hour, offered] / best)
            error[hour], spread[hour] = off.mean(), off.std()
    revenue = np.zeros(hours // 24)
    days = (record.sale_hours(OPENED_AT) // 24).astype(np.int64)
    for sale, day in zip(record.sales, days.tolist(), strict=True):
        if chosen[sale.lead]:
            revenue[min(day, len(revenue) - 1)] += sale.price
    return Course(revenue, error, spread)


# Prices have recovered when they are so near to the best ones, on average, for so many hours.
NEAR, _STAYS = 0.05, 12


def recovery_hours(errors: Floats, shock: Shock) -> float | None:
    """Hours after `shock` until prices are within 5 % of the best ones for twelve hours on end;
    None if they never are. `errors` is a `Course.error`, or the mean of several."""
    near = np.abs(errors[int(shock.day * 24) :]) <= NEAR
    for hour in range(len(near) - _STAYS):
        if near[hour : hour + _STAYS].all():
            return float(hour)
    return None
