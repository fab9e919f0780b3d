"""The API's description of itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html

from serve_apps.api.answers import Answer, document
from serve_apps.api.call import CurrentCall
from serve_apps.api.routing import Routes


def description_routes(openapi_json: Callable[[], bytes]) -> Routes:
    """The routes that publish `openapi_json()`."""
    routes = Routes("operations")

    @routes.add(
        "GET",
        "/v1/openapi.json",
        access="anyone",
        limited=False,
        answers={200: "application/json"},
    )
    async def openapi(call: CurrentCall) -> Answer:
        """This document."""
        return Answer(200, openapi_json())

    @routes.add("GET", "/docs", access="anyone", limited=False, answers={200: "text/html"})
    async def docs(call: CurrentCall) -> Answer:
        """The API, browsable."""
        page = get_swagger_ui_html(
            openapi_url="/v1/openapi.json",
            title="AIQLeads API",
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon.png",
        )
        return document(bytes(page.body).decode(), "text/html; charset=utf-8")

    for name, content_type in _ASSETS.items():
        _add_asset(routes, name, content_type)
    return routes


# What the page is made of: served from here, so that it works where nothing else is reached.
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_DAY = ((b"cache-control", b"public, max-age=86400"),)


def _add_asset(routes: Routes, name: str, content_type: str) -> None:
    async def asset(call: CurrentCall) -> Answer:
        """A part of the page at /docs."""
        return Answer(200, _asset(name), (b"content-type", content_type.encode()), _DAY)

    # The document names operations after their handlers, and must name each once.
    asset.__name__ = "docs_" + name.replace(".", "_").replace("-", "_")
    declare = routes.add(
        "GET", f"/docs/{name}", access="anyone", limited=False, answers={200: content_type}
    )
    declare(asset)


@functools.cache
def _asset(name: str) -> bytes:
    return (files("fastapi_offline") / "static" / name).read_bytes()
