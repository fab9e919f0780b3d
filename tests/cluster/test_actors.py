"""The markets' actors on a real Ray: launched, reached, killed, fenced, stopped.

The tests of this module share one launch and run in order.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from actors.client import MarketClient
from engine.market import commands as c
from engine.market.answers import Bought, Done
from engine.market.cart_shards import shard_of
from engine.settings import Settings
from tests.actors.cart_stand import MINUTE, SECOND, CartStand, cart_stand
from tests.actors.faults import wire
from tests.actors.trading_house import TradingHouse, trading_house, until

MARKET = "reno"


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[TradingHouse]:
    """The launched market MARKET, reached through Ray."""
    from actors.launch import launch, ray_transport

    await asyncio.to_thread(launch, settings)
    async with trading_house(settings.database_url, settings.redis_url) as house:
        house.market = MARKET
        house.client = MarketClient(ray_transport(), patience=120.0)
        yield house


@pytest.fixture
async def stand(house: TradingHouse) -> AsyncIterator[CartStand]:
    """Holds in a market without a book: written by hand, they are in no journal."""
    async with (
        trading_house(house.database_url, house.redis_url) as bookless,
        cart_stand(bookless) as stand,
    ):
        yield stand


async def status(settings: Settings, name: str = f"book:{MARKET}") -> dict[str, Any] | None:
    from actors.launch import statuses

    return (await asyncio.to_thread(statuses, settings))[name]


async def pid(settings: Settings, name: str = f"book:{MARKET}") -> int:
    """The process of an actor, once it answers: one that was just killed is away for a while,
    though an answer it gave before may still arrive."""
    async with asyncio.timeout(120):
        while True:
            said = await status(settings, name)
            if said is not None:
                return int(said["pid"])
            await asyncio.sleep(0.1)


async def test_every_market_is_launched_and_a_second_launch_changes_nothing(
    settings: Settings,
) -> None:
    from actors.launch import launch, statuses

    progress: list[str] = []
    await asyncio.to_thread(launch, settings, progress.append)
    names = {f"{kind}:{market}" for kind in ("book", "desk") for market in ("reno", "boise")}
    names |= {"carts:0", "scheduler"}
    assert set(progress) == names
    first = await asyncio.to_thread(statuses, settings)
    assert {name for name, said in first.items() if said and said["serving"]} == names
    await asyncio.to_thread(launch, settings)
    assert await asyncio.to_thread(statuses, settings) == first


async def test_a_command_through_ray(house: TradingHouse) -> None:
    ann, lead_id = await house.buyer(50), await house.lead(price=20)
    reply = await house.ask(c.Buy(lead_id, ann, "through-ray"))
    assert isinstance(reply.answer, Bought)
    assert reply.answer.balance == 30
    assert reply.contact is not None
    await until(house.stream_is_complete)


async def test_kill_9_of_a_book_under_load(house: TradingHouse, settings: Settings) -> None:
    leads = [await house.lead(1, 3) for _ in range(60)]
    users = [await house.buyer(1_000) for _ in range(8)]
    before = await house.credits()
    acknowledged: dict[str, tuple[str, str]] = {}
    kills: list[float] = []
    served_again: list[float] = []

    async def buyer(user: str) -> None:
        for lead_id in leads:
            order_id = secrets.token_hex(8)
            answer = await house.said(c.Buy(lead_id, user, order_id))
            if isinstance(answer, Bought):
                assert answer.order_id not in acknowledged
                acknowledged[answer.order_id] = (user, lead_id)
            if len(served_again) < len(kills):
                served_again.append(time.monotonic() - kills[-1])

    async def killer() -> None:
        for _ in range(2):
            await asyncio.sleep(0.3)
            victim = await pid(settings)
            os.kill(victim, signal.SIGKILL)
            kills.append(time.monotonic())
            await until(lambda: len(served_again) == len(kills) or done.is_set(), seconds=120)

    done = asyncio.Event()
    killing = asyncio.create_task(killer())
    await asyncio.gather(*(buyer(user) for user in users))
    done.set()
    await killing
    print(f"\nfrom kill -9 to the next answer: {[f'{s:.2f} s' for s in served_again]}")
    assert kills
    stored = {row["order_id"]: (row["user_id"], row["lead_id"]) for row in await house.orders()}
    assert acknowledged.items() <= stored.items()
    assert len(stored) - 180 in (0, 1)  # the order of the test before, if it ran
    assert await house.credits() == before
    await house.audit()
    await until(house.stream_is_complete)
    assert isinstance(await house.buy(await house.lead(), users[0]), Bought)


async def test_a_killed_book_waits_for_its_database(settings: Settings) -> None:
    """Ray restarts the process; it must then wait for the database rather than give up."""
    import ray

    from actors.launch import ACTOR_OPTIONS, BookActor, ray_transport

    async with (
        wire(settings.database_url) as to_database,
        trading_house(settings.database_url, settings.redis_url) as house,
    ):
        through = settings.model_copy(update={"database_url": to_database.url})
        actor = ray.remote(**ACTOR_OPTIONS, name=f"book:{house.market}")(BookActor).remote(
            house.market, through
        )
        try:
            victim = (await actor.status.remote())["pid"]
            await to_database.cut()
            os.kill(victim, signal.SIGKILL)
            await asyncio.sleep(3)
            await to_database.mend()
            house.client = MarketClient(ray_transport(), patience=120.0)
            assert await house.said(c.ListLead("lead-after", 5, 1, _listing())) == Done()
            assert (await actor.status.remote())["pid"] != victim
        finally:
            ray.kill(actor, no_restart=True)


async def test_a_fenced_book_does_not_come_back(settings: Settings) -> None:
    import ray
    from ray.exceptions import RayActorError

    from actors.launch import ACTOR_OPTIONS, BookActor

    async with trading_house(settings.database_url, settings.redis_url) as house:
        actor = ray.remote(**ACTOR_OPTIONS, name=f"book:{house.market}")(BookActor).remote(
            house.market, settings
        )
        old = (await actor.status.remote())["pid"]
        await house.book()
        await until(lambda: not psutil.pid_exists(old), seconds=60)
        with pytest.raises(RayActorError):
            await actor.status.remote()
        with pytest.raises(ValueError, match=house.market):
            ray.get_actor(f"book:{house.market}", namespace="aiqleads")
        assert isinstance(await house.buy(await house.lead(), await house.buyer()), Bought)
        assert not house.books[0].fenced


async def test_a_killed_shard_of_carts_comes_back_and_reminds_once(
    stand: CartStand, settings: Settings
) -> None:
    ann, bob = await stand.house.buyer(), await stand.house.buyer()
    # One reminder comes due while nobody is there, the other later.
    missed = await stand.hold(ann, 10 * MINUTE + SECOND)
    later = await stand.hold(bob, 10 * MINUTE + 15 * SECOND)
    await stand.say_held(ann, *missed)
    await stand.say_held(bob, *later)
    victim = await pid(settings, "carts:0")
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(stand.heard(bob, "hold.expiring")) == 1, seconds=120)
    assert await pid(settings, "carts:0") != victim
    assert await stand.keys(ann) == [f"hold.expiring:{missed[0]}:{missed[1]}:10"]
    assert await stand.keys(bob) == [f"hold.expiring:{later[0]}:{later[1]}:10"]


async def test_carts_move_when_there_are_more_shards_and_back(
    stand: CartStand, settings: Settings
) -> None:
    import ray

    from actors.launch import launch

    users = [await stand.house.buyer() for _ in range(8)]
    holds = [await stand.hold(user, 10 * MINUTE + 15 * SECOND) for user in users]
    more = settings.model_copy(update={"cart_shards": 2})
    await asyncio.to_thread(launch, more)
    shards = [ray.get_actor(f"carts:{index}", namespace="aiqleads") for index in range(2)]
    for user, (lead_id, _) in zip(users, holds, strict=True):
        cart = await shards[shard_of(user, 2)].cart.remote(user)
        assert [held.lead_id for held in cart.holds] == [lead_id]
    await asyncio.to_thread(launch, settings)
    carts = [await shards[0].cart.remote(user) for user in users]
    assert [cart.holds[0].lead_id for cart in carts] == [lead_id for lead_id, _ in holds]
    with pytest.raises(ValueError, match="carts:1"):
        ray.get_actor("carts:1", namespace="aiqleads")
    await until(lambda: all(stand.heard(user, "hold.expiring") for user in users), seconds=120)
    assert [len(stand.heard(user, "hold.expiring")) for user in users] == [1] * 8


async def test_launch_replaces_what_is_gone(settings: Settings) -> None:
    import ray

    from actors.launch import launch

    before = await pid(settings)
    actor = ray.get_actor(f"book:{MARKET}", namespace="aiqleads")
    ray.kill(actor, no_restart=True)
    await asyncio.to_thread(launch, settings)
    said = await status(settings)
    assert said is not None
    assert said["serving"]
    assert said["pid"] != before


async def test_stopped_actors_are_gone_and_their_market_is_kept(
    house: TradingHouse, settings: Settings
) -> None:
    from actors.launch import launch, statuses, stop_actors

    ann, lead_id = await house.buyer(), await house.lead()
    pids = [said["pid"] for said in (await asyncio.to_thread(statuses, settings)).values() if said]
    assert len(pids) == 6
    await asyncio.to_thread(stop_actors, settings)
    await until(lambda: not any(psutil.pid_exists(each) for each in pids), seconds=60)
    assert set((await asyncio.to_thread(statuses, settings)).values()) == {None}
    await asyncio.to_thread(launch, settings)
    assert isinstance(await house.buy(lead_id, ann), Bought)
    await house.audit()
    await asyncio.to_thread(stop_actors, settings)


def _listing() -> Any:
    from engine.market.listing import Listing

    return Listing(sources=("zillow",))
