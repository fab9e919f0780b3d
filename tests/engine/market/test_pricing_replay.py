"""A recorded market under another policy: whose prices are whose, and what sales would meet."""

from __future__ import annotations

import numpy as np

from engine.market import events as e
from engine.market.listing import Listing
from engine.market.pricing.experiment import market_prices, plan_of
from engine.market.pricing.parts import CREDIT, HOUR_US
from engine.market.pricing.replay import Replay

NOW = 1_800_000_000_000_000
DAY = 24 * HOUR_US


def _replayed(policy: str, events: list[tuple[e.Event, int]]) -> Replay:
    prices = market_prices(plan_of(policy, ""))
    replay = Replay(prices, np.random.default_rng(1), HOUR_US)
    for event, at in events:
        replay.before(event, at)
        prices.apply(event, at)
        for each in prices.unvalued(9):
            prices.set_base([each.lead_id], [40 * CREDIT])
    return replay


def _recorded() -> list[tuple[e.Event, int]]:
    """A lead that was never repriced but once, by hand, and sold a seat now and then."""
    listing = Listing(list_price=600_000)
    return [
        (e.LeadListed("a", 40, 3, listing), NOW),
        (e.LeadSold("a", "ann", 1, 40, "o1"), NOW + 60),
        (e.LeadSold("a", "bob", 2, 40, "o2"), NOW + 10 * DAY),
        (e.LeadsRepriced("a", ("a",), (10,), "by hand"), NOW + 11 * DAY),
        (e.LeadSold("a", "cid", 3, 10, "o3"), NOW + 12 * DAY),
        (e.LeadUpdated("a", listing), NOW + 40 * DAY),
    ]


def test_a_policy_that_changes_nothing_shows_nothing() -> None:
    replay = _replayed("fixed@1", _recorded()[:3])
    assert replay.replayed_changes == 0
    assert replay.sum_apart == 0
    assert replay.sales == (2, 0, 0, 80, 80)
    (path,) = replay.paths()
    assert path.recorded == path.replayed == [(NOW, 40)]


def test_sales_meet_the_other_policys_prices() -> None:
    replay = _replayed("decay@1", _recorded())
    (path,) = replay.paths()
    assert path.recorded == [(NOW, 40), (NOW + 11 * DAY, 10)]
    prices = [price for _, price in path.replayed]
    assert prices[0] == 40
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] > 10
    assert path.difference == prices[-1] - 10
    # At listing the same, later lower than the price that stood, then above that by hand.
    assert replay.sales[:3] == (1, 1, 1)
    assert replay.sales.credits_recorded == 90
    assert 90 < replay.sales.credits_replayed < 120
    # A lead that sold out is not priced any more.
    assert path.replayed[-1][0] <= NOW + 12 * DAY


def test_what_was_recorded_is_left_as_it_was() -> None:
    events = _recorded()
    replay = _replayed("decay@1", events)
    alone = market_prices(plan_of("decay@1", ""))
    for event, at in events:
        alone.apply(event, at)
    columns = replay.prices.columns
    assert columns.price[0] == alone.columns.price[0] == 10
    assert columns.changed_at[0] == alone.columns.changed_at[0]
