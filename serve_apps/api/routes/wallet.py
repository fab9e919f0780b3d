"""The caller's credits."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from engine.adapters.postgres import wallets
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fields import PageQuery
from serve_apps.api.schemas.trading import Balance, EntriesPage

routes = Routes("wallet")


@routes.add("GET", "/v1/wallet", answers={200: Balance})
async def get_wallet(call: CurrentCall) -> Answer:
    """Credits to spend."""
    return answer({"balance": await wallets.balance(call.deps.pool, call.user.user_id)})


@routes.add("GET", "/v1/wallet/entries", answers={200: EntriesPage})
async def list_entries(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """Ledger entries, newest first; their sum is the balance."""
    user_id = call.user.user_id
    identity = f"entries {user_id}"
    position = decode_cursor(call.deps, identity, page.cursor)
    found = await wallets.entries(
        call.deps.pool,
        user_id,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    last = (
        (from_datetime(shown[-1].created_at), shown[-1].entry_id)
        if len(found) > page.limit
        else None
    )
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})
