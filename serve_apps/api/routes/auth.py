"""Registration and sign-in."""

from __future__ import annotations

import asyncpg

from engine.adapters.postgres import accounts, sessions
from engine.adapters.postgres.idempotency import Stored
from serve_apps.api.answers import Answer, NoContent, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.deps import Deps
from serve_apps.api.idempotency import answer_once, decided, refused
from serve_apps.api.problems import Problem, invalid
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.accounts import Account, Login, RefreshRequest, Registration, Tokens

routes = Routes("auth")


@routes.add(
    "POST",
    "/v1/auth/register",
    access="anyone",
    key="optional",
    body=Registration,
    answers={201: Account},
    problems=("email-taken",),
)
async def register(call: CurrentCall) -> Answer:
    """Open an account with a wallet and welcome credits."""
    form = call.parse(Registration)
    require_market(call.deps, form.preferred_market)
    password_hash = await call.deps.passwords.hash(form.password)

    async def decide(connection: asyncpg.Connection) -> Stored:
        credits = call.deps.settings.welcome_credits
        if credits is None:
            credits = await accounts.welcome_credits(connection)
        made = await accounts.register(
            connection,
            email=form.email,
            password_hash=password_hash,
            full_name=form.full_name,
            phone=form.phone,
            preferred_market=form.preferred_market,
            welcome_credits=credits,
        )
        if made is None:
            return refused("email-taken", "an account with this e-mail exists; sign in")
        return decided(201, made)

    return await answer_once(call, decide)


@routes.add(
    "POST",
    "/v1/auth/login",
    access="anyone",
    body=Login,
    answers={200: Tokens},
    problems=("invalid-credentials", "forbidden"),
)
async def login(call: CurrentCall) -> Answer:
    """Sign in: begins a family of refresh tokens."""
    deps = call.deps
    form = call.parse(Login)
    found = await accounts.credentials(deps.pool, form.email)
    if not await deps.passwords.verify(found[1] if found else None, form.password) or not found:
        raise Problem("invalid-credentials", "no account has this e-mail and password")
    user_id, password_hash, status = found
    if status != "active":
        raise Problem("forbidden", "this account is suspended")
    if deps.passwords.is_outdated(password_hash):
        fresh = await deps.passwords.hash(form.password)
        await accounts.replace_password_hash(deps.pool, user_id, password_hash, fresh)
    family_id = sessions.new_family_id()
    token, token_hash = deps.refresh_tokens.issue(family_id)
    await sessions.begin(
        deps.pool, user_id, token_hash, family_id, deps.settings.refresh_token_days
    )
    return _tokens(deps, user_id, family_id, token)


@routes.add(
    "POST",
    "/v1/auth/refresh",
    access="anyone",
    body=RefreshRequest,
    answers={200: Tokens},
    problems=("unauthorized", "token-reused", "forbidden"),
)
async def refresh(call: CurrentCall) -> Answer:
    """Exchange a refresh token. One used before ends its family and its access tokens."""
    deps = call.deps
    family_id, old_hash = _read(deps, call.parse(RefreshRequest).refresh_token)
    token, new_hash = deps.refresh_tokens.issue(family_id)
    async with deps.pool.acquire() as connection, connection.transaction():
        rotation, user_id = await sessions.rotate(
            connection, family_id, old_hash, new_hash, deps.settings.refresh_token_days
        )
    if rotation == "reused":
        deps.accounts.drop(user_id)
        raise Problem("token-reused", "this token was used before; its session is ended, sign in")
    account = await deps.accounts.get(user_id) if rotation == "rotated" else None
    if account is None:
        raise Problem("unauthorized", "this session has ended; sign in")
    if account.status != "active":
        raise Problem("forbidden", "this account is suspended")
    return _tokens(deps, user_id, family_id, token)


@routes.add(
    "POST",
    "/v1/auth/logout",
    access="anyone",
    body=RefreshRequest,
    answers={204: None},
    problems=("unauthorized",),
)
async def logout(call: CurrentCall) -> NoContent:
    """End a session, its refresh token and its access tokens."""
    deps = call.deps
    family_id, _ = _read(deps, call.parse(RefreshRequest).refresh_token)
    async with deps.pool.acquire() as connection, connection.transaction():
        user_id = await sessions.revoke(connection, family_id, because="logout")
    if user_id is not None:
        deps.accounts.drop(user_id)
    return NoContent()


def _read(deps: Deps, token: str) -> tuple[str, bytes]:
    read = deps.refresh_tokens.read(token)
    if read is None:
        raise Problem("unauthorized", "this is not a refresh token of ours")
    return read


def _tokens(deps: Deps, user_id: str, family_id: str, refresh_token: str) -> Answer:
    return answer(
        {
            "access_token": deps.access_tokens.issue(user_id, family_id),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": deps.access_tokens.lifetime_seconds,
        }
    )


def require_market(deps: Deps, slug: str | None, location: str = "body.preferred_market") -> None:
    """Raises Problem `validation` if the market named at `location` is not traded here."""
    if slug is not None and slug not in deps.markets:
        known = ", ".join(deps.markets)
        raise invalid(location, f"unknown market; known are {known}")
