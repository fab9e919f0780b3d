"""A market folded from its journal: what pricing sees is what the book has, and prices keep to
their rails whatever happened and whenever."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engine.market import events as e
from engine.market.lead import AVAILABLE, HELD
from engine.market.listing import Listing
from engine.market.pricing import policies
from engine.market.pricing.considering import PATIENCE_US, Signal
from engine.market.pricing.market_prices import MarketPrices, Proposal
from engine.market.pricing.parts import (
    COMMIT_HOURS,
    HOUR_US,
    committed_at_most,
    price_of,
    unpack,
)
from engine.market.pricing.policy import Policy, Trials
from engine.market.pricing.repricing import ANY_STEP, NEW_US, Arm
from engine.market.pricing.segments import Segments
from engine.market.pricing.trust import DAY_US, PAID_ENOUGH
from engine.market.standing_terms import StandingTerms
from tests.engine.market.history import random_history
from tests.engine.market.trading_floor import TradingFloor

NOW = 20_000 * DAY_US
NAMES = policies.names()


def market(*names: str, share: float = 0.0) -> MarketPrices:
    segments = Segments()
    arms = [Arm(policies.number_of(name), policies.make(name, segments)) for name in names]
    return MarketPrices(segments, arms, experiment="one", share=share)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def listed(prices: MarketPrices, lead_id: str = "lead", price: int = 40, seats: int = 3) -> None:
    listing = Listing(list_price=300_000, property_type="Residential")
    prices.apply(e.LeadListed(lead_id, price, seats, listing), NOW)


def accept(prices: MarketPrices, proposal: Proposal, at: int) -> None:
    """As the book does, and the journal tells."""
    event = e.LeadsRepriced(
        proposal.lead_ids[0], proposal.lead_ids, proposal.prices, proposal.reason
    )
    prices.apply(event, at, proposal.parts)


class Recorder:
    """The trials that reach a policy."""

    def __init__(self, prices: MarketPrices) -> None:
        self.trials: list[Trials] = []
        policy: Policy = prices.arms[0].policy
        policy.learn = lambda trials, now: self.trials.append(trials)  # type: ignore[method-assign]

    def bought(self) -> list[bool]:
        return [bool(each) for trials in self.trials for each in trials.bought]


def trusted(prices: MarketPrices, *users: str) -> None:
    prices.accounts.know(dict.fromkeys(users, NOW - 100 * DAY_US))
    for user in users:
        for _ in range(PAID_ENOUGH):
            prices.accounts.paid(user)


@pytest.mark.parametrize("name", NAMES)
def test_pricing_sees_what_the_book_has(name: str) -> None:
    for seed in range(60):
        floor = TradingFloor(number=seed).play(random_history(random.Random(seed), 30))
        prices, generator = market(name), rng()
        for number, (entry, at) in enumerate(floor.journal):
            prices.apply(entry.event, at)
            if number % 7 == 0:
                prices.propose(at, generator)
                again = market(name)
                again.load(prices.dump())
                assert again.dump() == prices.dump()
        columns = prices.columns
        assert set(columns.row) == set(floor.book.leads)
        for lead_id, lead in floor.book.leads.items():
            row = columns.row[lead_id]
            assert columns.price[row] == lead.price
            assert columns.sold[row] == lead.sold
            assert columns.is_offered[row] == (lead.state in (AVAILABLE, HELD))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(8))
def test_every_price_is_made_by_its_parts_and_keeps_its_word(name: str, seed: int) -> None:
    chance = random.Random(seed)
    prices, generator = market(name), rng()
    users = [f"user{number}" for number in range(8)]
    trusted(prices, *users[:4])
    for number in range(30):
        listed(prices, f"lead{number}", chance.randrange(5, 120), chance.randrange(1, 4))
    prices.set_base([f"lead{n}" for n in range(15)], [chance.randrange(3_000, 200_000)] * 15)
    at, words = NOW, {}

    def is_first(lead_id: str, at: int) -> bool:
        return prices.columns.changed_at[prices.columns.row[lead_id]] == 0 and at - NOW <= NEW_US

    for _ in range(120):
        at += chance.choice((1, 60_000_000, HOUR_US // 3, HOUR_US, 10 * HOUR_US))
        lead_id, user = f"lead{chance.randrange(30)}", chance.choice(users)
        row = prices.columns.row[lead_id]
        if prices.columns.is_offered[row] and chance.random() < 0.3:
            prices.apply(e.LeadSold(lead_id, user, 1, 9, f"order{at}"), at)
            words.pop(lead_id, None)
        elif chance.random() < 0.5:
            prices.observe([Signal("view", lead_id, user, at)])
            if user in users[:4]:
                words.pop(lead_id, None)
        for proposal in prices.propose(at, generator, whole=chance.random() < 0.7):
            rows = zip(
                proposal.lead_ids, proposal.previous, proposal.prices, proposal.parts, strict=True
            )
            for each, previous, price, packed in rows:
                parts = unpack(packed)
                assert price_of(parts) == price != previous
                assert previous == parts.previous == prices.columns.price[prices.columns.row[each]]
                # Only the first price of a policy may be as far off as it likes.
                assert parts.step == (ANY_STEP if is_first(each, at) else max(1, previous // 10))
                assert abs(price - previous) <= parts.step
                most = None if each not in words else committed_at_most(words[each], at)
                if most is not None:
                    assert price <= max(most, previous - parts.step)
                words[each] = parts
            accept(prices, proposal, at)


def test_a_target_between_two_credits_moves_nothing() -> None:
    prices, generator = market("fixed@1"), rng()
    listed(prices, price=10)
    for base, moved in ((10_400, None), (10_700, None), (10_800, 11), (10_300, None), (10_200, 10)):
        prices.set_base(["lead"], [base])
        proposals = prices.propose(NOW + HOUR_US, generator)
        assert [each.prices for each in proposals] == ([(moved,)] if moved else [])
        for proposal in proposals:
            accept(prices, proposal, NOW)


def test_only_a_new_lead_leaves_the_listing_table_at_once() -> None:
    prices, generator = market("fixed@1"), rng()
    listed(prices, price=40)
    prices.set_base(["lead"], [80_000])
    assert [each.prices for each in prices.propose(NOW + NEW_US, generator)] == [(80,)]
    (late,) = prices.propose(NOW + NEW_US + 1, generator)
    assert late.prices == (44,)
    accept(prices, late, NOW + NEW_US + 1)
    late_enough = NOW + NEW_US + (COMMIT_HOURS + 1) * HOUR_US
    assert [each.prices for each in prices.propose(late_enough, generator)] == [(48,)]


def test_what_is_committed_is_kept_as_time_passes() -> None:
    prices, generator = market("decay@1"), rng()
    listed(prices, price=100)
    at, word = NOW, None
    for _ in range(30 * 24):
        at += HOUR_US
        for proposal in prices.propose(at, generator):
            accept(prices, proposal, at)
            word = unpack(proposal.parts[0])
        if word is not None and (most := committed_at_most(word, at)) is not None:
            assert prices.columns.price[0] <= most
    assert prices.columns.price[0] == 37


def test_a_price_rises_above_its_word_only_after_somebody_acted() -> None:
    prices, generator = market("fixed@1"), rng()
    listed(prices, price=40)
    trusted(prices, "ann")
    prices.set_base(["lead"], [36_000])
    (fall,) = prices.propose(NOW + HOUR_US, generator)
    assert fall.prices == (36,)
    accept(prices, fall, NOW + HOUR_US)
    prices.set_base(["lead"], [60_000])
    assert prices.propose(NOW + 2 * HOUR_US, generator) == []
    prices.observe([Signal("view", "lead", "stranger", NOW + 2 * HOUR_US)])
    assert prices.propose(NOW + 2 * HOUR_US, generator) == []
    prices.observe([Signal("view", "lead", "ann", NOW + 2 * HOUR_US)])
    (rise,) = prices.propose(NOW + 2 * HOUR_US, generator)
    assert rise.prices == (39,)
    assert rise.reason == "value"
    # Or when the time is over for which the word was given.
    later = NOW + (2 + COMMIT_HOURS) * HOUR_US
    accept(prices, rise, NOW + 2 * HOUR_US)
    prices.observe([])
    (rise,) = prices.propose(later + HOUR_US, generator)
    assert rise.prices == (42,)


def test_looking_becomes_a_trial_when_it_is_decided() -> None:
    prices = market("fixed@1")
    seen = Recorder(prices)
    listed(prices)
    trusted(prices, "ann", "bob", "cyd")
    at = NOW + HOUR_US
    prices.observe([Signal("impression", "lead", user, at) for user in ("ann", "bob", "eve")])
    prices.observe([Signal("view", "lead", user, at) for user in ("ann", "bob", "ann", "eve")])
    prices.apply(e.LeadHeld("lead", "cyd", 1, 40, "15m", at, at + 1, 1), at)
    prices.apply(e.LeadSold("lead", "ann", 2, 40, "order"), at + 1)
    prices.learn(at + PATIENCE_US - 1)
    assert seen.bought() == [True]
    prices.learn(at + PATIENCE_US)
    assert seen.bought() == [True, False]
    prices.apply(e.LeadReleased("lead", "cyd", "expired"), at + 2 * PATIENCE_US)
    prices.learn(at + 2 * PATIENCE_US)
    assert seen.bought() == [True, False, False]
    # Each once: looking again, or holding again, is no new decision.
    prices.observe([Signal("view", "lead", "bob", at + 3 * PATIENCE_US)])
    prices.apply(e.LeadHeld("lead", "cyd", 1, 40, "15m", at, at + 1, 1), at + 3 * PATIENCE_US)
    prices.apply(e.LeadReleased("lead", "cyd", "released"), at + 4 * PATIENCE_US)
    prices.learn(at + 9 * PATIENCE_US)
    assert seen.bought() == [True, False, False]
    weights = [weight for trials in seen.trials for weight in trials.weight.tolist()]
    assert weights == pytest.approx([1.0, 1.0, 1.0], abs=0.06)


def test_who_buys_counts_once_it_is_known_that_they_looked() -> None:
    prices = market("fixed@1")
    seen = Recorder(prices)
    listed(prices)
    trusted(prices, "ann", "bob", "cyd")
    for number, user in enumerate(("ann", "bob", "cyd"), start=1):
        prices.apply(e.LeadSold("lead", user, number, 40, user), NOW + number)
    prices.learn(NOW + 4)
    assert seen.bought() == []
    again = market("fixed@1")
    again.load(prices.dump())
    assert again.dump() == prices.dump()
    prices.observe([Signal("view", "lead", "ann", NOW), Signal("impression", "lead", "bob", NOW)])
    prices.observe([Signal("view", "lead", "ann", NOW), Signal("view", "lead", "bob", NOW)])
    prices.learn(NOW + 5)
    assert seen.bought() == [True, True]
    weights = [weight for trials in seen.trials for weight in trials.weight.tolist()]
    assert weights == pytest.approx([1.0, 0.05], abs=0.02)
    # Whose look nobody tells of bought as a program does, that never says no.
    prices.learn(NOW + 10 * PATIENCE_US)
    prices.observe([Signal("view", "lead", "cyd", NOW)])
    prices.learn(NOW + 11 * PATIENCE_US)
    assert seen.bought() == [True, True]


def test_a_standing_order_that_the_price_keeps_away_is_demand_too() -> None:
    prices = market("fixed@1")
    seen = Recorder(prices)
    trusted(prices, "ann", "bob")
    for order, user, price_max in (("a", "ann", 39), ("b", "bob", 40), ("c", "eve", 10)):
        terms = StandingTerms(name="any", price_max=price_max)
        prices.apply(e.StandingPlaced(order, user, terms), NOW)
    listed(prices)
    prices.apply(e.LeadSold("lead", "bob", 1, 40, "order", standing_order_id="b"), NOW)
    prices.learn(NOW + 1)
    assert seen.bought() == [False, True]


def test_an_experiment_splits_leads_and_not_people() -> None:
    prices, generator = market("fixed@1", "decay@1", share=0.25), rng()
    for number in range(2_000):
        listed(prices, f"lead{number}", 100)
    arms = prices.columns.arm[:2_000]
    assert 400 < arms.sum() < 600
    (fall,) = prices.propose(NOW + 20 * DAY_US, generator)
    assert {prices.columns.row[lead_id] for lead_id in fall.lead_ids} == set(
        np.flatnonzero(arms).tolist()
    )
    assert {unpack(parts).policy for parts in fall.parts} == {policies.number_of("decay@1")}
    again = market("fixed@1", "decay@1", share=0.25)
    again.load(prices.dump())
    assert again.columns.arm[:2_000].tolist() == arms.tolist()


def test_a_lead_waits_for_its_value_until_it_has_one() -> None:
    prices = market("fixed@1")
    listed(prices, "one")
    listed(prices, "two")
    assert [each.lead_id for each in prices.unvalued(10)] == ["one", "two"]
    assert [each.lead_id for each in prices.unvalued(1)] == ["one"]
    prices.set_base(["one", "gone"], [50_000, 1])
    assert [each.lead_id for each in prices.unvalued(10)] == ["two"]
    prices.apply(e.LeadUpdated("one", Listing()), NOW)
    assert [each.lead_id for each in prices.unvalued(10)] == ["two", "one"]
    assert prices.columns.base[0] == 50_000


def test_what_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        market("fixed@1").load(b"\x81\xa7version\x63")
