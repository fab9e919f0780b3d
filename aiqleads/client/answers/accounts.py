"""Accounts, sessions, plans."""

from __future__ import annotations

import msgspec

from aiqleads.client.answers.fields import Answer, Instant


class Account(Answer, frozen=True, kw_only=True):
    """An account."""

    user_id: str
    email: str
    full_name: str
    plan: str
    role: str
    phone: str | None = None
    preferred_market: str | None = None
    status: str = "active"
    created_at: Instant | None = None


class Tokens(Answer, frozen=True, kw_only=True):
    """A session: the access token lives `expires_in` seconds, the refresh token is good once."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"

    def __repr__(self) -> str:
        return f"Tokens(expires_in={self.expires_in})"


class Plan(Answer, frozen=True, kw_only=True):
    """What a plan allows. `hold_fee_percent` maps a term to what holding for it costs, per
    cent of the locked price; `hold_value_max` is in credits, None for no bound."""

    plan: str
    hold_terms: tuple[str, ...]
    holds_max: int
    discount_percent: int
    hold_value_max: int | None = None
    hold_fee_percent: dict[str, int] = msgspec.field(default_factory=dict)
    hold_fee_credited: bool = True
    claim_priority: int = 0
    standing_orders_max: int | None = None


class Ticket(Answer, frozen=True, kw_only=True):
    """Opens one feed socket, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int
