"""Runs of a small simulated market on the real book: nothing is lost, and the same seed tells the
same story."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from engine.market.pricing import policies
from models_ml.pricing.simulation.clairvoyant import Ideal
from models_ml.pricing.simulation.collusion import influence_of
from models_ml.pricing.simulation.compare import (
    CLAIRVOYANT,
    FIXED,
    SCALED,
    Task,
    known_policies,
    pricer_of,
    run_seed,
)
from models_ml.pricing.simulation.desk import CREDITS, OPENED_AT
from models_ml.pricing.simulation.fixed_price import FixedPrices
from models_ml.pricing.simulation.floor import Floor
from models_ml.pricing.simulation.pricers import ClairvoyantPricer, ConstantPricer, RealPricer
from models_ml.pricing.simulation.terms import Bots, Collusion, Rival, Shock
from models_ml.pricing.simulation.world import World
from tests.models_ml.pricing.small import SMALL, world

EVERYTHING = {
    "has_rhythm": True,
    "shocks": (Shock(day=4, until_day=99, level=-0.3, traffic=0.4),),
    "rival": Rival(),
    "bots": Bots(),
    "held_share": 0.5,
    "idle_hold_share": 0.2,
    "standing_share": 0.2,
}
LEARNS = next(name for name in policies.names() if name.startswith("demand"))
FIXED_PRICES = FixedPrices(20, 0.9)


def a_floor(policy: str, market: World) -> Floor:
    return Floor(market, pricer_of(policy, market, Ideal(market), FIXED_PRICES))


@pytest.mark.parametrize("policy", known_policies())
def test_credits_and_seats_are_conserved(policy: str) -> None:
    market = world(2, **EVERYTHING)
    floor = a_floor(policy, market)
    record = floor.run()
    spent = Counter[str]()
    for sale in record.sales:
        spent[sale.user_id] += sale.price
    for account in floor.desk.accounts.values():
        assert CREDITS - account.balance == spent[account.user_id]
        assert account.live_holds == 0
    sold = Counter(sale.lead for sale in record.sales)
    pairs = {(sale.lead, sale.user_id) for sale in record.sales}
    assert len(pairs) == len(record.sales) > 0
    for number, lead_id in enumerate(market.leads.ids):
        lead = floor.desk.book.leads[lead_id]
        assert lead.sold == sold[number] <= lead.max_buyers == market.leads.seats[number]
        assert lead.held == 0
        assert lead.state in ("sold", "withdrawn")
    assert record.holds > 0
    assert not floor.desk.book.standing.orders


def test_everything_that_is_simulated_happens() -> None:
    market = world(2, half_life_days=2.0, **EVERYTHING)
    record = a_floor(SCALED, market).run()
    dropping = a_floor(CLAIRVOYANT, market).run()
    assert record.holds > record.holds_ended > 0
    assert record.lost_to_rival > 0
    assert any(sale.is_standing for sale in dropping.sales)
    assert market.bots is not None
    assert len(market.bots.at) == 3 * market.arrivals.size
    for sale in record.sales:
        assert sale.price <= market.valuations().max()


def test_the_same_seed_tells_the_same_story() -> None:
    first, again = (Floor(World(SMALL, 4), RealPricer(LEARNS)).run() for _ in range(2))
    assert first.sales == again.sales
    assert (first.prices == again.prices).all()
    assert Floor(World(SMALL, 5), RealPricer("decay@1")).run().sales != first.sales


def test_draws_do_not_depend_on_what_else_happens() -> None:
    plain, other = world(6), world(6, rival=Rival(), bots=Bots(), collusion=Collusion())
    assert plain.arrivals.at.tolist() == other.arrivals.at.tolist()
    assert plain.arrivals.taste.tolist() == other.arrivals.taste.tolist()
    assert plain.leads.base.tolist() == other.leads.base.tolist()


def test_arrivals_are_as_many_as_asked_for_and_distinct() -> None:
    counts = [world(seed).arrivals.size for seed in range(20, 26)]
    assert np.mean(counts) == pytest.approx(SMALL.arrivals, rel=0.1)
    market = world(20)
    arrivals, leads = market.arrivals, market.leads
    assert len(set(zip(arrivals.lead.tolist(), arrivals.account.tolist(), strict=True))) == len(
        arrivals.at
    )
    assert (arrivals.at >= leads.listed[arrivals.lead]).all()
    assert (arrivals.at < leads.left[arrivals.lead]).all()
    assert (np.diff(arrivals.at) >= 0).all()
    created = market.accounts.created[arrivals.account]
    assert (created <= arrivals.at).all()


def test_the_clairvoyant_earns_what_it_expects_and_more_than_others() -> None:
    earned, expected, others = 0.0, 0.0, Counter[str]()
    for seed in range(30, 38):
        market = world(seed)
        ideal = Ideal(market)
        record = Floor(market, ClairvoyantPricer(market, ideal, OPENED_AT)).run()
        earned += sum(sale.price for sale in record.sales)
        expected += ideal.revenue[market.leads.seats - 1, np.arange(market.leads.size)].sum()
        for name in (FIXED, SCALED):
            sales = a_floor(name, market).run().sales
            others[name] += sum(sale.price for sale in sales)
    assert earned == pytest.approx(expected, rel=0.08)
    assert earned > 1.1 * others[SCALED] > others[FIXED]


def test_a_constant_price_is_constant() -> None:
    market = world(7)
    record = Floor(market, ConstantPricer(market, np.full(market.leads.size, 17))).run()
    assert {sale.price for sale in record.sales} == {17}
    assert set(np.unique(record.prices)) == {0, 17}
    assert record.turns.sum() == 0


def test_new_accounts_that_collude_change_no_price() -> None:
    market = world(8, collusion=Collusion(day=3, every_hours=3))
    influence = influence_of(market, "decay@1")
    assert influence.target == influence.lead_most == influence.ever_most == 0.0


def test_a_seed_is_run_for_all_policies() -> None:
    terms = msgspec.structs.replace(SMALL, shocks=(Shock(day=4, until_day=99, level=-0.3),))
    outcome = run_seed(Task(terms, 9, (SCALED, CLAIRVOYANT), FIXED_PRICES))
    assert [run.policy for run in outcome.runs] == [SCALED, CLAIRVOYANT]
    clairvoyant = outcome.runs[1]
    assert np.nanmax(np.abs(clairvoyant.course.error)) < 1e-9
    assert len(clairvoyant.shocked) == 1
    assert 0 < clairvoyant.figures.unsold < 1
    assert clairvoyant.figures.hours_to_sale > 0
