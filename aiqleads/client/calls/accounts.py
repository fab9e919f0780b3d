"""Accounts and sessions."""

from __future__ import annotations

from typing import Any

from aiqleads.client.answers.accounts import Account, Plan, Ticket, Tokens
from aiqleads.client.answers.fields import Page
from aiqleads.client.calls.call import (
    Call,
    decoded,
    keyed_write,
    nothing,
    path,
    present,
    read_call,
)


def register(
    email: str,
    password: str,
    full_name: str,
    *,
    phone: str | None = None,
    preferred_market: str | None = None,
    key: str | None = None,
) -> Call[Account]:
    """Open an account; `login` begins a session of it. Raises Conflict `email-taken`."""
    body = {
        "email": email,
        "password": password,
        "full_name": full_name,
        **present(phone=phone, preferred_market=preferred_market),
    }
    return keyed_write(
        "POST", path("auth", "register"), decoded(Account), body, key=key, is_signed=False
    )


def login(email: str, password: str) -> Call[Tokens]:
    return _session("login", {"email": email, "password": password})


def refresh(refresh_token: str) -> Call[Tokens]:
    """A token is good once. A repeat after an answer that was lost ends the session, but
    without that answer it is lost anyway."""
    return _session("refresh", {"refresh_token": refresh_token})


def logout(refresh_token: str) -> Call[None]:
    return Call(
        method="POST",
        path=path("auth", "logout"),
        read=nothing,
        body={"refresh_token": refresh_token},
        is_write=True,
        is_signed=False,
    )


def me() -> Call[Account]:
    """The account that is signed in."""
    return read_call(path("me"), decoded(Account))


def change_me(
    *,
    full_name: str | None = None,
    phone: str | None = None,
    preferred_market: str | None = None,
    clear: tuple[str, ...] = (),
    key: str | None = None,
) -> Call[Account]:
    """Change what is given; `clear` names what is to be empty: `phone`, `preferred_market`."""
    body: dict[str, Any] = dict.fromkeys(clear)
    body |= present(full_name=full_name, phone=phone, preferred_market=preferred_market)
    return keyed_write("PATCH", path("me"), decoded(Account), body, key=key)


def subscription() -> Call[Plan]:
    """The plan of the account that is signed in."""
    return read_call(path("me", "subscription"), decoded(Plan))


def plans() -> Call[Page[Plan]]:
    """All plans on offer."""
    return read_call(path("plans"), decoded(Page[Plan]), is_signed=False)


def feed_ticket() -> Call[Ticket]:
    """Opens one socket of the feed, once: for a page in a browser. A program needs none."""
    return Call(method="POST", path=path("feed", "tickets"), read=decoded(Ticket), is_write=True)


def _session(deed: str, body: dict[str, str]) -> Call[Tokens]:
    return Call(
        method="POST",
        path=path("auth", deed),
        read=decoded(Tokens),
        body=body,
        is_write=True,
        is_signed=False,
    )
