"""The code of docs/Client.md, run on a market that trades meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiqleads.client import AsyncClient, Client, errors
from engine.market.listing import Listing
from tests.client.people import buyers
from tests.serve_apps.api.world import World, running, world_settings

GUIDE = Path(__file__).parents[2] / "docs" / "Client.md"
ADDRESS = "https://market.example"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(address: str) -> list[str]:
    """The code of the guide, for a market at another address and without proxies."""
    found = _BLOCK.findall(GUIDE.read_text())
    return [block.replace(f'"{ADDRESS}"', f'"{address}", trust_env=False') for block in found]


@contextlib.asynccontextmanager
async def trading(world: World, rivals: list[AsyncClient]) -> AsyncIterator[None]:
    """New leads all the time, each claimed by more than can have it."""

    async def trade() -> None:
        while True:
            house = Listing(property_type="house", bedrooms_total=4, city="Austin")
            lead_id = await world.lead(price=12, listing=house)
            bought = (rival.buy(lead_id) for rival in rivals)
            for outcome in await asyncio.gather(*bought, return_exceptions=True):
                assert not isinstance(outcome, Exception) or isinstance(outcome, errors.Conflict)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(trade())
    try:
        yield
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_guide_does_what_it_says(
    fresh_database_url: str, redis_url: str, capsys: Any
) -> None:
    settings = world_settings(
        fresh_database_url, redis_url, claim_window_ms=200, welcome_credits=300
    )
    async with running(settings) as world, buyers(world, 4, credits=10_000) as rivals:
        for price in (9, 14, 40):
            await world.lead(price=price, seats=3)
        taken = await world.lead(price=10)
        await rivals[0].hold(taken)
        names: dict[str, Any] = {"__name__": "guide", "taken": taken}
        code = blocks(str(world.http.base_url))
        assert len(code) == 8
        async with trading(world, rivals):
            for block in code:
                await asyncio.to_thread(exec, compile(block, str(GUIDE), "exec"), names)
        said = capsys.readouterr().out
        for words in (
            "ours until",
            "this one is ours",
            "read anew what user is about",
            "new: lead-",
            "would have bought",
            "not-considered",
            "number 1 of 1",
            "decided by the rule",
            "Ann Buyer has",
        ):
            assert words in said, words
        assert isinstance(names["client"], Client)


def test_the_guide_names_what_there_is() -> None:
    """Every method and error that its text names in code is one."""
    text = GUIDE.read_text()
    for name in re.findall(r"`([a-z_]+)\(\)`", text):
        assert hasattr(Client, name) or name == "first", name
    for name in re.findall(r"`([A-Z][A-Za-z]+)`", text):
        if name.endswith(("Changed", "Required", "Limited", "Out", "Answer", "Unavailable")):
            assert hasattr(errors, name) or name == "WalletChanged", name
