"""The OpenAPI document: FastAPI's, completed with what the gate adds to every route.

Problems by status, request and rate-limit headers, the Idempotency-Key, sign-in, and
bodies and path parameters of the routes that read them themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve_apps.api.problems import PROBLEMS
from serve_apps.api.routing import Endpoint
from serve_apps.api.schemas.problem import Problem

if TYPE_CHECKING:
    from serve_apps.api.app import Api

_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "A live marketplace for real-estate leads. Errors are `application/problem+json`"
    " (RFC 9457); `type` is the bare slug. Writes that take an `Idempotency-Key` may be"
    " repeated with it for 24 hours and are answered alike. Requests are refused in the"
    " order 401, 429, 403, 400 (key), 422, then what the request itself is refused for."
)
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request, as problems do",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit-Limit": {
        "description": "Requests allowed in a window of a minute; absent without a limit",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Requests left in this window",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the window ends",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {
        "description": "Seconds to wait before the request is repeated",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A value of your own for this operation; a repeat is answered like the first",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    },
}


def openapi_json(app: Api) -> bytes:
    return msgspec.json.encode(openapi_document(app))


def openapi_document(app: Api) -> dict[str, Any]:
    """The whole document, as published."""
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for left_out in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left_out, None)
    schemas.update(_schemas(app.endpoints))
    components["securitySchemes"] = {
        "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    components["headers"] = _HEADERS
    for endpoint in app.endpoints:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        _complete(operation, endpoint)
    return document


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    models: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
    for endpoint in endpoints:
        if endpoint.body is not None:
            models[endpoint.body, "validation"] = None
        for model in endpoint.answers.values():
            if isinstance(model, type):
                models[model, "serialization"] = None
    _, definitions = models_json_schema(list(models), ref_template=_REF)
    found: dict[str, Any] = definitions["$defs"]
    return found


def _complete(operation: dict[str, Any], endpoint: Endpoint) -> None:
    operation["parameters"] = [*_path_parameters(endpoint), *operation.get("parameters", [])]
    if endpoint.key != "none":
        operation["parameters"].append({**_KEY, "required": endpoint.key == "required"})
    if not operation["parameters"]:
        del operation["parameters"]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": bool(_required(endpoint.body)),
            "content": {"application/json": {"schema": _reference(endpoint.body)}},
        }
    if endpoint.raw_body:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(endpoint.raw_body, binary),
        }
    if endpoint.access != "anyone":
        operation["security"] = [{"accessToken": []}]
    operation["responses"] = {
        **{str(status): _answer(status, endpoint) for status in endpoint.answers},
        **_problems(endpoint),
    }


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _answer(status: int, endpoint: Endpoint) -> dict[str, Any]:
    model = endpoint.answers[status]
    found: dict[str, Any] = {"description": _FIRST_WORDS.get(status, "Done")}
    if isinstance(model, str):
        schema = {"type": "object"} if model == "application/json" else {"type": "string"}
        found["content"] = {model: {"schema": schema}}
    elif model is not None:
        found["content"] = {"application/json": {"schema": _reference(model)}}
    found["headers"] = _headers(endpoint)
    return found


_FIRST_WORDS = {200: "Found", 201: "Made", 202: "Kept", 204: "Done, with no body", 503: "Not ready"}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for slug in endpoint.problem_slugs():
        by_status.setdefault(PROBLEMS[slug][0], []).append(slug)
    return {
        str(status): {
            "description": ", ".join(f"`{slug}`" for slug in slugs),
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
            "headers": _headers(endpoint, retry=status in (429, 503)),
        }
        for status, slugs in sorted(by_status.items())
    }


def _headers(endpoint: Endpoint, *, retry: bool = False) -> dict[str, Any]:
    names = ["X-Request-ID"]
    if endpoint.limited:
        names += ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
    if retry:
        names.append("Retry-After")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
