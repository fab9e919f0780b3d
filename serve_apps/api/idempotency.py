"""Keyed writes that no book decides: run once, answered alike ever after (24 h)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from engine.adapters.postgres import idempotency
from engine.adapters.postgres.idempotency import Stored
from serve_apps.api.answers import Answer, answer, problem_answer
from serve_apps.api.call import Call
from serve_apps.api.problems import PROBLEMS, Problem

Decide = Callable[[asyncpg.Connection], Awaitable[Stored]]


def decided(status: int, body: Any) -> Stored:
    return Stored(status, body)


def refused(slug: str, detail: str) -> Stored:
    """A decided no, stored like a yes: it is committed with nothing else."""
    return Stored(PROBLEMS[slug][0], {"slug": slug, "detail": detail})


async def answer_once(call: Call, decide: Decide) -> Answer:
    """Run `decide` in a transaction, once per Idempotency-Key, and answer what it decided.

    Raises OtherBody when the key came with another body, and what `decide` raises.
    """
    stored = await idempotency.once(
        call.deps.pool, call.command_id(), call.request_hash() or b"", decide
    )
    if stored.status >= 400:
        problem = Problem(stored.answer["slug"], stored.answer["detail"])
        return problem_answer(problem, call.request_id)
    return answer(stored.answer, stored.status)
