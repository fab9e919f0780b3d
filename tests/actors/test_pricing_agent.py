"""The agent of a market's prices, on real servers: what it asks for, and what a death costs."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from actors import pricing_agent
from actors.base_values import BaseValues, ListedValues, model_values
from actors.client import MarketClient
from actors.pricing_agent import PricingAgent
from engine.adapters.postgres import demand_signals, pricing_state
from engine.adapters.postgres.pool import open_pool
from engine.intake.offer import starting_parts
from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.pricing import market_prices
from engine.market.pricing.experiment import Plan, plan_of
from engine.market.pricing.market_prices import Unvalued
from engine.market.pricing.parts import HOUR_US, pack, price_of, unpack
from engine.market.pricing.repricing import NEW_US
from tests.actors.trading_house import TradingHouse, until

DAY_US = 24 * HOUR_US
PLAN = plan_of("decay@1", "")


class Ahead:
    """A clock that can be put ahead; ns."""

    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return time.time_ns() + self.us * 1000


class Agents:
    """Agents of one house's market, one at a time but where a test wants two."""

    def __init__(self, house: TradingHouse) -> None:
        self.house = house
        self.clock = Ahead()
        self.made: list[PricingAgent] = []

    async def start(self, plan: Plan = PLAN, **options: Any) -> PricingAgent:
        agent = PricingAgent(
            self.house.market,
            options.pop("database_url", self.house.database_url),
            options.pop("client", self.house.client),
            plan,
            interval=options.pop("interval", 0.05),
            clock=self.clock,
            seed=1,
            **options,
        )
        await agent.start()
        self.made.append(agent)
        return agent

    async def kill(self, agent: PricingAgent) -> None:
        """As a process that dies: nothing more is said or written."""
        assert agent._task is not None
        agent._task.cancel()
        await asyncio.gather(agent._task, return_exceptions=True)
        await agent._close()

    async def caught_up(self, agent: PricingAgent) -> None:
        newest = await self.house.pool.fetchval(
            "SELECT position FROM markets WHERE market = $1", self.house.market
        )
        await until(lambda: agent.stats()["position"] >= newest)


@pytest.fixture
async def agents(house: TradingHouse) -> AsyncIterator[Agents]:
    clock_of_book = Ahead()
    found = Agents(house)
    found.clock = clock_of_book
    await house.book(clock=clock_of_book)
    yield found
    for agent in found.made:
        await agent.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing_agent, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(pricing_agent, "EVENTS_SECONDS", 0.02)
    monkeypatch.setattr(pricing_agent, "BROKEN_SECONDS", (0.1, 0.2))
    monkeypatch.setattr(pricing_agent, "AWAY_SECONDS", (0.05, 0.2))
    monkeypatch.setattr(pricing_agent, "SHOW_SECONDS", 0.05)


async def _list(house: TradingHouse, count: int, list_price: int = 600_000) -> list[str]:
    listing = Listing(
        sources=("zillow",), quality=0.7, list_price=list_price, property_type="Residential"
    )
    leads = []
    for _ in range(count):
        lead_id, made = f"lead-{secrets.token_hex(6)}", starting_parts(listing, 3)
        await house.said(c.ListLead(lead_id, price_of(made), 3, listing, pack(made)))
        leads.append(lead_id)
    return leads


async def _prices(house: TradingHouse) -> dict[str, int]:
    rows = await house.pool.fetch(
        "SELECT lead_id, price, price_parts FROM lead_trading WHERE market = $1", house.market
    )
    for row in rows:
        assert price_of(unpack(row["price_parts"])) == row["price"]
    return {row["lead_id"]: row["price"] for row in rows}


async def _ticks(house: TradingHouse) -> list[tuple[int, str, int]]:
    """(µs, lead, price) of every price there was, in order."""
    rows = await house.pool.fetch(
        "SELECT at, lead_ids, prices FROM price_ticks WHERE market = $1 ORDER BY position",
        house.market,
    )
    return [
        (row["at"], *pair)
        for row in rows
        for pair in zip(row["lead_ids"], row["prices"], strict=True)
    ]


