"""A coordinator of a checkout over two markets that dies between any two leads: what it began
is finished forward by another replica, each lead once, and only what was bought is paid."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from engine.adapters.postgres import checkouts
from engine.adapters.postgres.audit import audit
from engine.market import commands as c
from engine.market.listing import Listing
from serve_apps.api import checkout
from serve_apps.api.deps import Deps
from serve_apps.api.housekeeping import finish_unfinished
from tests.serve_apps.api.doomed_replica import Errand
from tests.serve_apps.api.world import Caller, World, assert_problem, running, world_settings

LEADS = 4


class Doom:
    """Carries a doomed replica's calls to the books, and kills it at one of them."""

    def __init__(self, world: World, *, at: int, carries_it: bool) -> None:
        self.world = world
        self.at = at
        self.carries_it = carries_it
        self.calls = 0
        self.swallowed: Errand | None = None
        self.process: asyncio.subprocess.Process | None = None

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        errand = msgspec.msgpack.decode(await reader.read(), type=Errand)
        self.calls += 1
        is_last = self.calls == self.at
        if is_last and not self.carries_it:
            self.swallowed = errand
        else:
            writer.write(await self.world.transport(errand.market, errand.payload))
        if is_last:
            assert self.process is not None
            self.process.kill()
            await self.process.wait()
        writer.close()

    @asynccontextmanager
    async def replica(self, settings: dict[str, Any]) -> AsyncIterator[str]:
        """Its URL, while it lives."""
        with tempfile.TemporaryDirectory(prefix="aiq-") as directory:
            path = str(Path(directory) / "books")
            server = await asyncio.start_unix_server(self.carry, path)
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.serve_apps.api.doomed_replica",
                msgspec.json.encode(settings).decode(), path,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert self.process.stdout is not None
                port = int(await self.process.stdout.readline())
                yield f"http://127.0.0.1:{port}"
            finally:
                if self.process.returncode is None:
                    self.process.kill()
                    await self.process.wait()
                server.close()


class Cart:
    """Of four leads held in two markets, two can be had for what the buyer has."""

    def __init__(self, buyer: Caller, lead_ids: list[str]) -> None:
        self.buyer = buyer
        self.lead_ids = lead_ids
        self.bought = [lead_ids[0], lead_ids[3]]
        self.refused = {lead_ids[1]: "hold-expired", lead_ids[2]: "insufficient-credits"}

    @classmethod
    async def fill(cls, world: World) -> Cart:
        buyer = await world.buyer(credits=30)
        lead_ids = [
            await world.lead(market=market, price=price)
            for market, price in (("austin", 10), ("dallas", 5), ("austin", 50), ("dallas", 15))
        ]
        for lead_id in lead_ids:
            assert (await buyer.hold(lead_id)).status_code == 201
        await world.submit("dallas", c.Withdraw(lead_ids[1], "gone"))
        return cls(buyer, lead_ids)

    async def check_out(self, url: str, key: str) -> httpx.Response:
        return await self.buyer.post(f"{url}/v1/checkout", {"lead_ids": self.lead_ids}, key=key)

    async def assert_done(self, world: World, answered: httpx.Response) -> None:
        """Told lead by lead, and so it is."""
        assert answered.status_code == 201, answered.text
        body = answered.json()
        assert _told(answered) == (self.bought, self.refused)
        assert all(order["contact"] for order in body["orders"])
        assert (body["total_credits"], body["wallet"]["balance"]) == (25, 5)
        assert await self.buyer.balance() == 5
        rows = await _deps(world).pool.fetch(
            "SELECT lead_id, price FROM orders WHERE user_id = $1 ORDER BY price",
            self.buyer.user_id,
        )
        assert [tuple(row) for row in rows] == list(zip(self.bought, (10, 15), strict=True))
        assert await audit(world.settings.database_url) == []


def _told(answered: httpx.Response) -> tuple[list[str], dict[str, str]]:
    """What was bought, and why the rest was not."""
    body = answered.json()
    refused = {each["lead_id"]: each["problem"]["type"] for each in body["refused"]}
    return [order["lead_id"] for order in body["orders"]], refused


def _deps(world: World) -> Deps:
    assert world.replica.deps is not None
    return world.replica.deps


@pytest.mark.parametrize("carries_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, LEADS + 1))
async def test_a_coordinator_killed_at_any_lead(
    database_url: str, redis_url: str, at: int, carries_it: bool
) -> None:
    given = {"database_url": database_url, "redis_url": redis_url}
    settings = world_settings(**given)
    async with running(settings) as world:
        cart, key = await Cart.fill(world), secrets.token_hex(8)
        doom = Doom(world, at=at, carries_it=carries_it)
        told = settings.model_dump(mode="json", exclude_unset=True)
        told["jwt_secret"] = settings.jwt_secret.get_secret_value()
        async with doom.replica(told) as url:
            with pytest.raises(httpx.TransportError):
                await cart.check_out(url, key)
        assert doom.calls == at
        assert await finish_unfinished(_deps(world), older_than_seconds=0) == 1
        if doom.swallowed is not None:
            # What it had sent arrives after all.
            await world.transport(doom.swallowed.market, doom.swallowed.payload)
        await cart.assert_done(world, await cart.check_out("", key))
        assert await finish_unfinished(_deps(world), older_than_seconds=0) == 0


async def _begun(world: World) -> checkouts.Checkout:
    """The newest checkout, as a coordinator has it that began it and was overtaken."""
    found = await _deps(world).pool.fetchval(
        "SELECT checkout_id FROM checkouts ORDER BY created_at DESC LIMIT 1"
    )
    row = await checkouts.find(_deps(world).pool, found)
    assert row is not None
    return msgspec.structs.replace(row, answer=None)


async def test_who_comes_late_finds_a_lead_that_was_not_there(
    database_url: str, redis_url: str
) -> None:
    """Refused once, it is not bought by the same checkout when it is there."""
    async with running(world_settings(database_url, redis_url)) as world:
        buyer = await world.buyer(credits=30)
        other, lead_id = await world.lead(), f"lead-{secrets.token_hex(6)}"
        await buyer.hold(other)
        names = {"lead_ids": [lead_id, other]}
        first = await buyer.post("/v1/checkout", names, key="k-1")
        assert _told(first) == ([other], {lead_id: "not-found"})

        await world.submit("dallas", c.ListLead(lead_id, 10, 1, Listing()))
        assert (await buyer.hold(lead_id)).status_code == 201
        await checkout.complete(_deps(world), await _begun(world))
        again = await buyer.post("/v1/checkout", names, key="k-1")
        assert _told(again) == _told(first)
        assert await buyer.balance() == 20


async def test_who_comes_late_finds_a_lead_that_was_under_review(
    database_url: str, redis_url: str
) -> None:
    async with running(world_settings(database_url, redis_url)) as world:
        buyer = await world.buyer(credits=30)
        lead_id = await world.lead()
        await buyer.hold(lead_id)
        await world.submit("austin", c.Quarantine(lead_id, "odd"))
        names = {"lead_ids": [lead_id]}
        assert_problem(await buyer.post("/v1/checkout", names, key="k-1"), 404, "not-found")

        await world.submit("austin", c.Approve(lead_id))
        assert (await buyer.hold(lead_id)).status_code == 201
        await checkout.complete(_deps(world), await _begun(world))
        assert_problem(await buyer.post("/v1/checkout", names, key="k-1"), 404, "not-found")
        assert await buyer.balance() == 30
