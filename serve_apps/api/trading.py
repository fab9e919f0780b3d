"""From a call to a market's book and back."""

from __future__ import annotations

import time

from engine.market.answers import Bought, Contact, Held, Reply
from engine.market.commands import Command, Refused
from engine.market.instant import rfc3339
from serve_apps.api.call import Call
from serve_apps.api.problems import Problem


async def submit(call: Call, market: str, command: Command) -> Reply:
    """The book's answer. Raises Problem on a refusal, BookUnavailable, BookBusy."""
    deps = call.deps
    began = time.perf_counter()
    reply = await deps.market_client.submit(
        market, command, command_id=call.command_id(), request_hash=call.request_hash()
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
