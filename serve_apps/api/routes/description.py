"""The API's description of itself."""

from __future__ import annotations

from collections.abc import Callable

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
        page = get_swagger_ui_html(openapi_url="/v1/openapi.json", title="AIQLeads API")
        return document(bytes(page.body).decode(), "text/html; charset=utf-8")

    return routes
