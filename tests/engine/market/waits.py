"""The instants that a step may wait for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.market.instant import from_datetime, to_datetime
from engine.market.rules import RECENT_WINS_US
from tests.engine.market.cart_floor import REMINDERS
from tests.engine.market.history import MINUTE, NIGHT, ZONE, Step

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor


def instant_of(floor: TradingFloor, step: Step) -> int:
    """When a step happens, µs: not before now."""
    if step.wait == "micros":
        return floor.now + step.amount
    if step.wait == "minutes":
        return floor.now + step.amount * MINUTE
    instants = (instant + step.offset for instant in _instants(floor, step.wait))
    ahead = sorted(instant for instant in instants if instant >= floor.now)
    return ahead[step.amount % len(ahead)] if ahead else floor.now


def _instants(floor: TradingFloor, wait: str) -> list[int]:
    naive = floor.naive
    match wait:
        case "deadline":
            return [seat.until for seat in naive.seats.values() if seat.kind != "sold"]
        case "reminder":
            return [
                seat.until - minutes * MINUTE
                for seat in naive.seats.values()
                for minutes in REMINDERS
                if seat.kind == "held"
            ]
        case "forget":
            return [forget_at for _, _, forget_at in naive.past.values()]
        case "decide":
            return [naive.leads[lead_id].decide_at for lead_id in naive.undecided]
        case "wins":
            return [win.at + RECENT_WINS_US for win in naive.wins]
        case "midnight":
            return _on_the_clock(floor.now, [0])
        case "hours":
            return _on_the_clock(floor.now, (edge for h in NIGHT for edge in (h.start, h.end)))
    return []


def _on_the_clock(now: int, minutes: Iterable[int]) -> list[int]:
    """When the market's clocks show these minutes of the day, today and tomorrow; twice in
    the night in which they go back."""
    today = to_datetime(now).astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        from_datetime((today + timedelta(days=days, minutes=minute)).replace(fold=fold))
        for minute in minutes
        for days in (0, 1)
        for fold in (0, 1)
    ]
