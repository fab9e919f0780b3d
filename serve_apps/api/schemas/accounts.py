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
    """A plan: hold terms, most live holds, discount on the price."""

    plan: str
    hold_terms: list[str]
    holds_max: int
    discount_percent: int


class PlansPage(AnswerModel):
    """All plans."""

    items: list[PlanEntry]
    next_cursor: None = None
