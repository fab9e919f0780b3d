"""Standing orders in the naive market: every one is looked at for every lead."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.standing_terms import Hours, StandingFilter
from tests.engine.market.naive_facts import Expected, NaiveOrder
from tests.engine.market.naive_seats import discounted

if TYPE_CHECKING:
    from datetime import tzinfo

    from tests.engine.market.naive_market import NaiveMarket

EARTH_M = 6_371_000
BOUNDED = (
    "list_price",
    "living_area",
    "lot_size_square_feet",
    "year_built",
    "bedrooms_total",
)

Keeping = c.PlaceStanding | c.ChangeStanding | c.CancelStanding


def keep(market: NaiveMarket, command: Keeping, now: int) -> Expected:
    """Place, change or cancel."""
    id_, plan = command.standing_order_id, market.trader(command.user_id)
    if plan is None and not isinstance(command, c.CancelStanding):
        return "forbidden"
    if isinstance(command, c.PlaceStanding):
        mine = [o for o in market.orders.values() if o.user_id == command.user_id and o.is_live]
        if len(mine) >= plan.standing_orders_max:
            return "standing-order-limit"
        market.orders[id_] = NaiveOrder(command.user_id, command.terms, now)
        return ("kept", id_, 1)
    order = market.orders.get(id_)
    if order is None or not order.is_live or order.user_id != command.user_id:
        return "not-found"
    if isinstance(command, c.CancelStanding):
        order.is_live = False
        return ("done",)
    if command.revision != order.revision:
        return "changed-meanwhile"
    order.terms = command.terms
    order.revision += 1
    return ("kept", id_, order.revision)


def failed_rules(market: NaiveMarket, id_: str, lead_id: str, now: int) -> list[str]:
    """What keeps a standing order from buying a lead now; empty if nothing."""
    order, lead = market.orders[id_], market.leads[lead_id]
    terms, plan = order.terms, market.trader(order.user_id)
    if plan is None:
        return ["account"]
    price = discounted(plan, lead.price)
    seat = market.seats.get((lead_id, order.user_id))
    today = local(now, market.rules.zone).date()
    bought_today = sum(local(at, market.rules.zone).date() == today for at in order.fills)
    rules = {
        "filter": meets(lead.listing, lead.price, terms.filter),
        "price": lead.price <= terms.price_max,
        "seats": terms.seats in ("any", "exclusive" if lead.max_buyers == 1 else "shared"),
        "paused": not terms.is_paused,
        "hours": not terms.hours or any(_is_within(h, now, market.rules.zone) for h in terms.hours),
        "per_day": terms.per_day is None or bought_today < terms.per_day,
        "budget": terms.budget is None or order.spent + price <= terms.budget,
        "credits": price <= market.balances[order.user_id],
        "already_bought": not (seat is not None and seat.kind == "sold")
        and not market.bought_as_another(lead_id, order.user_id),
        "already_held": seat is None or seat.kind == "sold",
        "lead_state": market.state(lead_id) == "available",
    }
    return [name for name, is_met in rules.items() if not is_met]


def candidates(market: NaiveMarket, lead_id: str) -> list[str]:
    """Live orders that want the lead for what is publicly known of it, by looking at all."""
    lead = market.leads[lead_id]
    return [
        id_
        for id_, order in market.orders.items()
        if order.is_live
        and not order.terms.is_paused
        and lead.price <= order.terms.price_max
        and order.terms.seats in ("any", "exclusive" if lead.max_buyers == 1 else "shared")
        and meets(lead.listing, lead.price, order.terms.filter)
    ]


def meets(listing: Listing, price: int, wanted: StandingFilter) -> bool:
    """Text apart, which the histories do not draw."""
    assert wanted.q is None
    for field in BOUNDED:
        value = getattr(listing, field)
        if not _is_between(value, getattr(wanted, f"{field}_min"), getattr(wanted, f"{field}_max")):
            return False
    if wanted.property_type and listing.property_type not in wanted.property_type:
        return False
    if wanted.source and not set(wanted.source) & set(listing.sources):
        return False
    return _is_where(listing, wanted) and _is_between(price, wanted.price_min, None)


def _is_between(value: int | None, least: int | None, most: int | None) -> bool:
    if value is None:
        return least is None and most is None
    return (least is None or least <= value) and (most is None or value <= most)


def _is_where(listing: Listing, wanted: StandingFilter) -> bool:
    if wanted.near is None and wanted.bbox is None:
        return True
    if listing.latitude is None or listing.longitude is None:
        return False
    if wanted.bbox is not None:
        west, south, east, north = wanted.bbox
        if not (west <= listing.longitude <= east and south <= listing.latitude <= north):
            return False
    return wanted.near is None or (
        _distance_m(wanted.near, (listing.latitude, listing.longitude)) <= (wanted.radius_m or 0)
    )


def _distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """On a plane, good enough within a town."""
    north = math.radians(one[0] - other[0])
    east = math.radians(one[1] - other[1]) * math.cos(math.radians(one[0]))
    return EARTH_M * math.hypot(north, east)


def _is_within(hours: Hours, now: int, zone: tzinfo) -> bool:
    moment = local(now, zone)
    minute = moment.hour * 60 + moment.minute
    return moment.weekday() in hours.days and hours.start <= minute < hours.end


def local(at: int, zone: tzinfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
