"""Either client behind one awaited face, so that one test asks both."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, Self

from aiqleads.client import AsyncClient, Client
from aiqleads.client.address import feed_address
from aiqleads.client.feed.async_feed import AsyncFeed
from aiqleads.client.feed.async_live_view import AsyncLiveView
from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.feed.sync_feed import Feed
from aiqleads.client.pages import AsyncPages

Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")


class Either:
    """`await either.call("hold", lead_id)` and `await either.items("orders")`."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        method: Callable[..., Any] = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def items(self, name: str, /, *args: Any, **kwargs: Any) -> list[Any]:
        pages = getattr(self.client, name)(*args, **kwargs)
        if isinstance(pages, AsyncPages):
            return await pages.all()
        return await asyncio.to_thread(list, pages)

    async def first(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        pages = getattr(self.client, name)(*args, **kwargs)
        if isinstance(pages, AsyncPages):
            return await pages.first()
        return await asyncio.to_thread(pages.first)

    async def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            await self.client.close()
        else:
            await asyncio.to_thread(self.client.close)


class EitherFeed:
    """Either feed, read one message at a time."""

    def __init__(self, feed: Feed | AsyncFeed) -> None:
        self.feed = feed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.do("close")

    async def next(self, seconds: float = 10) -> FeedMessage | None:
        if isinstance(self.feed, AsyncFeed):
            return await self.feed.next(seconds)
        return await asyncio.to_thread(self.feed.next, seconds)

    async def take(self, count: int) -> list[FeedMessage]:
        """The next messages, all of which must come."""
        found = [await self.next() for _ in range(count)]
        assert None not in found, found
        return [message for message in found if message is not None]

    async def do(self, name: str, *args: Any) -> Any:
        method = getattr(self.feed, name)
        if isinstance(self.feed, AsyncFeed):
            return await method(*args)
        return await asyncio.to_thread(method, *args)


@contextlib.asynccontextmanager
async def either_feed(
    kind: Kind, base_url: str, *channels: Channel, **options: Any
) -> AsyncIterator[EitherFeed]:
    """A feed whose tokens are `token-1`, `token-2`, …, unless `token` says otherwise."""
    numbers = itertools.count(1)
    options = {"trust_env": False, "rng": QuickChance(7)} | options
    token = options.pop("token", lambda stale: f"token-{next(numbers)}")

    async def later(stale: str | None) -> str:
        found: str = token(stale)
        return found

    feed: Feed | AsyncFeed
    if kind == "async":
        feed = AsyncFeed(feed_address(base_url), later, channels, **options)
    else:
        feed = Feed(feed_address(base_url), token, channels, **options)
    async with EitherFeed(feed) as found:
        yield found


@contextlib.asynccontextmanager
async def viewing(client: Either, market: str = "austin", **options: Any) -> AsyncIterator[Any]:
    """A live view of either client."""
    found: Any = client.client.view(market, **options)
    if isinstance(client.client, AsyncClient):
        async with found:
            yield found
    else:
        view = await asyncio.to_thread(found.__enter__)
        try:
            yield view
        finally:
            await asyncio.to_thread(found.__exit__, None, None, None)


async def until(view: Any, holds: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until it holds after a change of a live view."""
    if isinstance(view, AsyncLiveView):
        await view.until(lambda _: holds(), seconds)
    else:
        await asyncio.to_thread(view.until, lambda _: holds(), seconds)


class QuickChance(random.Random):
    """Chance that does not keep tests waiting."""

    def uniform(self, a: float, b: float) -> float:
        return super().uniform(a, b) / 20


def either(kind: Kind, base_url: str, **options: Any) -> Either:
    options.setdefault("trust_env", False)
    return Either((AsyncClient if kind == "async" else Client)(base_url, **options))
