"""Contests for seats over HTTP: anyone can check them, nobody is named."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from engine.market import events as e
from serve_apps.api.schemas.claims import Claims
from tests.serve_apps.api.shelf import Shelf
from tests.serve_apps.api.world import Caller, World, assert_problem, running, world_settings


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def contest(
    lead_id: str, number: int, claims: list[tuple[str, str]], seeds: list[str]
) -> e.ClaimsDecided:
    """`claims` are (buyer, result) in their order; `seeds` are those of all rounds."""
    seed = seeds[number]
    entries = []
    for user_id, result in claims:
        claim_id = sha256(f"{user_id}:{lead_id}")
        draw = sha256(f"{seed}:{claim_id}")
        entries.append(e.ClaimEntry(claim_id, "buy", user_id, 0, 0, draw, result))
    return e.ClaimsDecided(lead_id, number, 1, seed, sha256(seeds[number + 1]), tuple(entries))


async def test_contests_are_shown_with_what_checks_them(world: World, shelf: Shelf) -> None:
    buyer, other = await world.buyer(), await world.buyer()
    seeds = [sha256(f"seed {number}") for number in range(3)]
    lead_id = await shelf.lead(10, commitment=sha256(seeds[0]))
    path = f"/v1/leads/{lead_id}/claims"
    assert (await buyer.get(path)).json() == {
        "lead_id": lead_id,
        "decide_at": None,
        "commitment": sha256(seeds[0]),
        "rounds": [],
    }

    claims = [(other.user_id, "won"), (buyer.user_id, "lost")]
    await shelf.contest(contest(lead_id, 0, claims, seeds), 20)
    await shelf.contest(contest(lead_id, 1, claims[1:], seeds), 30)
    shown = (await buyer.get(path)).json()
    assert shown["commitment"] == sha256(seeds[2])
    Claims.model_validate(shown)
    first, second = shown["rounds"]
    assert (first["round"], second["round"], first["seats"]) == (0, 1, 1)
    assert first["commitment"] == sha256(first["seed"])
    assert second["commitment"] == first["next_commitment"] == sha256(second["seed"])
    assert [claim["is_yours"] for claim in first["claims"]] == [False, True]
    assert [claim["rank"] for claim in first["claims"]] == [1, 2]
    for claim in first["claims"]:
        assert claim["draw"] == sha256(f"{first['seed']}:{claim['claim_id']}")
    assert first["claims"][1]["claim_id"] == sha256(f"{buyer.user_id}:{lead_id}")
    assert first["claims"][1]["result"] == "lost"
    assert first["decided_at"] == "1970-01-01T00:00:00.000020Z"
    assert other.user_id not in (await buyer.get(path)).text


async def test_a_window_that_is_open_tells_when_it_ends(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    lead_id = await shelf.lead(10)
    await shelf.pool.execute(
        "UPDATE lead_trading SET decide_at = 2000000 WHERE lead_id = $1", lead_id
    )
    shown = (await buyer.get(f"/v1/leads/{lead_id}/claims")).json()
    assert shown["decide_at"] == "1970-01-01T00:00:02.000000Z"
    assert shown["commitment"] is None


async def test_leads_in_quarantine_have_no_contests(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    lead_id = await shelf.lead(10)
    await shelf.pool.execute(
        "UPDATE lead_trading SET lead_state = 'quarantined' WHERE lead_id = $1", lead_id
    )
    for named in (lead_id, "nowhere", "no\u00e9"):
        assert_problem(await buyer.get(f"/v1/leads/{named}/claims"), 404, "not-found")


@pytest.fixture
async def collecting(database_url: str, redis_url: str) -> AsyncIterator[World]:
    """A market that collects claims on new leads for a quarter of a second."""
    async with running(world_settings(database_url, redis_url, claim_window_ms=250)) as started:
        yield started


async def test_a_contest_over_http_can_be_checked(collecting: World) -> None:
    world = collecting
    buyers = [await world.buyer(credits=100) for _ in range(4)]
    lead_id = await world.lead()
    path = f"/v1/leads/{lead_id}/claims"

    async def claim(buyer: Caller) -> int:
        return (await buyer.buy(lead_id)).status_code

    told = (await buyers[0].get(path)).json()
    statuses = await asyncio.gather(*(claim(buyer) for buyer in buyers))
    assert sorted(statuses) == [201, 409, 409, 409]
    shown = (await buyers[0].get(path)).json()
    (decided,) = shown["rounds"]
    assert decided["commitment"] == told["commitment"] == sha256(decided["seed"])
    ranked = decided["claims"]
    keys = [(-claim["priority"], claim["wins"], claim["draw"]) for claim in ranked]
    assert keys == sorted(keys)
    assert {claim["claim_id"] for claim in ranked} == {
        sha256(f"{buyer.user_id}:{lead_id}") for buyer in buyers
    }
    winner = buyers[statuses.index(201)]
    assert ranked[0]["claim_id"] == sha256(f"{winner.user_id}:{lead_id}")
    assert [claim["result"] for claim in ranked] == ["won", *["lost"] * 3]
    assert [claim["is_yours"] for claim in ranked].count(True) == 1
