"""Accounts of the market, and clients that sign in as them by themselves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aiqleads.client import AsyncClient
from tests.client.either import Either, Kind, either
from tests.serve_apps.api.world import PASSWORD, World


class Someone(NamedTuple):
    email: str
    user_id: str


async def someone(world: World, credits: int = 0) -> Someone:
    """A new account."""
    account = (await world.register()).json()
    if credits:
        await world.grant(account["user_id"], credits)
    return Someone(account["email"], account["user_id"])


@contextlib.asynccontextmanager
async def client_of(
    world: World, kind: Kind, who: Someone, **options: Any
) -> AsyncIterator[Either]:
    """A client with a session of its own."""
    client = either(kind, str(world.http.base_url), email=who.email, password=PASSWORD, **options)
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def buyers(world: World, count: int, credits: int = 0) -> AsyncIterator[list[AsyncClient]]:
    """Clients of so many new accounts."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            who = await someone(world, credits)
            made = await stack.enter_async_context(client_of(world, "async", who))
            assert isinstance(made.client, AsyncClient)
            found.append(made.client)
        yield found