async def _assert_steps(house: TradingHouse) -> int:
    """No price moved more than a step, a tenth, at a time; how many there were. The first one of
    a new lead replaces the listing table's and may be any."""
    listed = await house.pool.fetch(
        "SELECT lead_id, at, (event->>'price')::int8 AS price FROM market_events"
        " WHERE market = $1 AND event->>'type' = 'listed'",
        house.market,
    )
    last = {row["lead_id"]: row["price"] for row in listed}
    new = {row["lead_id"]: row["at"] + NEW_US for row in listed}
    ticks = await _ticks(house)
    for at, lead_id, price in ticks:
        if at > new.pop(lead_id, 0):
            assert abs(price - last[lead_id]) <= max(1, last[lead_id] // 10)
        last[lead_id] = price
    return len(ticks)


async def test_prices_fall_with_age_and_say_why(house: TradingHouse, agents: Agents) -> None:
    leads = await _list(house, 5)
    before = await _prices(house)
    agents.clock.us += 4 * DAY_US
    agent = await agents.start()
    await until(lambda: agent.stats()["prices_changed"] >= len(leads))
    after = await _prices(house)
    assert all(after[lead_id] < before[lead_id] for lead_id in leads)
    assert agent.stats()["problem"] is None
    await agent.stop()
    await _assert_steps(house)
    await house.audit()


async def test_a_killed_agent_loses_no_price_and_never_jumps(
    house: TradingHouse, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing_agent, "CHECKPOINT_SECONDS", 0.03)
    await _list(house, 40)
    agents.clock.us += 20 * DAY_US
    for round_ in range(6):
        agent = await agents.start()
        changed = agent.stats()["prices_changed"]
        await until(lambda a=agent, n=changed: a.stats()["prices_changed"] > n)
        # At whatever it is doing.
        await asyncio.sleep(0.013 * round_)
        await agents.kill(agent)
        agents.clock.us += HOUR_US
    assert await _assert_steps(house) >= 6 * 40
    agent = await agents.start(interval=1e6)
    await agents.caught_up(agent)
    await asyncio.sleep(0.1)
    await agents.caught_up(agent)
    assert agent._reader is not None
    columns = agent._reader.prices.columns
    known = {id_: int(columns.price[columns.row[id_]]) for id_ in columns.ids}
    assert known == await _prices(house)
    await agent.stop()
    await house.audit()


async def test_what_goes_on_from_a_checkpoint_is_what_would_have_gone_on(
    house: TradingHouse, agents: Agents
) -> None:
    """Folded at once or in pieces with a checkpoint between, the agent knows the same."""
    ann = await house.buyer(10_000)
    leads = await _list(house, 6)
    first = await agents.start(interval=1e6)
    await agents.caught_up(first)
    await first.stop()
    await house.said(c.Hold(leads[0], ann, "15m"))
    await house.buy(leads[1], ann)
    await house.said(c.Withdraw(leads[2], "gone"))
    second = await agents.start(interval=1e6)
    assert second.stats()["position"] > 0
    await agents.caught_up(second)
    await house.pool.execute(
        "UPDATE pricing_checkpoints SET state = NULL, position = 0 WHERE market = $1", house.market
    )
    whole = await agents.start(interval=1e6)
    await agents.caught_up(whole)
    for name in ("price", "sold", "is_offered", "listed_at", "acted_at", "base", "segment"):
        kept, anew = (
            getattr(agent._reader.prices.columns, name)[: len(leads)].tolist()  # type: ignore[union-attr]
            for agent in (second, whole)
        )
        assert kept == anew, name


async def test_a_newer_agent_fences_the_older(house: TradingHouse, agents: Agents) -> None:
    await _list(house, 3)
    told = asyncio.Event()
    older = await agents.start(on_fenced=told.set)
    newer = await agents.start()
    agents.clock.us += 4 * DAY_US
    async with asyncio.timeout(20):
        await told.wait()
    assert older.fenced
    assert not older.stats()["serving"]
    await until(lambda: newer.stats()["prices_changed"] > 0)
    await _assert_steps(house)


async def test_a_checkpoint_of_another_version_is_read_anew(
    house: TradingHouse, agents: Agents
) -> None:
    await _list(house, 2)
    first = await agents.start()
    await agents.caught_up(first)
    await first.stop()
    await house.pool.execute(
        "UPDATE pricing_checkpoints SET state = '\\x93' WHERE market = $1", house.market
    )
    second = await agents.start()
    await agents.caught_up(second)
    assert second.stats()["priced"] == 2
    assert second.stats()["problem"] is None


class Unwell(ListedValues):
    """A value model that fails while it is told to."""

    ill = True

    def values(self, leads: Sequence[Unvalued]) -> list[int]:
        if self.ill:
            raise FloatingPointError("the model is out of its depth")
        return [30_000 for _ in leads]


async def test_a_broken_model_stops_prices_but_not_trading(
    house: TradingHouse, agents: Agents
) -> None:
    model: BaseValues = Unwell()
    leads = await _list(house, 2)
    agent = await agents.start(values=lambda: model)
    await until(lambda: agent.problem is not None)
    assert "out of its depth" in str(agent.problem)
    assert agent.stats()["serving"]
    ann = await house.buyer()
    assert type(await house.buy(leads[0], ann)).__name__ == "Bought"
    assert await _ticks(house) == []
    model.ill = False  # type: ignore[attr-defined]
    await until(lambda: agent.problem is None)
    await until(lambda: agent.stats()["prices_changed"] > 0)
    await _assert_steps(house)


async def test_without_its_database_it_waits(house: TradingHouse, agents: Agents) -> None:
    await _list(house, 2)
    agent = await agents.start()
    await agents.caught_up(agent)
    assert agent._connection is not None
    agent._connection.terminate()
    await _list(house, 1)
    await until(lambda: agent.stats()["priced"] == 3)
    await until(lambda: agent.problem is None)


async def test_without_its_book_it_waits(house: TradingHouse, agents: Agents) -> None:
    await _list(house, 2)
    agents.clock.us += 4 * DAY_US
    impatient = MarketClient(house.transport, patience=0.2)
    book = house.books.pop()
    agent = await agents.start(client=impatient)
    await agents.caught_up(agent)
    await asyncio.sleep(0.5)
    assert agent.stats()["prices_changed"] == 0
    assert agent.problem is None
    house.books.append(book)
    await until(lambda: agent.stats()["prices_changed"] > 0)


async def test_more_prices_than_the_book_can_take_come_bit_by_bit(
    house: TradingHouse, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing_agent, "SUBMIT_SECONDS", 0.0)
    monkeypatch.setattr(market_prices, "REPRICE_LEADS_MAX", 5)
    leads = await _list(house, 24)
    agents.clock.us += 4 * DAY_US
    agent = await agents.start(interval=1e6)
    await until(lambda: agent.stats()["prices_changed"] >= len(leads))
    await agent.stop()
    assert agent.stats()["ticks"] >= 5
    assert len({lead_id for _, lead_id, _ in await _ticks(house)}) == len(leads)
    await _assert_steps(house)


async def test_it_reads_who_saw_what(house: TradingHouse, agents: Agents) -> None:
    lead_id = (await _list(house, 1))[0]
    ann = await house.buyer()
    seen = {house.market: [demand_signals.Seen(lead_id, ann, 1)]}
    await demand_signals.write(house.pool, "r", agents.clock() // 1000, seen)
    await house.pool.execute(
        "UPDATE demand_signals SET written_at = now() - interval '1 minute' WHERE market = $1",
        house.market,
    )
    agent = await agents.start()
    await until(lambda: agent.stats()["signals"] == 1)
    await agent.stop()
    again = await agents.start()
    await agents.caught_up(again)
    # Taken in once: the checkpoint knows of it.
    assert again.stats()["signals"] == 0
    async with await open_pool(house.database_url, application="test") as pool:
        summary = await pricing_state.summary(pool, house.market)
    assert summary["policy"] == "decay@1"
    assert summary["fill_odds"]["levels"] is None


async def test_an_experiment_splits_leads_and_is_noted(house: TradingHouse, agents: Agents) -> None:
    await _list(house, 40)
    agents.clock.us += 6 * DAY_US
    agent = await agents.start(plan_of("fixed@1", "decay@1:0.5"))
    await until(lambda: agent.stats()["prices_changed"] > 5)
    assert agent._reader is not None
    arms = agent._reader.prices.columns.arm[:40].tolist()
    assert 5 < sum(arms) < 35
    moved = {lead_id for _, lead_id, _ in await _ticks(house)}
    ids = agent._reader.prices.columns.ids
    assert moved == {id_ for id_, arm in zip(ids, arms, strict=True) if arm}
    await agent.stop()
    (row,) = await house.pool.fetch(
        "SELECT * FROM pricing_experiments WHERE market = $1", house.market
    )
    assert (row["control"], row["trial"], row["share"]) == ("fixed@1", "decay@1", 0.5)
    assert row["ended_at"] is None
    await agents.start()
    assert await house.pool.fetchval(
        "SELECT ended_at FROM pricing_experiments WHERE market = $1", house.market
    )


async def test_values_come_from_the_model(house: TradingHouse, agents: Agents) -> None:
    leads = await _list(house, 8)
    agent = await agents.start(values=model_values, interval=1e6)
    await agents.caught_up(agent)
    assert agent.stats()["values"] == "value model"
    assert agent._reader is not None
    columns = agent._reader.prices.columns
    first = {id_: int(columns.base[columns.row[id_]]) for id_ in leads}
    await agent.stop()
    # After a restart a new lead is compared with those of before.
    more = await _list(house, 1)
    again = await agents.start(values=model_values, interval=1e6)
    await agents.caught_up(again)
    assert again._reader is not None
    columns = again._reader.prices.columns
    assert {id_: int(columns.base[columns.row[id_]]) for id_ in leads} == first
    assert columns.base[columns.row[more[0]]] >= 5_000


async def test_the_policy_that_learns_goes_on_where_it_was(
    house: TradingHouse, agents: Agents
) -> None:
    plan = plan_of("demand@1", "")
    leads = await _list(house, 10)
    ann = await house.buyer(10_000)
    agent = await agents.start(plan)
    await agents.caught_up(agent)
    agents.clock.us += 2 * HOUR_US
    await house.buy(leads[0], ann)
    await until(lambda: agent.stats()["prices_changed"] > 0)
    await agents.kill(agent)
    again = await agents.start(plan)
    await agents.caught_up(again)
    agents.clock.us += HOUR_US
    await until(lambda: again.stats()["last_tick_at"] is not None)
    await again.stop()
    assert again.problem is None
    await _assert_steps(house)
    await _prices(house)
    async with await open_pool(house.database_url, application="test") as pool:
        shown = (await pricing_state.summary(pool, house.market))["estimates"]
    assert shown["typical_price_to_value"] > 0
    assert shown["segments"] > 1
    await house.audit()


@pytest.mark.parametrize(
    ("policy", "experiment"),
    [
        ("wild@1", ""),
        ("", "fixed@1"),
        ("", "fixed@1:1"),
        ("", "nope@1:0.5"),
        ("fixed@1", "fixed@1:0.5"),
    ],
)
def test_plans_that_can_not_be(policy: str, experiment: str) -> None:
    with pytest.raises(ValueError, match=r"policy|experiment|itself"):
        plan_of(policy, experiment)
