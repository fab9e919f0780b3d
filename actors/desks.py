"""The way to the desks from other processes, for what is not a record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from actors.intake_turn import Split

UNDO_SECONDS = 30.0

# (market, merge id, who asks) to what the merge came apart into, None if it can't.
UndoMerge = Callable[[str, str, str], Awaitable[Split | None]]


class DeskUnavailable(Exception):
    """The market's desk does not answer; what was asked may have been done."""


def ray_undo_merge() -> UndoMerge:
    """Through the desk actors, by name."""

    async def undo(market: str, merge_id: str, by: str) -> Split | None:
        import ray
        from ray.exceptions import RayActorError

        from actors.launch import NAMESPACE

        try:
            desk = await asyncio.to_thread(ray.get_actor, f"desk:{market}", NAMESPACE)
            async with asyncio.timeout(UNDO_SECONDS):
                split: Split | None = await desk.undo_merge.remote(merge_id, by)
        # ValueError is Ray's word for "no actor of this name".
        except (RayActorError, ValueError, TimeoutError) as error:
            raise DeskUnavailable(f"the {market} desk does not answer") from error
        return split

    return undo
