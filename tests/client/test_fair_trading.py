"""Lines, standing orders, contests and notifications of the market itself, through both clients."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from aiqleads.client import claims, errors
from aiqleads.client.answers.notifications import NotificationSettings, QuietHours, Told
from aiqleads.client.answers.standing_orders import Hours
from aiqleads.client.feed.channels import market
from aiqleads.client.feed.messages import LeadEvent
from engine.market.commands import Reprice
from engine.market.listing import Listing
from tests.client.either import EitherFeed, Kind
from tests.client.people import buyers, client_of, someone
from tests.serve_apps.api.world import World, running, world_settings


async def test_a_place_in_line_becomes_an_offer(world: World, kind: Kind) -> None:
    lead_id = await world.lead(price=10)
    async with (
        buyers(world, 1, credits=100) as [holder],
        client_of(world, kind, await someone(world, credits=100)) as client,
    ):
        with pytest.raises(errors.SeatAvailable):
            await client.call("join_queue", lead_id)
        held = await holder.hold(lead_id)
        place = await client.call("join_queue", lead_id)
        assert (place.position, place.waiting) == (1, 1)
        assert place.expected_at == held.held_until
        with pytest.raises(errors.AlreadyQueued):
            await client.call("join_queue", lead_id)
        [item] = await client.items("queue")
        assert (item.lead_id, item.offer, item.lead.lead_state) == (lead_id, None, "held")
        await holder.release(lead_id)
        place = await client.call("place", lead_id)
        assert (place.position, place.offer.price) == (0, 10)
        await client.call("buy", lead_id)
        assert await client.items("queue") == []
        with pytest.raises(errors.NotQueued):
            await client.call("leave_queue", lead_id)


async def test_a_place_in_line_can_be_left(world: World, kind: Kind) -> None:
    lead_id = await world.lead()
    async with (
        buyers(world, 1) as [holder],
        client_of(world, kind, await someone(world)) as client,
    ):
        await holder.hold(lead_id)
        await client.call("join_queue", lead_id)
        await client.call("leave_queue", lead_id)
        with pytest.raises(errors.NotFound):
            await client.call("place", lead_id)


async def test_a_standing_order_is_placed_changed_explained_and_ended(
    world: World, kind: Kind
) -> None:
    async with client_of(world, kind, await someone(world, credits=100)) as client:
        always = Hours(
            days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start="00:00", end="24:00"
        )
        wanted = {"property_type": ["cabin"], "bedrooms_total_min": 2}
        order = await client.call(
            "place_standing_order",
            "austin",
            15,
            name="cabins",
            filter=wanted,
            per_day=1,
            budget=50,
            hours=[always],
        )
        assert (order.name, order.price_max, order.hours) == ("cabins", 15, (always,))
        assert order.filter == wanted
        cabin = Listing(property_type="cabin", bedrooms_total=3)
        bought = await world.lead(price=12, listing=cabin)
        [made] = await _eventually(client, "orders")
        assert (made.lead_id, made.price) == (bought, 12)
        second = await world.lead(price=12, listing=cabin)
        order = await client.call("standing_order", order.standing_order_id)
        assert (order.bought, order.bought_today, order.spent) == (1, 1, 12)

        id_ = order.standing_order_id
        why = await client.call("why", id_, bought)
        assert (why.outcome, why.order_id) == ("bought", made.order_id)
        why = await client.call("why", id_, second)
        assert why.outcome == "not-bought"
        assert why.evaluations[-1].rules_failed == ("per_day",)
        assert "per_day" in why.evaluations[-1].details

        changed = await client.call("change_standing_order", id_, is_paused=True, clear=["per_day"])
        assert (changed.is_paused, changed.per_day, changed.budget) == (True, None, 50)
        assert [each.standing_order_id for each in await client.items("standing_orders")] == [id_]
        assert await client.items("standing_orders", market="dallas") == []
        await client.call("cancel_standing_order", id_)
        assert await client.items("standing_orders") == []
        with pytest.raises(errors.NotFound):
            await client.call("standing_order", id_)


async def test_a_preview_says_what_would_have_been_bought(world: World, kind: Kind) -> None:
    place = f"shack-{secrets.token_hex(4)}"
    made = {await world.lead(price=n, listing=Listing(property_type=place)) for n in (5, 6, 50)}
    async with client_of(world, kind, await someone(world, credits=100)) as client:
        preview = await client.call(
            "preview_standing_order", "austin", 20, days=1, filter={"property_type": place}
        )
        assert (preview.bought, preview.cost, preview.balance) == (2, 11, 100)
        assert {item.lead_id for item in preview.items} < made
        assert preview.since < preview.until
        assert preview.refused == {"price": 1}
        assert await client.items("standing_orders") == []


async def test_a_contest_can_be_checked_by_who_lost_it(
    fresh_database_url: str, redis_url: str, kind: Kind
) -> None:
    settings = world_settings(fresh_database_url, redis_url, claim_window_ms=400)
    async with running(settings) as world:
        who = await someone(world, credits=100)
        async with (
            buyers(world, 5, credits=100) as rivals,
            client_of(world, kind, who) as client,
            EitherFeed(client.client.feed(market("austin"))) as feed,
        ):
            await asyncio.gather(*(rival.me() for rival in rivals), client.call("me"))
            await feed.take(1)
            lead_id = await world.lead(price=10, seats=2)
            [listed] = await feed.take(1)
            assert isinstance(listed, LeadEvent)
            assert listed.claims is not None
            outcomes = await asyncio.gather(
                *(rival.buy(lead_id) for rival in rivals),
                client.call("buy", lead_id),
                return_exceptions=True,
            )
            record = await client.call("claims", lead_id)
            lost = [each for each in outcomes if isinstance(each, errors.LeadUnavailable)]
            assert len(lost) == 4
            assert claims.verify(record, listed.claims.commitment) == []
            assert claims.verify(record, "0" * 64)
            [contest] = record.rounds
            assert len(contest.claims) == 6
            [own] = [claim for claim in contest.claims if claim.is_yours]
            assert own.claim_id == claims.claim_id(who.user_id, lead_id)
            has_won = not isinstance(outcomes[-1], BaseException)
            assert (own.result == "won") == has_won


async def test_notifications_are_set_listed_and_read(world: World, kind: Kind) -> None:
    who = await someone(world)
    assert world.replica.deps is not None
    for number in range(3):
        await world.replica.deps.pool.execute(
            "INSERT INTO notifications (notification_id, user_id, kind, key, title, body, facts,"
            " in_app, created_at) VALUES ($1, $2, 'hold.expired', $1, 'Gone', 'Your hold',"
            " $3::text::jsonb, true, now() + $4 * interval '1 s')",
            secrets.token_hex(8),
            who.user_id,
            f'{{"lead_id": "l{number}"}}',
            float(number),
        )
    async with client_of(world, kind, who) as client:
        found = await client.items("notifications", page_size=2)
        assert [each.facts["lead_id"] for each in found] == ["l2", "l1", "l0"]
        assert found[0].title == "Gone"
        await client.call("read_notification", found[1].notification_id)
        assert len(await client.items("notifications", only_unread=True)) == 2
        await client.call("read_notifications")
        assert await client.items("notifications", only_unread=True) == []
        quiet = QuietHours(start=1320, end=420, time_zone="America/Chicago")
        wanted = NotificationSettings(
            channels={"hold.expiring": Told(in_app=True, email=False)}, quiet_hours=quiet
        )
        kept = await client.call("set_notifications", wanted)
        assert kept.quiet_hours == quiet
        assert kept.channels["hold.expiring"] == Told(in_app=True, email=False)
        assert await client.call("notification_settings") == kept


async def test_a_standing_order_buys_when_a_price_comes_down(world: World, kind: Kind) -> None:
    place = f"barn-{secrets.token_hex(4)}"
    lead_id = await world.lead(price=30, listing=Listing(property_type=place))
    async with client_of(world, kind, await someone(world, credits=100)) as client:
        await client.call("place_standing_order", "austin", 20, filter={"property_type": [place]})
        await world.submit("austin", Reprice((lead_id,), (20,), "decay"))
        [made] = await _eventually(client, "orders")
        assert (made.lead_id, made.price) == (lead_id, 20)


async def _eventually(client: Any, listing: str) -> list[Any]:
    """The items of a list once it has some."""
    async with asyncio.timeout(10):
        while not (found := await client.items(listing)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return list(found)
