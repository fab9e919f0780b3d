"""Pricing as operators see it, over HTTP."""

from __future__ import annotations

from engine.adapters.postgres import pricing_experiments
from engine.market.pricing.experiment import plan_of
from engine.market.pricing.lots import is_on_trial
from tests.serve_apps.api.world import World, assert_problem


async def test_agents_are_shown_to_administrators_alone(world: World) -> None:
    assert world.replica.deps is not None
    admin, buyer = await world.admin(), await world.buyer()
    for path in ("", "/experiment"):
        assert_problem(await buyer.get(f"/v1/admin/pricing{path}"), 403, "forbidden")
    await world.replica.deps.pool.execute(
        "INSERT INTO pricing_checkpoints (market, summary) VALUES ('dallas', $1)",
        {
            "problem": "broken: ValueError: no",
            "policy": "decay@1",
            "position": 0,
            "share": 0.0,
            "priced": 3,
            "last_tick_at": 1_800_000_000_000_000,
        },
    )
    await world.lead(market="dallas")
    items = {
        item["market"]: item for item in (await admin.get("/v1/admin/pricing")).json()["items"]
    }
    assert items["dallas"]["problem"] == "broken: ValueError: no"
    assert items["dallas"]["behind"] >= 1
    assert items["dallas"]["last_tick_at"] == "2027-01-15T08:00:00.000000Z"
    assert items["austin"]["policy"] is None
    assert items["austin"]["behind"] is None


async def test_an_experiment_reports_both_arms(world: World) -> None:
    assert world.replica.deps is not None
    pool, admin = world.replica.deps.pool, await world.admin()
    await world.lead(price=1)
    plan = plan_of("fixed@1", "decay@1:0.5")
    now = await pool.fetchval("SELECT (extract(epoch FROM now()) * 1e6)::int8")
    async with pool.acquire() as connection:
        await pricing_experiments.note(connection, "austin", plan, now)
    buyer = await world.buyer(credits=10_000)
    leads = [await world.lead(price=10) for _ in range(12)]
    for lead_id in leads[:6]:
        assert (await buyer.buy(lead_id)).status_code == 201
    (item,) = (await admin.get("/v1/admin/pricing/experiment")).json()["items"]
    assert (item["market"], item["name"], item["ended_at"]) == ("austin", "decay@1:0.5", None)
    assert item["difference"] is None
    for arm, on_trial in (("control", False), ("trial", True)):
        own = [id_ for id_ in leads if is_on_trial(plan.experiment, id_, 0.5) == on_trial]
        sold = len(set(own) & set(leads[:6]))
        assert item[arm]["leads"] == len(own)
        assert item[arm]["still_on_offer"] == len(own) - sold
        if own:
            assert item[arm]["revenue_per_lead"] == 10 * sold / len(own)
            assert item[arm]["unsold_share"] == (len(own) - sold) / len(own)
    async with pool.acquire() as connection:
        await pricing_experiments.note(connection, "austin", plan_of("fixed@1", ""), now + 1)
    (item,) = (await admin.get("/v1/admin/pricing/experiment")).json()["items"]
    assert item["ended_at"] is not None
