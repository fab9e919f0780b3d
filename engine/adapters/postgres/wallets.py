"""Wallets: a buyer's balance, and the transfers it is the sum of."""

from __future__ import annotations

import secrets
from datetime import datetime

import asyncpg
import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One transfer as its owner sees it; `amount` is signed, in credits."""

    entry_id: str
    amount: int
    reason: str
    reference: str | None
    created_at: datetime


class Granted(msgspec.Struct, frozen=True):
    entry_id: str
    balance: int
    created_at: datetime


def account_of(user_id: str) -> str:
    """The ledger's name of a buyer's wallet."""
    return f"user:{user_id}"


async def transfer(
    connection: asyncpg.Connection,
    user_id: str,
    credits: int,
    *,
    source: str,
    reason: str,
    reference: str | None = None,
) -> Granted | None:
    """Move `credits` from a house account into a wallet, or None if there is no such wallet.

    Call in a transaction.
    """
    balance = await connection.fetchval(
        "UPDATE wallets SET balance = balance + $2 WHERE user_id = $1 RETURNING balance",
        user_id,
        credits,
    )
    if balance is None:
        return None
    row = await connection.fetchrow(
        "INSERT INTO transfers (transfer_id, debit_account, credit_account, amount, reason,"
        " reference) VALUES ($1, $2, $3, $4, $5, $6) RETURNING transfer_id, created_at",
        secrets.token_urlsafe(16),
        source,
        account_of(user_id),
        credits,
        reason,
        reference,
    )
    return Granted(row["transfer_id"], balance, row["created_at"])


async def balance(connection: asyncpg.Pool, user_id: str) -> int:
    """Credits the buyer has; 0 without a wallet."""
    found = await connection.fetchval("SELECT balance FROM wallets WHERE user_id = $1", user_id)
    return 0 if found is None else int(found)


async def entries(
    connection: asyncpg.Pool, user_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> list[Entry]:
    """The wallet's transfers, newest first, after (created_at, entry_id)."""
    created_at, entry_id = after or (None, None)
    side = (
        "(SELECT transfer_id, {sign}amount AS amount, reason, reference, created_at FROM transfers"
        " WHERE {account} = $1"
        " AND ($2::timestamptz IS NULL OR (created_at, transfer_id) < ($2, $3::text))"
        " ORDER BY created_at DESC, transfer_id DESC LIMIT $4)"
    )
    rows = await connection.fetch(
        f"{side.format(sign='-', account='debit_account')} UNION ALL"
        f" {side.format(sign='', account='credit_account')}"
        " ORDER BY created_at DESC, transfer_id DESC LIMIT $4",
        account_of(user_id),
        created_at,
        entry_id,
        limit,
    )
    return [
        Entry(r["transfer_id"], r["amount"], r["reason"], r["reference"], r["created_at"])
        for r in rows
    ]
