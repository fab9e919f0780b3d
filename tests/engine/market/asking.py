"""What the plain numbers of a history ask, once the state is known that they fall upon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.market import commands as c
from engine.market.answers import Request
from tests.engine.market.history import (
    BUYERS,
    FILTERS,
    LEADS,
    LISTINGS,
    PLANS,
    SEATS,
    TERMS,
    USERS,
    WANTED,
    Ask,
)
from tests.engine.market.naive_market import NaiveMarket

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor

# Kinds that are asked of a lead which somebody holds, or has been offered, most of the time.
ON_A_HOLD = ("extend", "release", "cart_buy")
# Kinds that are no command, but happen elsewhere.
ELSEWHERE = ("credits", "plan", "suspend", "elsewhere")


def happen(floor: TradingFloor, ask: Ask) -> None:
    """What happens to a buyer outside the market."""
    market, user_id = floor.naive, USERS[ask.user]
    if user_id not in BUYERS:
        return
    match ask.kind:
        case "credits":
            market.balances[user_id] += ask.a * 10
            floor.money.grant(user_id, ask.a * 10)
            market.suspended.clear()
        case "plan":
            market.plans[user_id] = list(PLANS.values())[ask.a % len(PLANS)]
        case "suspend":
            market.suspended.add(user_id)
        case "elsewhere":
            market.elsewhere[user_id] = [ask.b * 5 + 1] * (ask.a // 4)


def requests_of(floor: TradingFloor, ask: Ask) -> list[Request]:
    known = [lead for lead, lead_id in enumerate(LEADS) if lead_id in floor.naive.leads]
    if ask.b and known:
        # Most often, what is asked for is there, and so is who asks.
        lead, user = known[ask.lead % len(known)], ask.user
        ask = ask._replace(lead=lead, user=ask.a % len(BUYERS) if user >= len(BUYERS) else user)
    if ask.kind in ("repeat", "mismatch") and floor.asked:
        return [_again(floor, ask)]
    asks = [ask]
    if ask.kind == "premiere":
        asks = _premiere(floor.naive, ask)
    if ask.kind == "rush":
        asks = _rush(floor.naive, ask)
    if ask.kind == "join":
        asks = [ask._replace(user=(ask.user + n) % len(USERS)) for n in range(1 + ask.a % 3)]
    return [_request(floor, each, number) for number, each in enumerate(asks)]


def _premiere(market: NaiveMarket, ask: Ask) -> list[Ask]:
    """A lead is put on offer, and several buyers are there in time."""
    unlisted = [lead_id for lead_id in LEADS if lead_id not in market.leads]
    closed = sorted(lead_id for lead_id, lead in market.leads.items() if lead.closed)
    ready = unlisted[:1] + closed or LEADS
    lead_id = ready[ask.lead % len(ready)]
    state = market.state(lead_id) if lead_id in market.leads else None
    kind = {None: "list", "withdrawn": "relist", "quarantined": "approve"}.get(state, "reprice")
    lead = LEADS.index(lead_id)
    return [ask._replace(kind=kind, lead=lead), *_buyers(ask, lead)]


def _rush(market: NaiveMarket, ask: Ask) -> list[Ask]:
    """Several buyers ask for one lead, most often one on which claims are collected."""
    lead = ask.lead
    collecting = sorted(market.undecided)
    if collecting and ask.b % 4:
        lead = LEADS.index(collecting[ask.lead % len(collecting)])
    return _buyers(ask, lead)


def _buyers(ask: Ask, lead: int) -> list[Ask]:
    return [
        Ask(
            "hold" if ask.b >> n & 1 else "buy",
            lead,
            (ask.user + n) % len(USERS),
            (ask.a + n) % 8,
            ask.b,
        )
        for n in range(2 + ask.a % 4)
    ]


def _again(floor: TradingFloor, ask: Ask) -> Request:
    """An earlier request, the latest most often, as it was or with another body."""
    back = ask.a * 8 + ask.b if ask.a % 2 else ask.b
    old = floor.asked[-1 - back % len(floor.asked)]
    if ask.kind == "repeat":
        return old
    other = b"other" if old.request_hash != b"other" else b"another"
    return Request(old.command_id, old.command, other)


def _request(floor: TradingFloor, ask: Ask, number: int) -> Request:
    name = f"{len(floor.asked)}.{number}.{ask.kind}.{ask.lead}.{ask.user}.{ask.a}.{ask.b}"
    name += f".{floor.position}.{floor.now}"
    command = _command(floor.naive, ask, name)
    return Request(name.encode(), command, b"body" if ask.b % 2 else None)


def _command(market: NaiveMarket, ask: Ask, name: str) -> c.Command:
    match ask.kind:
        case "hold" | "extend" | "release" | "buy" | "cart_buy" | "accept":
            return _trade(market, ask, name)
        case "join" | "leave":
            return _line(market, ask)
        case "place" | "change" | "cancel":
            return _standing(market, ask, name)
    return _operate(market, ask)


def _trade(market: NaiveMarket, ask: Ask, name: str) -> c.Command:
    lead_id, user_id = LEADS[ask.lead], USERS[ask.user]
    wanted = "offered" if ask.kind == "accept" else "held"
    seats = sorted(pair for pair, seat in market.seats.items() if seat.kind == wanted)
    if ask.kind in (*ON_A_HOLD, "accept") and seats and ask.b % 4:
        lead_id, user_id = seats[(ask.lead * len(USERS) + ask.user) % len(seats)]
    twins = _bought_as_another(market)
    if ask.a == 6 and twins:
        lead_id, user_id = twins[ask.lead % len(twins)]
    plan = market.plans.get(user_id)
    terms = list(plan.terms_us) if plan is not None and ask.a < 7 else TERMS
    # Held for a short time first, most often, and then for long.
    usual = 0 if ask.kind == "hold" else -1
    term = terms[usual if ask.a < 4 else (ask.a + ask.b) % len(terms)]
    match ask.kind:
        case "extend":
            return c.Extend(lead_id, user_id, term)
        case "release":
            return c.Release(lead_id, user_id)
        case "cart_buy":
            return c.Buy(lead_id, user_id, f"order-{name}", from_cart=True)
        case "hold":
            return c.Hold(lead_id, user_id, term)
        case "accept" if ask.a in (4, 5):
            # As if it were a hold already, which it is not.
            as_held = c.Buy(lead_id, user_id, f"order-{name}", from_cart=True)
            others = c.Extend(lead_id, user_id, term), c.Release(lead_id, user_id)
            return (as_held, *others)[ask.b % 3]
        case "accept" if ask.b % 2:
            return c.Hold(lead_id, user_id, term)
    return c.Buy(lead_id, user_id, f"order-{name}", None if ask.a < 5 else ask.a * ask.b)


def _bought_as_another(market: NaiveMarket) -> list[tuple[str, str]]:
    """Leads with buyers of another that was merged into them."""
    return sorted(
        (into, user)
        for (lead_id, user), seat in market.seats.items()
        if seat.kind == "sold" and (into := market.merged_into.get(lead_id)) is not None
    )


def _line(market: NaiveMarket, ask: Ask) -> c.Command:
    lead_id, user_id = LEADS[ask.lead], USERS[ask.user]
    if ask.kind == "join":
        full = sorted(lead for lead in market.leads if market.state(lead) == "held")
        if full and ask.b % 4:
            lead_id = full[ask.lead % len(full)]
        return c.Join(lead_id, user_id)
    queued = [(lead, user) for lead, line in sorted(market.line.items()) for user in line]
    queued += sorted(pair for pair, seat in market.seats.items() if seat.kind == "offered")
    if queued and ask.b % 4:
        lead_id, user_id = queued[(ask.lead * len(USERS) + ask.user) % len(queued)]
    return c.Leave(lead_id, user_id)


def _standing(market: NaiveMarket, ask: Ask, name: str) -> c.Command:
    user_id = USERS[ask.user]
    terms = replace(WANTED[ask.a], filter=FILTERS[ask.b])
    if ask.kind == "place":
        return c.PlaceStanding(f"standing-{name}", user_id, terms)
    live = [(id_, order) for id_, order in sorted(market.orders.items()) if order.is_live]
    if not live:
        return c.CancelStanding("none", user_id)
    id_, order = live[ask.lead % len(live)]
    user_id = order.user_id if ask.b % 4 else user_id
    if ask.kind == "cancel":
        return c.CancelStanding(id_, user_id)
    return c.ChangeStanding(id_, user_id, terms, order.revision - (ask.b == 5))


def _operate(market: NaiveMarket, ask: Ask) -> c.Command:
    lead_id = LEADS[ask.lead]
    match ask.kind:
        case "reprice":
            leads = LEADS[: ask.lead + 1]
            # Half of them set out from what the leads cost, or of one a credit more.
            known = [market.leads[id_].price if id_ in market.leads else 1 for id_ in leads]
            known[0] += ask.b == 3
            previous = tuple(known) if ask.b % 2 else ()
            return c.Reprice(leads, (ask.a * 7 + ask.b,) * len(leads), "x", previous)
        case "update":
            return c.UpdateLead(lead_id, LISTINGS[ask.a % len(LISTINGS)])
        case "withdraw":
            return c.Withdraw(lead_id, "sold elsewhere", LEADS[0] if ask.a > 5 else None)
        case "merge":
            return c.Merge(lead_id, LEADS[(ask.lead + ask.a) % len(LEADS)])
        case "quarantine":
            return c.Quarantine(lead_id, "looks odd")
        case "approve":
            return c.Approve(lead_id)
        case "relist":
            return c.Relist(lead_id)
    if ask.b % 4 and lead_id in market.leads:
        lead_id = next((each for each in LEADS if each not in market.leads), lead_id)
    listing = LISTINGS[ask.b % len(LISTINGS)]
    return c.ListLead(lead_id, ask.a * 5 + 1, SEATS[lead_id], listing)
