"""One book, and no other, goes on with a market."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.world import World


def wrong_owners(world: World, market: str) -> Iterator[str]:
    newest = world.books[market]
    for host in world.all_books:
        if host.market == market and host.is_alive and host is not newest:
            yield f"{host.process.name} goes on though {newest.process.name} is there"
    if newest.book.fenced:
        yield f"{newest.process.name} is fenced"
