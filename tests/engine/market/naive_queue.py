"""The line for a lead in the naive market: a list of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.market import commands as c
from tests.engine.market.naive_facts import Expected, NaiveSeat

if TYPE_CHECKING:
    from tests.engine.market.naive_market import NaiveMarket

WAITING_MAX = 100


def ask(market: NaiveMarket, command: c.Join | c.Leave, now: int) -> Expected:
    if isinstance(command, c.Join) and market.trader(command.user_id) is None:
        return "forbidden"
    if command.lead_id not in market.leads or market.state(command.lead_id) == "quarantined":
        return "not-found"
    if isinstance(command, c.Join):
        return _join(market, command.lead_id, command.user_id)
    return _leave(market, command.lead_id, command.user_id, now)


def _join(market: NaiveMarket, lead_id: str, user_id: str) -> Expected:
    seat, line = market.seats.get((lead_id, user_id)), market.line.get(lead_id, [])
    if seat is not None:
        return {"sold": "already-bought", "held": "already-held", "offered": "already-queued"}[
            seat.kind
        ]
    if user_id in line:
        return "already-queued"
    state = market.state(lead_id)
    if state in ("sold", "withdrawn"):
        return "lead-unavailable"
    if market.bought_as_another(lead_id, user_id):
        return "already-bought"
    if state == "available":
        return "seat-available"
    if len(line) >= WAITING_MAX:
        return "queue-full"
    market.line[lead_id] = [*line, user_id]
    return ("queued", len(line) + 1, len(line) + 1)


def _leave(market: NaiveMarket, lead_id: str, user_id: str, now: int) -> Expected:
    seat, line = market.seats.get((lead_id, user_id)), market.line.get(lead_id, [])
    if user_id in line:
        line.remove(user_id)
    elif seat is not None and seat.kind == "offered":
        del market.seats[lead_id, user_id]
        offer(market, lead_id, now)
    else:
        return "not-queued"
    return ("done",)


def offer(market: NaiveMarket, lead_id: str, now: int) -> None:
    """A seat has come free: keep it for the first in line."""
    line = market.line.get(lead_id)
    if not line:
        return
    user_id = line.pop(0)
    market.seats[lead_id, user_id] = NaiveSeat(
        market.free_number(lead_id),
        market.leads[lead_id].price,
        "offered",
        until=now + market.rules.offer_us,
    )
