"""Routes declared once: path, who may call, which answers; FastAPI serves and documents them.

A handler that takes nothing but the call is run straight from the gate. FastAPI's own
way there (middleware, dependency solving, response model) costs several times what
the handler does; it serves the routes whose query parameters it parses.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from serve_apps.api.problems import PROBLEMS

Access = Literal["anyone", "buyer", "admin"]
KeyRule = Literal["none", "optional", "required"]
BODY_MAX = 64 * 1024
Handler = Callable[..., Awaitable[Response]]


class Endpoint(NamedTuple):
    """One operation. `answers` maps a status to its model, None for no body or not JSON;
    `raw_body` are the media types of a body that is no JSON of ours, at most `body_max` bytes."""

    method: str
    path: str
    handler: Handler
    access: Access
    key: KeyRule
    limited: bool
    tag: str
    body: type[BaseModel] | None
    raw_body: tuple[str, ...]
    body_max: int
    answers: Mapping[int, type[BaseModel] | str | None]
    problems: tuple[str, ...]
    direct: bool
    query_names: frozenset[str]

    @property
    def template(self) -> str:
        return f"{self.method} {self.path}"

    def problem_slugs(self) -> list[str]:
        """Every slug this operation may answer with."""
        slugs = {*self.problems}
        if self.limited:
            slugs |= {"validation", "rate-limited", "unavailable"}
        if self.access != "anyone":
            slugs |= {"unauthorized", "forbidden"}
        if self.key != "none":
            slugs |= {"idempotency-key-required", "idempotency-mismatch"}
        return [slug for slug in PROBLEMS if slug in slugs]


class Routes:
    """The operations of one noun, in the order they are documented."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        answers: Mapping[int, type[BaseModel] | str | None],
        access: Access = "buyer",
        key: KeyRule = "none",
        limited: bool = True,
        body: type[BaseModel] | None = None,
        raw_body: tuple[str, ...] = (),
        body_max: int = BODY_MAX,
        problems: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of `method path`. Raises ValueError on a slug nobody knows."""
        unknown = set(problems) - PROBLEMS.keys()
        if unknown:
            raise ValueError(f"{method} {path}: unknown problems {', '.join(sorted(unknown))}")

        def declare(handler: Handler) -> Handler:
            self.endpoints.append(
                Endpoint(
                    method=method,
                    path=path,
                    handler=handler,
                    access=access,
                    key=key,
                    limited=limited,
                    tag=self.tag,
                    body=body,
                    raw_body=raw_body,
                    body_max=body_max,
                    answers=answers,
                    problems=problems,
                    direct=len(inspect.signature(handler).parameters) == 1,
                    query_names=frozenset(),
                )
            )
            return handler

        return declare


def install(app: FastAPI, routes: Routes) -> list[Endpoint]:
    """Add the operations to the app; the endpoints with the query names FastAPI found."""
    installed = []
    for endpoint in routes.endpoints:
        app.add_api_route(
            endpoint.path,
            endpoint.handler,
            methods=[endpoint.method],
            tags=[endpoint.tag],
            response_model=None,
            operation_id=_operation_id(endpoint),
            name=endpoint.handler.__name__,
        )
        route = app.router.routes[-1]
        assert isinstance(route, APIRoute)
        installed.append(endpoint._replace(query_names=frozenset(_query_names(route))))
    return installed


def _operation_id(endpoint: Endpoint) -> str:
    return f"{endpoint.tag.replace(' ', '_')}_{endpoint.handler.__name__}"


def _query_names(route: APIRoute) -> list[str]:
    names = []
    for field in route.dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names += [info.alias or name for name, info in model.model_fields.items()]
        else:
            names.append(field.alias)
    return names


class _Node:
    __slots__ = ("children", "methods", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.methods: dict[str, Any] = {}


class RouteTable:
    """Paths to what serves them, segment by segment; a literal wins over a parameter."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, path: str, target: Any) -> None:
        node = self._root
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        node.methods[method] = target

    def find(self, path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
        """(what each method does, path parameters in order); empty if there is no such path."""
        node: _Node | None = self._root
        params: tuple[str, ...] = ()
        for segment in path.split("/")[1:]:
            assert node is not None
            child = node.children.get(segment)
            if child is None:
                child = node.parameter
                if child is None or not segment:
                    return {}, ()
                params += (segment,)
            node = child
        assert node is not None
        return node.methods, params
