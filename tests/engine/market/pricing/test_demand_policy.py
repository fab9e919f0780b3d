"""Policy `demand`: its prices as parts, what it earns where it had to learn, its checkpoint."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.pricing.demand_policy import DemandPolicy
from engine.market.pricing.optimal_price import table_for
from engine.market.pricing.parts import AGE_MAX, COMMIT_HOURS, DEMAND_MAX, HOUR_US, ONE, SEATS_MAX
from engine.market.pricing.policies import make
from engine.market.pricing.policy import LeadView, Multipliers, Trials
from engine.market.pricing.price_lookup import (
    AGE_LEAST,
    DEMAND_LEAST,
    LIFE_HOURS,
    Decided,
    PriceLookup,
)
from engine.market.pricing.segments import Segments
from tests.engine.market.pricing.known_demand import (
    BASE,
    MONDAY,
    KnownMarket,
    Tree,
    log_prices,
    tree,
    truth_of,
)

_levels = st.floats(-1.5, 1.5)
_arrivals = st.floats(1e-5, 10.0)
_sigmas = st.floats(0.2, 1.2)
_decays = st.floats(1e-4, 0.014)
_hazards = st.floats(1e-4, 0.02)
_decided = st.builds(
    lambda level, arrivals, sigma, decay, hazard: Decided(
        np.array([level]), np.array([arrivals]), sigma, decay, hazard
    ),
    _levels,
    _arrivals,
    _sigmas,
    _decays,
    _hazards,
)


def _view(ages: np.ndarray, left: int | np.ndarray, seats: int, segment: int = 0) -> LeadView:
    count = len(ages)
    return LeadView(
        np.full(count, BASE, np.int64),
        np.full(count, segment, np.int32),
        ages.astype(np.float64),
        np.broadcast_to(np.asarray(left, np.int16), count),
        np.full(count, seats, np.int16),
    )


def _product(parts: Multipliers) -> np.ndarray:
    return parts.demand / ONE * parts.age / ONE * parts.seats / ONE


@given(_decided, st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_prices_are_monotone_in_age_and_seats_and_within_bounds(
    decided: Decided, seats: int
) -> None:
    lookup = PriceLookup(decided)
    ages = np.linspace(0, LIFE_HOURS * 1.2, 400)
    by_left = [lookup.price(_view(ages, left, seats)) for left in range(1, seats + 1)]
    for parts in by_left:
        assert (np.diff(parts.age) <= 0).all()
        assert parts.age[0] == ONE
        assert AGE_LEAST <= parts.age.min() <= parts.age.max() <= AGE_MAX
        assert ONE <= parts.seats.min() <= parts.seats.max() <= SEATS_MAX
        assert DEMAND_LEAST <= parts.demand.min() <= parts.demand.max() <= DEMAND_MAX
        assert parts.rate.min() >= 0
    for fewer, more in pairwise(by_left):
        assert (fewer.seats >= more.seats).all()
    assert (by_left[-1].seats == ONE).all()


@given(_decided, st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_more_arrivals_never_lower_the_price(decided: Decided, seats: int) -> None:
    arrivals = decided.arrivals[0] * np.geomspace(1, 30, 40)
    many = decided._replace(level=np.repeat(decided.level, 40), arrivals=arrivals)
    lookup = PriceLookup(many)
    demand = [
        lookup.price(_view(np.zeros(1), seats, seats, segment)).demand[0] for segment in range(40)
    ]
    assert (np.diff(demand) >= 0).all()


@given(_decided, st.integers(1, 5), st.integers(1, 5), st.floats(0, LIFE_HOURS))
@settings(max_examples=60, deadline=None)
def test_the_parts_make_the_optimal_price(
    decided: Decided, seats: int, left: int, age: float
) -> None:
    left = min(left, seats)
    fading = decided.hazard + decided.decay
    table = table_for(decided.sigma)
    life = fading * (LIFE_HOURS - age)
    optimal = math.exp(decided.level[0] - decided.decay * age) * float(
        table.prices(left, life, decided.arrivals[0] / fading)
    )
    parts = PriceLookup(decided).price(_view(np.array([age]), left, seats))
    on_bound = (
        parts.demand[0] in (DEMAND_LEAST, DEMAND_MAX)
        or parts.age[0] == AGE_LEAST
        or parts.seats[0] == SEATS_MAX
    )
    # Interpolation between ages, the nearest rate, and whole ten-thousandths.
    if not on_bound and parts.age[0] > 1_000:
        assert _product(parts)[0] == pytest.approx(optimal, rel=0.035)


@given(_decided, st.integers(1, 5), st.floats(0, LIFE_HOURS))
@settings(max_examples=60, deadline=None)
def test_the_committed_decay_is_kept_by_the_price_itself(
    decided: Decided, seats: int, age: float
) -> None:
    lookup = PriceLookup(decided)
    hours = np.arange(COMMIT_HOURS + 1.0)
    parts = lookup.price(_view(age + hours, seats, seats))
    price = _product(parts)
    promised = price[0] * np.exp(-parts.rate[0] / 1e6 * hours)
    if parts.age.min() > 500 and age < LIFE_HOURS - 100:
        assert (price <= promised * 1.01).all()


def test_a_lead_out_of_the_grid_costs_what_the_nearest_in_it_does() -> None:
    policy = DemandPolicy(Tree([-1, 0]))
    odd = LeadView(
        np.full(5, BASE, np.int64),
        np.zeros(5, np.int32),
        np.array([np.nan, -5.0, 1e9, np.inf, 0.0]),
        np.array([0, 9, 1, 1, -3], np.int16),
        np.array([0, 9, 1, 1, 5], np.int16),
    )
    near = LeadView(
        np.full(5, BASE, np.int64),
        np.zeros(5, np.int32),
        np.array([0.0, 0.0, LIFE_HOURS, LIFE_HOURS, 0.0]),
        np.array([1, 5, 1, 1, 1], np.int16),
        np.array([1, 5, 1, 1, 5], np.int16),
    )
    for one, other in zip(policy.price(odd), policy.price(near), strict=True):
        assert (one == other).all()


def test_first_prices_are_sane_and_it_knows_its_name() -> None:
    policy = make("demand@1", Segments())
    parts = policy.price(_view(np.array([0.0, 24 * 17, 24 * 34]), 3, 3))
    price = _product(parts)
    assert 0.7 < price[0] < 1.5
    assert price[1] / price[0] == pytest.approx(0.5, abs=0.05)
    assert (policy.name, policy.version) == ("demand", 1)


@pytest.mark.parametrize(("seed", "depth"), [(1, 0.0), (2, 0.7)])
def test_it_earns_what_the_clairvoyant_does_and_soon_again_after_a_shock(
    seed: int, depth: float
) -> None:
    """Expected revenue at its prices, of the best there is: at least 95 % after 14 days and about
    5,000 trials; again within 3 days, some 900 trials, after all valuations fall by 30 %."""
    rng = np.random.default_rng(seed)
    segments = tree(4, 3, 3)
    market = KnownMarket(segments, truth_of(segments, rng), leads=8, seats=3, depth=depth)
    policy = DemandPolicy(segments)
    market.run(policy, 14 * 24, rng, step=4)
    assert market.trials < 6_000
    assert market.share(policy) > 0.95
    market.truth = market.truth._replace(level=market.truth.level + math.log(0.7))
    shocked = market.share(policy)
    assert shocked < 0.93
    market.run(policy, 3 * 24, rng, step=4)
    assert market.share(policy) > 0.95


def test_what_it_explores_fades_as_it_learns_and_prices_do_not_oscillate() -> None:
    rng = np.random.default_rng(3)
    segments = tree(3, 3, 2)
    market = KnownMarket(segments, truth_of(segments, rng), leads=12, seats=3)
    policy = DemandPolicy(segments)
    fresh = np.zeros(len(market.leaves))
    left = np.full(len(fresh), 3, np.int16)
    track, explored = [], []
    for _ in range(40 * 6):
        market.run(policy, 4, rng, step=4)
        track.append(log_prices(policy, market.leaves, fresh, left, 3))
        explored.append(np.abs(policy.decided.level - policy.believed.level)[market.leaves].mean())
    assert np.mean(explored[-60:]) < 0.6 * np.mean(explored[12:72])
    # A material change (2 %) in the other direction than the last: not every other day.
    assert _turns(np.array(track)[60:], 0.02) < 0.7 * 30


def _turns(track: np.ndarray, least: float) -> float:
    """Mean number of changes of direction among moves of at least `least` from the last price."""
    turns = []
    for prices in track.T:
        shown, direction, count = prices[0], 0.0, 0
        for price in prices:
            if abs(price - shown) >= least:
                sign = math.copysign(1.0, price - shown)
                count += sign == -direction
                shown, direction = price, sign
        turns.append(count)
    return float(np.mean(turns))


def _policy_with_a_past(segments: Tree, seed: int) -> tuple[DemandPolicy, np.random.Generator]:
    rng = np.random.default_rng(seed)
    market = KnownMarket(segments, truth_of(segments, rng), leads=4, seats=2)
    policy = DemandPolicy(segments)
    market.run(policy, 48, rng, step=4)
    return policy, rng


def _prices(policy: DemandPolicy, count: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    view = LeadView(
        np.full(500, BASE, np.int64),
        rng.integers(0, count, 500).astype(np.int32),
        rng.uniform(0, 900, 500),
        rng.integers(1, 6, 500).astype(np.int16),
        np.full(500, 5, np.int16),
    )
    return [part.tolist() for part in policy.price(view)]


def test_a_checkpoint_goes_on_with_the_same_decisions() -> None:
    segments = tree(2, 2, 2)
    policy, _ = _policy_with_a_past(segments, 4)
    restored = DemandPolicy(segments)
    restored.load(policy.dump())
    count = len(segments.parents)
    assert _prices(restored, count) == _prices(policy, count)
    for each in (policy, restored):
        rng, again = np.random.default_rng(9), np.random.default_rng(10)
        market = KnownMarket(segments, truth_of(segments, again), leads=4, seats=2)
        market.now = MONDAY + 60 * HOUR_US
        market.run(each, 48, rng, step=4)
    assert _prices(restored, count) == _prices(policy, count)
    assert restored.dump() == policy.dump()


def test_segments_that_are_new_since_the_checkpoint_are_like_their_parents() -> None:
    segments = tree(2, 2, 2)
    policy, rng = _policy_with_a_past(segments, 5)
    dumped = policy.dump()
    count = len(segments.parents)
    segments.parents = np.append(segments.parents, [count - 1, count]).astype(np.int32)
    for each in (policy, DemandPolicy(segments)):
        each.load(dumped)
        grown = each.price(_view(np.zeros(1), 2, 2, count + 1))
        parent = each.price(_view(np.zeros(1), 2, 2, count - 1))
        assert [part.tolist() for part in grown] == [part.tolist() for part in parent]
        each.decide(MONDAY + 49 * HOUR_US, rng)
        decided = each.believed
        assert decided.level[count + 1] == pytest.approx(decided.level[count - 1])


@pytest.mark.parametrize("data", [b"", b"junk", b"\x80", b"\xc0", b"\x81\xa6format\x02"])
def test_what_is_no_checkpoint_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="dump"):
        DemandPolicy(Tree([-1, 0])).load(data)


def test_a_checkpoint_of_more_segments_than_are_known_is_refused() -> None:
    policy, _ = _policy_with_a_past(tree(2, 2, 2), 6)
    with pytest.raises(ValueError, match="segments"):
        DemandPolicy(Tree([-1, 0])).load(policy.dump())


@given(st.integers(0, 2**32), st.floats(0.01, 500))
@settings(max_examples=25, deadline=None)
def test_whatever_it_is_told_it_prices_every_lead(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    segments = tree(2, 2, 2)
    policy = DemandPolicy(segments)
    count = len(segments.parents)
    for step in range(4):
        number = int(rng.integers(0, 200))
        policy.learn(
            Trials(
                rng.integers(0, count, number).astype(np.int32),
                rng.normal(0, scale, number),
                rng.exponential(scale * 100, number),
                rng.uniform(-1, 3, number),
                rng.random(number) < rng.random(),
                rng.integers(0, 2**53, number),
            ),
            MONDAY,
        )
        exposure = np.asarray(rng.exponential(scale, count), np.float64)
        policy.pass_time(exposure, rng.poisson(scale, count).astype(np.float64), scale, MONDAY)
        policy.decide(MONDAY + int(step * scale * HOUR_US), rng)
        seats = rng.integers(1, 6, 300).astype(np.int16)
        parts = policy.price(
            LeadView(
                rng.integers(1, 500_000, 300),
                rng.integers(0, count, 300).astype(np.int32),
                rng.exponential(scale * 10, 300),
                seats,
                rng.integers(1, 6, 300).astype(np.int16),
            )
        )
        assert DEMAND_LEAST <= parts.demand.min() <= parts.demand.max() <= DEMAND_MAX
        assert AGE_LEAST <= parts.age.min() <= parts.age.max() <= ONE
        assert ONE <= parts.seats.min() <= parts.seats.max() <= SEATS_MAX
