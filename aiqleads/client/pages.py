"""Lists of any length, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from aiqleads.client.answers.fields import Page
from aiqleads.client.calls.call import Call
from aiqleads.client.errors import UnexpectedAnswer

T = TypeVar("T")


class Pages(Generic[T]):
    """Iterate over it for the items. Each walk asks anew; an item that moves meanwhile may
    come twice or not at all."""

    def __init__(self, ask: Callable[[Call[Page[T]]], Page[T]], call: Call[Page[T]]) -> None:
        self._ask = ask
        self._call = call

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def first(self) -> Page[T]:
        """The first page, with `total` and `facets` if it is a search."""
        return self._ask(self._call)

    def pages(self) -> Iterator[Page[T]]:
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = self._ask(call)
            yield page
            call = _next(self._call, call, page)


class AsyncPages(Generic[T]):
    """Iterate over it with `async for`. Each walk asks anew; an item that moves meanwhile may
    come twice or not at all."""

    def __init__(
        self, ask: Callable[[Call[Page[T]]], Awaitable[Page[T]]], call: Call[Page[T]]
    ) -> None:
        self._ask = ask
        self._call = call

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def first(self) -> Page[T]:
        """The first page, with `total` and `facets` if it is a search."""
        return await self._ask(self._call)

    async def pages(self) -> AsyncIterator[Page[T]]:
        call: Call[Page[T]] | None = self._call
        while call is not None:
            page = await self._ask(call)
            yield page
            call = _next(self._call, call, page)

    async def all(self) -> list[T]:
        """Every item."""
        return [item async for item in self]


def _next(first: Call[Page[T]], made: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call of the next page. Raises UnexpectedAnswer if the list would turn in a circle."""
    if page.next_cursor is None:
        return None
    call = first.at(page.next_cursor)
    if call.query == made.query:
        raise UnexpectedAnswer(f"{made.path}: a page that is followed by itself")
    return call
