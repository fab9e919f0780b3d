"""Either client behind one awaited face, so that one test asks both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from aiqleads.client import AsyncClient, Client
from aiqleads.client.pages import AsyncPages

Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")


class Either:
    """`await either.call("hold", lead_id)` and `await either.items("orders")`."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        method: Callable[..., Any] = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def items(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        pages = getattr(self.client, name)(*args, **kwargs)
        if isinstance(pages, AsyncPages):
            return await pages.all()
        return await asyncio.to_thread(list, pages)

    async def first(self, name: str, *args: Any, **kwargs: Any) -> Any:
        pages = getattr(self.client, name)(*args, **kwargs)
        if isinstance(pages, AsyncPages):
            return await pages.first()
        return await asyncio.to_thread(pages.first)

    async def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            await self.client.close()
        else:
            await asyncio.to_thread(self.client.close)


def either(kind: Kind, base_url: str, **options: Any) -> Either:
    options.setdefault("trust_env", False)
    return Either((AsyncClient if kind == "async" else Client)(base_url, **options))
