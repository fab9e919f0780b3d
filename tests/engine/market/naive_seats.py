"""Holds and purchases in the naive market: what each is answered, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.market import commands as c
from engine.market.plan import Plan
from tests.engine.market import naive_queue
from tests.engine.market.naive_facts import Expected, NaiveSeat

if TYPE_CHECKING:
    from tests.engine.market.naive_market import NaiveMarket

# What a command comes to if it is granted; nothing has happened before it is called.
Deed = Callable[[], Expected]


def discounted(plan: Plan, price: int) -> int:
    return price * (100 - plan.discount_percent) // 100


def hold_fee(plan: Plan, term: str, price: int) -> int:
    hundredths = price * plan.hold_fee_percent.get(term, 0)
    return hundredths // 100 + (1 if hundredths % 100 else 0)


def judge(market: NaiveMarket, command: c.BuyerCommand, now: int) -> str | Deed:
    pair = (command.lead_id, command.user_id)
    plan = market.trader(command.user_id)
    if plan is None and not isinstance(command, c.Release):
        return "forbidden"
    if isinstance(command, (c.Hold, c.Extend)) and command.term not in plan.terms_us:
        return "plan-required"
    if command.lead_id not in market.leads or market.state(command.lead_id) == "quarantined":
        return "not-found"
    seat = market.seats.get(pair)
    if seat is not None and seat.kind == "sold":
        return "already-bought"
    match command:
        case c.Hold():
            return _hold(market, command, plan, now)
        case c.Extend():
            return _extend(market, command, plan, now)
        case c.Release():
            return _release(market, command, now)
        case c.Buy():
            return _buy(market, command, plan, now)
    raise AssertionError(command)


def _hold(market: NaiveMarket, command: c.Hold, plan: Plan, now: int) -> str | Deed:
    pair = lead_id, user_id = command.lead_id, command.user_id
    lead, seat = market.leads[lead_id], market.seats.get(pair)
    if seat is not None and seat.kind == "held":
        return "already-held"
    if seat is None and market.state(lead_id) != "available":
        return "lead-unavailable"
    if market.bought_as_another(*pair):
        return "already-bought"
    price = discounted(plan, lead.price if seat is None else seat.price)
    held = market.held_prices(user_id)
    if len(held) >= plan.holds_max:
        return "hold-limit"
    if plan.hold_value_max is not None and sum(held) + price > plan.hold_value_max:
        return "hold-limit"
    first, _, forget_at = market.past.get(pair, (now, "", now))
    first = first if forget_at > now else now
    until = first + plan.terms_us[command.term]
    if until <= now:
        return "hold-limit"
    fee = hold_fee(plan, command.term, price)
    if fee > market.balances[user_id]:
        return "insufficient-credits"

    def deed() -> Expected:
        number = market.free_number(lead_id) if seat is None else seat.number
        market.pay(user_id, -fee)
        market.past.pop(pair, None)
        market.seats[pair] = NaiveSeat(
            number, price, "held", command.term, first, until, max(plan.terms_us.values()), fee
        )
        return ("held", price, command.term, until)

    return deed


def _extend(market: NaiveMarket, command: c.Extend, plan: Plan, now: int) -> str | Deed:
    pair = command.lead_id, command.user_id
    seat = market.seats.get(pair)
    if seat is None or seat.kind == "offered":
        return _without_hold(market, pair, now)
    until = seat.first + plan.terms_us[command.term]
    if until <= seat.until:
        return lambda: ("held", seat.price, seat.term, seat.until)
    fee = max(0, hold_fee(plan, command.term, seat.price) - seat.fee)
    if fee > market.balances[command.user_id]:
        return "insufficient-credits"

    def deed() -> Expected:
        market.pay(command.user_id, -fee)
        seat.fee += fee
        seat.term, seat.until = command.term, until
        seat.remember = max(plan.terms_us.values())
        return ("held", seat.price, seat.term, seat.until)

    return deed


def _release(market: NaiveMarket, command: c.Release, now: int) -> str | Deed:
    pair = command.lead_id, command.user_id
    seat = market.seats.get(pair)
    if seat is None or seat.kind == "offered":
        return _without_hold(market, pair, now)

    def deed() -> Expected:
        market.end(*pair, "released", now)
        naive_queue.offer(market, command.lead_id, now)
        return ("done",)

    return deed


def _buy(market: NaiveMarket, command: c.Buy, plan: Plan, now: int) -> str | Deed:
    pair = lead_id, user_id = command.lead_id, command.user_id
    lead, seat = market.leads[lead_id], market.seats.get(pair)
    if command.from_cart and (seat is None or seat.kind == "offered"):
        return _without_hold(market, pair, now)
    if seat is None and market.state(lead_id) != "available":
        return "lead-unavailable"
    if market.bought_as_another(*pair):
        return "already-bought"
    credit = 0
    if seat is None:
        price = discounted(plan, lead.price)
    elif seat.kind == "offered":
        price = discounted(plan, seat.price)
    else:
        price = seat.price
        credit = min(seat.fee, price) if plan.is_hold_fee_credited else 0
    if command.max_price is not None and price > command.max_price:
        return "price-changed"
    if price > market.balances[user_id] + credit:
        return "insufficient-credits"

    def deed() -> Expected:
        market.pay(user_id, credit)
        sell(market, lead_id, user_id, price)
        return ("bought", price)

    return deed


def sell(market: NaiveMarket, lead_id: str, user_id: str, price: int) -> None:
    """Give the buyer the seat they hold, or the lowest free one. The last ends the line."""
    seat = market.seats.get((lead_id, user_id))
    number = market.free_number(lead_id) if seat is None else seat.number
    market.balances[user_id] -= price
    market.past.pop((lead_id, user_id), None)
    market.seats[lead_id, user_id] = NaiveSeat(number, price, "sold")
    if market.state(lead_id) == "sold":
        market.line.pop(lead_id, None)


def _without_hold(market: NaiveMarket, pair: tuple[str, str], now: int) -> str:
    """An offer is no hold, whatever was held before it."""
    _, because, forget_at = market.past.get(pair, (0, "", 0))
    ended = now < forget_at and because != "released" and pair not in market.seats
    return "hold-expired" if ended else "not-in-cart"
