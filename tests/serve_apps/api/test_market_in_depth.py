"""A market's standing demand and odds of a fill, over HTTP."""

from __future__ import annotations

import pytest

from engine.market.commands import CancelStanding, PlaceStanding
from engine.market.standing_terms import StandingTerms
from serve_apps.api import market_board
from tests.serve_apps.api.world import World, assert_problem


async def test_depth_names_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_board, "DEPTH_SECONDS", 0.0)
    users = [(await world.buyer(plan="pro")).user_id for _ in range(4)]

    async def place(name: str, user_id: str, price_max: int, is_paused: bool = False) -> None:
        terms = StandingTerms(name="homes", price_max=price_max, is_paused=is_paused)
        await world.submit("dallas", PlaceStanding(name, user_id, terms))

    async def depth() -> list[dict[str, int]]:
        answered = await world.http.get("/v1/markets/dallas")
        assert answered.status_code == 200, answered.text
        found: list[dict[str, int]] = answered.json()["depth"]
        return found

    assert await depth() == []
    for number, user_id in enumerate(users[:2]):
        await place(f"d{number}", user_id, 45)
    assert await depth() == []
    await place("d2", users[2], 7)
    await place("d3", users[3], 7, is_paused=True)
    assert await depth() == [{"price_min": 1, "price_max": None, "orders": 3}]
    for number, user_id in enumerate(users[1:]):
        await place(f"d{number + 4}", user_id, 90)
    assert await depth() == [
        {"price_min": 80, "price_max": None, "orders": 3},
        {"price_min": 1, "price_max": 79, "orders": 3},
    ]
    await world.submit("dallas", CancelStanding("d2", users[2]))
    assert await depth() == [{"price_min": 1, "price_max": None, "orders": 5}]


async def test_odds_are_unknown_without_an_agent_and_then_its_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_board, "DEPTH_SECONDS", 0.0)
    odds = (await world.http.get("/v1/markets/austin")).json()["fill_odds"]
    assert odds["levels"] is None
    assert "agent" in odds["reason"]
    assert world.replica.deps is not None
    said = {"levels": [{"level": 1.0, "within_hour": 0.25}], "reason": None}
    await world.replica.deps.pool.execute(
        "INSERT INTO pricing_checkpoints (market, summary) VALUES ('austin', $1)",
        {"fill_odds": said},
    )
    assert (await world.http.get("/v1/markets/austin")).json()["fill_odds"] == said
    assert_problem(await world.http.get("/v1/markets/nowhere"), 404, "not-found")
