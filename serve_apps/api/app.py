"""The API as one ASGI application."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_apps.api.deps import Deps
from serve_apps.api.feed.feed import feed_router
from serve_apps.api.gate import Gate
from serve_apps.api.openapi import openapi_json
from serve_apps.api.routes import (
    admin,
    admin_fraud,
    admin_intake,
    admin_market,
    admin_models,
    admin_pricing,
    admin_pricing_agents,
    admin_resolution,
    auth,
    cart,
    claims,
    feed,
    leads,
    markets,
    me,
    notifications,
    operations,
    orders,
    plans,
    purchases,
    queue,
    recommendations,
    standing_orders,
    standing_outcomes,
    uploads,
    wallet,
)
from serve_apps.api.routes.description import description_routes
from serve_apps.api.routing import Endpoint, Routes, install

TITLE = "AIQLeads"
VERSION = "1"

ROUTES: tuple[Routes, ...] = (
    auth.routes,
    me.routes,
    notifications.routes,
    markets.routes,
    leads.routes,
    recommendations.routes,
    cart.routes,
    purchases.routes,
    claims.routes,
    queue.routes,
    standing_orders.routes,
    standing_outcomes.routes,
    orders.routes,
    wallet.routes,
    feed.routes,
    plans.routes,
    uploads.routes,
    admin.routes,
    admin_market.routes,
    admin_models.routes,
    admin_pricing.routes,
    admin_pricing_agents.routes,
    admin_intake.routes,
    uploads.admin_routes,
    admin_resolution.routes,
    admin_fraud.routes,
    operations.routes,
)


class Api(FastAPI):
    """FastAPI behind the gate, which checks every request and answers every error."""

    endpoints: list[Endpoint]
    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.gate(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Without Starlette's error layers: errors go up to the gate, the one that answers them."""
        return AsyncExitStackMiddleware(self.router)


def create_app(deps: Deps, routes: Sequence[Routes] = ROUTES) -> Api:
    """The application over open `deps`; the caller closes them."""
    app = describe_app(routes)
    app.gate = Gate(deps, app.endpoints, functools.partial(FastAPI.__call__, app))
    app.router.routes.extend(feed_router(deps.feed).routes)
    return app


def describe_app(routes: Sequence[Routes] = ROUTES) -> Api:
    """The application without anything behind it: enough to describe it, not to serve."""
    app = Api(title=TITLE, version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    description = description_routes(functools.cache(lambda: openapi_json(app)))
    app.endpoints = [endpoint for noun in (*routes, description) for endpoint in install(app, noun)]
    return app
