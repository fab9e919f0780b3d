"""A bounded pool of connections, set up alike everywhere."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

SERVER_SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    "statement_timeout": "8000",
    "lock_timeout": "4000",
    "idle_in_transaction_session_timeout": "15000",
}


async def open_pool(
    database_url: str, *, application: str, size_min: int = 1, size_max: int = 8
) -> asyncpg.Pool:
    """A pool of at most `size_max` connections; jsonb travels as Python values.

    Statements end after 8 s, waits for a lock after 4 s. Raises OSError or
    asyncpg.PostgresError when the server can't be reached.
    """
    return await asyncpg.create_pool(
        database_url,
        min_size=size_min,
        max_size=size_max,
        init=set_codecs,
        reset=_nothing_to_reset,
        timeout=10,
        command_timeout=10,
        server_settings={**SERVER_SETTINGS, "application_name": application},
    )


async def set_codecs(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=_to_json, decoder=msgspec.json.decode, schema="pg_catalog"
    )


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Borrowers keep no session state (locks are the transaction's), so a round trip is saved."""
