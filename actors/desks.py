"""The way to the desks from other processes, for what is not a record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from actors.intake_turn import Split
from engine.adapters.postgres.fraud_scores import Word

ANSWER_SECONDS = 30.0

# (market, merge id, who asks) to what the merge came apart into, None if it can't.
UndoMerge = Callable[[str, str, str], Awaitable[Split | None]]
# (market, lead id, a reviewer's word) to whether the desk keeps anything of such a lead.
DecideLead = Callable[[str, str, Word], Awaitable[bool]]


class DeskUnavailable(Exception):
    """The market's desk does not answer; what was asked may have been done."""


def ray_undo_merge() -> UndoMerge:
    """Through the desk actors, by name."""

    async def undo(market: str, merge_id: str, by: str) -> Split | None:
        split: Split | None = await _asked(market, "undo_merge", merge_id, by)
        return split

    return undo


def ray_decide_lead() -> DecideLead:
    """Through the desk actors, by name."""

    async def decide(market: str, lead_id: str, word: Word) -> bool:
        return bool(await _asked(market, "decide", lead_id, word))

    return decide


async def _asked(market: str, method: str, *arguments: Any) -> Any:
    """What the market's desk answers. Raises DeskUnavailable."""
    import ray
    from ray.exceptions import RayActorError

    from actors.launch import NAMESPACE

    try:
        desk = await asyncio.to_thread(ray.get_actor, f"desk:{market}", NAMESPACE)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await getattr(desk, method).remote(*arguments)
    # ValueError is Ray's word for "no actor of this name".
    except (RayActorError, ValueError, TimeoutError) as error:
        raise DeskUnavailable(f"the {market} desk does not answer") from error
