"""From a call to a market's book and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.market.answers import Bought, Contact, Held, Reply
from engine.market.batch import MISMATCH
from engine.market.commands import Command, Refused
from engine.market.instant import rfc3339
from serve_apps.api.call import Call
from serve_apps.api.problems import Problem


class KeysInFlight:
    """Which request each Idempotency-Key stands for while its answer is awaited.

    One key must not be on its way to two markets at once: neither book knows of the other's
    command yet, and the second to commit would find the id taken and lose its whole flush.
    """

    def __init__(self) -> None:
        self._requests: dict[bytes, tuple[bytes | None, int]] = {}

    @contextmanager
    def held(self, command_id: bytes | None, request_hash: bytes | None) -> Iterator[None]:
        """Raises Problem if the key is on its way with another body."""
        if command_id is None:
            yield
            return
        stands_for, waiting = self._requests.get(command_id, (request_hash, 0))
        if stands_for != request_hash:
            raise Problem(MISMATCH.code, MISMATCH.detail)
        self._requests[command_id] = (stands_for, waiting + 1)
        try:
            yield
        finally:
            stands_for, waiting = self._requests.pop(command_id)
            if waiting > 1:
                self._requests[command_id] = (stands_for, waiting - 1)


async def submit(call: Call, market: str, command: Command, attempt: int = 0) -> Reply:
    """The book's answer. Raises Problem on a refusal, BookUnavailable, BookBusy.

    `attempt` numbers the commands of a request that may take several.
    """
    deps = call.deps
    began = time.perf_counter()
    command_id, request_hash = call.command_id(attempt), call.request_hash()
    with deps.keys_in_flight.held(command_id, request_hash):
        reply = await deps.market_client.submit(
            market, command, command_id=command_id, request_hash=request_hash
        )
    deps.traffic.book(market).observe(time.perf_counter() - began)
    answer = reply.answer
    if type(answer) is Refused:
        raise Problem(answer.code, answer.detail)
    return reply


def held_entry(held: Held) -> dict[str, object]:
    return {
        "lead_id": held.lead_id,
        "price": held.price,
        "hold": held.hold,
        "held_until": rfc3339(held.held_until),
    }


def order_entry(bought: Bought, contact: Contact | None) -> dict[str, object]:
    return {
        "order_id": bought.order_id,
        "lead_id": bought.lead_id,
        "price": bought.price,
        "bought_at": rfc3339(bought.bought_at),
        "contact": contact,
    }


def purchase(
    orders: list[dict[str, object]],
    refused: list[dict[str, object]],
    total_credits: int,
    balance: int,
) -> dict[str, object]:
    """The body of checkout and buy."""
    return {
        "orders": orders,
        "refused": refused,
        "total_credits": total_credits,
        "wallet": {"balance": balance},
    }
