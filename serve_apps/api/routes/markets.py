"""Markets at a glance."""

from __future__ import annotations

from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.problems import not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.leads import MarketInDepth, MarketsPage

routes = Routes("markets")


@routes.add("GET", "/v1/markets", access="anyone", answers={200: MarketsPage})
async def list_markets(call: CurrentCall) -> Answer:
    """Every market traded here, at most a second old."""
    entries = await call.deps.board.entries()
    return answer({"items": list(entries.values()), "next_cursor": None})


@routes.add(
    "GET",
    "/v1/markets/{market}",
    access="anyone",
    answers={200: MarketInDepth},
    problems=("not-found",),
)
async def get_market(call: CurrentCall) -> Answer:
    """One market, at most a second old; depth and odds, some seconds."""
    entry = (await call.deps.board.entries()).get(call.params[0])
    if entry is None:
        known = ", ".join(call.deps.markets)
        raise not_found(f"no such market; known are {known}")
    return answer({**entry, **await call.deps.board.depth(call.params[0])})
