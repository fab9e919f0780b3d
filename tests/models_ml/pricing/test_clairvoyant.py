"""The best posted prices: against trying everything, and against everybody else."""

from __future__ import annotations

from functools import cache
from math import erf, exp, log, sqrt

import numpy as np
import pytest

from models_ml.pricing.simulation.clairvoyant import LEAST, Ideal, Normal, expected_revenue
from models_ml.pricing.simulation.figures import counted
from models_ml.pricing.simulation.fixed_price import best_fixed
from models_ml.pricing.simulation.terms import Rival
from models_ml.pricing.simulation.world import World
from tests.models_ml.pricing.small import SMALL, world


def tail(point: float) -> float:
    return (1 - erf(point / sqrt(2))) / 2


def test_the_normal_tail_is_right() -> None:
    normal = Normal(0.4)
    points = np.array([-7.0, -2.0, 0.0, 0.3, 1.7, 4.0, 7.0])
    assert normal.tail(points) == pytest.approx([tail(point) for point in points], abs=1e-6)


@pytest.mark.parametrize("cost", [0.0, 0.2, 0.8, 1.5, 3.0])
def test_the_best_price_is_the_best_of_many(cost: float) -> None:
    normal, tried = Normal(0.4), np.linspace(0.05, 12.0, 40_000)
    gains = normal.sale(tried, np.ones_like(tried)) * (tried - cost)
    found = float(normal.best(np.array([cost]))[0])
    assert found == pytest.approx(tried[gains.argmax()], rel=0.01)


def brute_force(market: World, lead: int) -> float:
    """By trying every whole price at every hour, one lead at a time."""
    terms, leads = market.terms, market.leads
    row = np.array([lead])

    @cache
    def worth(age: int, seats: int) -> float:
        if not seats or age == 24 * terms.life_days_most:
            return 0.0
        hour = int(leads.listed[lead]) + age
        level = float(market.levels(row, np.array([hour + 0.5]))[0])
        rate = float(leads.traffic[lead] * market.weather.traffic[leads.kind[lead], hour])
        stays = exp(-float(terms.churn.hazard_at(np.array([age / 24]))[0]) / 24)
        later, one_less = worth(age + 1, seats), worth(age + 1, seats - 1)

        def bought(price: int) -> float:
            waves, share = market.weather.rival, 1.0
            if waves is not None and price > level * exp(float(waves[hour])):
                assert terms.rival is not None
                share -= terms.rival.share
            return share * tail(log(price / level) / terms.spread)

        gain = max(bought(price) * (price + one_less - later) for price in range(LEAST, 200))
        return stays * (later + rate * max(0.0, gain))

    for age in range(24 * terms.life_days_most, -1, -12):
        worth(age, int(leads.seats[lead]))
    return worth(0, int(leads.seats[lead]))


@pytest.mark.parametrize("rival", [None, Rival()])
def test_the_recursion_is_as_good_as_trying_everything(rival: Rival | None) -> None:
    market = world(3, life_days_most=3, has_rhythm=True, rival=rival)
    ideal = Ideal(market)
    for lead in range(0, market.leads.size, 40):
        found = ideal.revenue[market.leads.seats[lead] - 1, lead]
        assert found == pytest.approx(brute_force(market, lead), rel=2e-4)


def test_nobody_is_expected_to_earn_more() -> None:
    market = world(5)
    all_leads = np.ones(market.leads.size, np.bool_)
    ideal = Ideal(market).revenue[market.leads.seats - 1, np.arange(market.leads.size)].sum()
    for scale in (0.5, 0.8, 1.0, 1.3, 2.0):
        constant = market.levels(np.arange(market.leads.size), market.leads.listed + 0.0)
        assert expected_revenue(market, np.maximum(LEAST, scale * constant), all_leads) < ideal


def test_the_best_single_price_is_the_best_of_all() -> None:
    fixed = best_fixed(SMALL, seeds=(11, 12))
    chosen = [world(seed) for seed in (11, 12)]

    def revenue(price: float) -> float:
        total = 0.0
        for each in chosen:
            some = counted(each)
            some[np.arange(len(some)) % 3 > 0] = False
            total += expected_revenue(each, np.full(each.leads.size, price), some)
        return total

    tried = {price: revenue(float(price)) for price in range(1, 80)}
    assert revenue(float(fixed.price)) >= 0.995 * max(tried.values())
    assert 0.4 < fixed.scale < 2.0
