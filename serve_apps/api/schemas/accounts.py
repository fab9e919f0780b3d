"""Accounts, sign-in, plans."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_apps.api.schemas.fields import (
    Absent,
    AnswerModel,
    Email,
    Instant,
    Name,
    Password,
    Phone,
    PlanName,
    RequestModel,
    Token,
    left_out,
)


class Registration(RequestModel):
    """A new account."""

    email: Email
    password: Password
    full_name: Name
    phone: Phone | None = None
    preferred_market: PlanName | None = None


class Login(RequestModel):
    """E-mail and password."""

    email: Email
    password: str = Field(min_length=1, max_length=200)


class RefreshRequest(RequestModel):
    """A refresh token; it is exchanged or ended."""

    refresh_token: Token


class Tokens(AnswerModel):
    """A short access token and the refresh token that replaces the one sent."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(ge=1)


class ProfilePatch(RequestModel):
    """What to change; null clears `phone` and `preferred_market`."""

    full_name: Name | Absent = Field(None, json_schema_extra=left_out)
    phone: Phone | None = None
    preferred_market: PlanName | None = None


class Account(AnswerModel):
    """An account."""

    user_id: str
    email: str
    full_name: str
    phone: str | None
    preferred_market: str | None
    plan: str
    role: Literal["buyer", "admin"]
    status: Literal["active", "suspended"]
    created_at: Instant


class AccountsPage(AnswerModel):
    """Accounts, newest first."""

    items: list[Account]
    next_cursor: str | None


class AccountPatch(RequestModel):
    """What an admin may change of an account."""

    plan: PlanName | Absent = Field(None, json_schema_extra=left_out)
    role: Literal["buyer", "admin"] | Absent = Field(None, json_schema_extra=left_out)
    status: Literal["active", "suspended"] | Absent = Field(None, json_schema_extra=left_out)


class PlanEntry(AnswerModel):
    """A plan: hold terms, limits and fees, discount on the price, rank among claims."""

    plan: str
    hold_terms: list[str]
    holds_max: int = Field(description="leads held at a time, over all markets")
    discount_percent: int
    hold_value_max: int | None = Field(
        description="credits that live holds add up to, over all markets; null for no bound"
    )
    hold_fee_percent: dict[str, int] = Field(
        description="per cent of the locked price that each term costs, rounded up"
    )
    hold_fee_credited: bool = Field(description="whether the fee counts towards the price paid")
    claim_priority: int = Field(description="where claims compete, the highest goes first")
    standing_orders_max: int = Field(description="standing orders in one market")


class PlansPage(AnswerModel):
    """All plans."""

    items: list[PlanEntry]
    next_cursor: None = None
