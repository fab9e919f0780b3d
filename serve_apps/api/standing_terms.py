"""Standing orders as clients say them, and as the market keeps them."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.search import RANGES, has_words
from engine.adapters.postgres.standing_orders import Standing
from engine.market.fair_housing_text import refused_text
from engine.market.instant import rfc3339
from engine.market.standing_reasons import DAYS, clock
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms
from serve_apps.api.problems import invalid
from serve_apps.api.schemas.standing_orders import (
    StandingOrderFilter,
    StandingOrderHours,
    StandingOrderPatch,
    StandingOrderRequest,
)

# Members that null can't clear: there is no order without them.
_KEPT = ("price_max", "seats", "is_paused")


def placed_terms(form: StandingOrderRequest) -> StandingTerms:
    """Raises Problem `validation` naming what can't be."""
    return _checked(
        StandingTerms(
            name=form.name or "",
            price_max=form.price_max,
            filter=_filter(form.filter),
            seats=form.seats,
            per_day=form.per_day,
            budget=form.budget,
            hours=_hours(form.hours),
            is_paused=form.is_paused,
        )
    )


def changed_terms(terms: StandingTerms, patch: StandingOrderPatch) -> StandingTerms:
    """`terms` with what the patch names. Raises Problem `validation` naming what can't be."""
    changes = {name: getattr(patch, name) for name in patch.model_fields_set}
    for name in _KEPT:
        if name in changes and changes[name] is None:
            raise invalid(f"body.{name}", "can't be null; leave it out to keep it")
    if "name" in changes:
        changes["name"] = changes["name"] or ""
    if "filter" in changes:
        changes["filter"] = _filter(changes["filter"])
    if "hours" in changes:
        changes["hours"] = _hours(changes["hours"])
    return _checked(msgspec.structs.replace(terms, **changes))


async def require_words(pool: asyncpg.Pool, terms: StandingTerms) -> None:
    """Raises Problem `validation` if the text asks for nothing: no lead would ever match."""
    if terms.filter.q is not None and not await has_words(pool, terms.filter.q):
        raise invalid("body.filter.q", "has no word that is searched for")


def entry(standing: Standing) -> dict[str, Any]:
    terms = standing.terms
    return {
        "standing_order_id": standing.standing_order_id,
        "market": standing.market,
        "name": terms.name or None,
        "filter": terms.filter,
        "price_max": terms.price_max,
        "seats": terms.seats,
        "per_day": terms.per_day,
        "budget": terms.budget,
        "hours": [_hours_entry(hours) for hours in terms.hours],
        "is_paused": terms.is_paused,
        "spent": standing.spent,
        "bought": standing.bought,
        "bought_today": standing.bought_today,
        "created_at": rfc3339(standing.placed_at),
        "updated_at": rfc3339(standing.changed_at),
    }


def _hours_entry(hours: Hours) -> dict[str, Any]:
    return {
        "days": [DAYS[day] for day in hours.days],
        "from": clock(hours.start),
        "to": clock(hours.end),
    }


def _filter(form: StandingOrderFilter | None) -> StandingFilter:
    given = form.model_dump(exclude_none=True) if form is not None else {}
    for name in ("property_type", "source"):
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    for name in ("near", "bbox"):
        if name in given:
            given[name] = tuple(given[name])
    return StandingFilter(**given)


def _hours(form: list[StandingOrderHours] | None) -> tuple[Hours, ...]:
    return tuple(_window(number, hours) for number, hours in enumerate(form or ()))


def _window(number: int, form: StandingOrderHours) -> Hours:
    where = f"body.hours.{number}"
    if len(set(form.days)) < len(form.days):
        raise invalid(f"{where}.days", "names a day twice")
    start, end = _minute(form.start), _minute(form.end)
    if start >= end:
        raise invalid(f"{where}.to", "is not after from; a night is two entries, split at 24:00")
    return Hours(tuple(sorted(DAYS.index(day) for day in form.days)), start, end)


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _checked(terms: StandingTerms) -> StandingTerms:
    asked, where = terms.filter, "body.filter"
    refusal = refused_text(asked.q) if asked.q is not None else None
    if refusal is not None:
        raise invalid(f"{where}.q", refusal.message)
    if asked.near is not None:
        if asked.radius_m is None:
            raise invalid(f"{where}.near", "needs radius_m")
        if not -90 <= asked.near[0] <= 90:
            raise invalid(f"{where}.near", "is latitude, longitude: latitude is -90 to 90")
    elif asked.radius_m is not None:
        raise invalid(f"{where}.radius_m", "needs near")
    if asked.bbox is not None:
        west, south, east, north = asked.bbox
        if not (west < east and -90 <= south < north <= 90):
            raise invalid(
                f"{where}.bbox", "is west,south,east,north with west < east and south < north"
            )
    for name in RANGES.keys() - {"price"}:
        least, most = getattr(asked, f"{name}_min"), getattr(asked, f"{name}_max")
        if least is not None and most is not None and least > most:
            raise invalid(f"{where}.{name}_min", f"is above {name}_max")
    if asked.price_min is not None and asked.price_min > terms.price_max:
        raise invalid(f"{where}.price_min", "is above price_max")
    return terms
