"""The gate: what is checked before any handler runs, in the contract's order.

Is there such a route (404, 405), who calls (401), how often (429), may they (403), is
there a key (400), is the request whole and known (422). Then the handler. The gate
also names each request, counts it, refuses before overload, and is the last place an
error can reach.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.market.fair_housing import UNLISTED, refused_field
from serve_apps.api.answers import problem_answer
from serve_apps.api.call import SCOPE_KEY, Call
from serve_apps.api.deps import Deps
from serve_apps.api.problems import Problem, invalid, not_found, problem_of, unavailable
from serve_apps.api.routing import BODY_MAX, Endpoint, RouteTable
from serve_apps.api.traffic import RouteTraffic

QUERY_MAX = 8 * 1024
# Requests served at a time per replica; one more is refused before it costs anything.
IN_FLIGHT_MAX = 4096
# A body must be here within this, or its sender is let go.
BODY_SECONDS = 15.0
# Requests with bodies larger than a form are served a few at a time, and may take longer.
LARGE_BODIES_MAX = 8
LARGE_BODY_SECONDS = 60.0
_KEY = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_CLOSE = (b"connection", b"close")


class Gone(Exception):
    """The client left before its request was whole."""


class Target(NamedTuple):
    endpoint: Endpoint
    traffic: RouteTraffic


class Gate:
    """ASGI: checks a request, then runs its handler or passes it to FastAPI."""

    def __init__(self, deps: Deps, endpoints: Sequence[Endpoint], app: ASGIApp) -> None:
        self._deps = deps
        self._app = app
        self._table = RouteTable()
        for endpoint in endpoints:
            traffic = deps.traffic.route(endpoint.template)
            self._table.add(endpoint.method, endpoint.path, Target(endpoint, traffic))
        self._unrouted = deps.traffic.route("unrouted")
        self._count = 0
        self._limits = {plan: deps.limit_of(plan) for plan in deps.plans}
        self._anonymous_limit = deps.limit_of(None)
        # Set while the replica stops: answers then ask the client to come back elsewhere.
        self.draining = False
        self._large_bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        deps = self._deps
        traffic = deps.traffic
        self._count += 1
        request_id = f"{traffic.replica}{self._count:x}"
        path = scope["path"]
        methods, params = self._table.find(path)
        target: Target | None = methods.get(scope["method"])
        client = scope.get("client")
        watch = _Watch(send, request_id, self.draining)
        traffic.in_flight += 1
        large = 0
        try:
            if target is None:
                raise _no_route(methods)
            endpoint = target.endpoint
            call = Call(
                deps,
                endpoint,
                request_id,
                scope["method"],
                path,
                params,
                client[0] if client else "unknown",
            )
            if traffic.in_flight > IN_FLIGHT_MAX and endpoint.limited:
                raise unavailable("this replica is busy; try again")
            await self._admit(call, scope, watch)
            if endpoint.method in _BODY_METHODS:
                large = self._take_large(endpoint)
                seconds = LARGE_BODY_SECONDS if large else BODY_SECONDS
                call.body = await _read_body(receive, endpoint.body_max, seconds)
            self._check_query(endpoint, scope["query_string"])
            if endpoint.direct:
                await watch.answer(await endpoint.handler(call))
            else:
                scope[SCOPE_KEY] = call
                await self._app(scope, _Replay(call.body, receive), watch)
        except Gone:
            pass
        except Exception as error:
            if watch.status == 0:
                await watch.answer(problem_answer(problem_of(error, request_id), request_id))
            else:
                problem_of(error, request_id)
        finally:
            traffic.in_flight -= 1
            self._large_bodies -= large
            seen = target.traffic if target is not None else self._unrouted
            seen.observe(watch.status or 499, time.perf_counter() - began)

    def _take_large(self, endpoint: Endpoint) -> int:
        """1 where the request may carry a large body, counted until it is answered, else 0."""
        if endpoint.body_max <= BODY_MAX:
            return 0
        if self._large_bodies >= LARGE_BODIES_MAX:
            raise unavailable("this replica serves as many files as it can; try again")
        self._large_bodies += 1
        return 1

    async def _admit(self, call: Call, scope: Scope, watch: _Watch) -> None:
        """Raises the first Problem in the contract's order."""
        endpoint = call.endpoint
        authorization = key = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"idempotency-key":
                key = value
        if endpoint.access != "anyone":
            await self._authenticate(call, authorization)
        if endpoint.limited:
            await self._count_request(call, watch)
        account = call.account
        if account is not None:
            if account.status != "active":
                raise Problem("forbidden", "this account is suspended")
            if endpoint.access == "admin" and account.role != "admin":
                raise Problem("forbidden", "this takes the role admin")
        if endpoint.key != "none":
            self._check_key(call, endpoint, key)

    async def _authenticate(self, call: Call, authorization: bytes | None) -> None:
        if authorization is None:
            raise Problem(
                "unauthorized",
                "send an access token: Authorization: Bearer …",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        verified = self._deps.access_tokens.verify_header(authorization)
        if verified is not None:
            accounts = self._deps.accounts
            account = accounts.known(verified.user_id) or await accounts.get(verified.user_id)
            if account is not None and verified.family_id not in account.revoked:
                call.account = account
                call.family = verified.family_id
                call.expires_at = verified.expires_at
                return
        raise Problem(
            "unauthorized",
            "the access token is expired, revoked or not ours",
            headers=[(b"www-authenticate", b'Bearer error="invalid_token"')],
        )

    async def _count_request(self, call: Call, watch: _Watch) -> None:
        account = call.account
        if account is None:
            bucket, limit = f"a:{call.address}", self._anonymous_limit
        else:
            limit = self._limits.get(account.plan, self._limits["basic"])
            bucket = f"u:{account.user_id}"
        if limit == 0:
            return
        allowance = await self._deps.rate_limits.check(bucket, limit)
        watch.headers += allowance.headers()
        if not allowance.allowed:
            raise Problem(
                "rate-limited",
                f"at most {limit} requests a minute; the next window begins in"
                f" {allowance.reset_seconds} s",
                headers=[(b"retry-after", b"%d" % allowance.reset_seconds)],
            )

    @staticmethod
    def _check_key(call: Call, endpoint: Endpoint, key: bytes | None) -> None:
        if key:
            if _KEY.fullmatch(key) is None:
                raise Problem(
                    "idempotency-key-required",
                    "an Idempotency-Key is 1 to 255 printable ASCII characters",
                )
            call.key = key.decode("ascii")
        elif endpoint.key == "required" or key is not None:
            raise Problem(
                "idempotency-key-required",
                "send an Idempotency-Key header with a value of your own for this operation;"
                " repeat it when you repeat the request",
            )

    @staticmethod
    def _check_query(endpoint: Endpoint, query: bytes) -> None:
        if not query:
            return
        if len(query) > QUERY_MAX:
            raise invalid("query", f"at most {QUERY_MAX} bytes")
        try:
            names = {
                name
                for name, _ in parse_qsl(
                    query.decode("latin-1"), keep_blank_values=True, max_num_fields=200
                )
            }
        except ValueError as error:
            raise invalid("query", "at most 200 parameters") from error
        for name in sorted(names):
            if name not in endpoint.query_names:
                shown = name.encode("utf-8", "replace").decode()[:100]
                refusal = refused_field(shown) if endpoint.tag == "leads" else None
                if refusal is not None and refusal.rule != UNLISTED:
                    raise invalid(f"query.{shown}", refusal.message)
                known = ", ".join(sorted(endpoint.query_names)) or "none"
                raise invalid(f"query.{shown}", f"unknown parameter; this route takes {known}")


def _no_route(methods: dict[str, Any]) -> Problem:
    if not methods:
        return not_found("there is no such route")
    allow = ", ".join(sorted(methods))
    return Problem(
        "method-not-allowed",
        f"this route takes {allow}",
        headers=[(b"allow", allow.encode())],
    )


class _Watch:
    """`send` for one request: adds what every answer carries, remembers the status."""

    __slots__ = ("_send", "headers", "status")

    def __init__(self, send: Send, request_id: str, closing: bool) -> None:
        self._send = send
        self.status = 0
        self.headers: tuple[tuple[bytes, bytes], ...] = ((b"x-request-id", request_id.encode()),)
        if closing:
            self.headers += (_CLOSE,)

    async def answer(self, answer: Any) -> None:
        self.status = answer.status_code
        await self._send(
            {
                "type": "http.response.start",
                "status": answer.status_code,
                "headers": [*answer.raw_headers, *self.headers],
            }
        )
        await self._send({"type": "http.response.body", "body": answer.body})

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.headers]
        await self._send(message)


class _Replay:
    """`receive` for FastAPI, the body being read already."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read_body(receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body. Raises Problem `validation` beyond `most` bytes, Gone if the client left."""
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
            parts = [message.get("body", b"")]
            size = len(parts[0])
            while message.get("more_body", False) and size <= most:
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
    except TimeoutError as error:
        raise invalid("body", f"did not arrive within {seconds:.0f} s") from error
    if message["type"] == "http.disconnect":
        raise Gone
    if size > most:
        raise Problem(
            "validation",
            f"the body is larger than {most} bytes",
            errors=[{"location": "body", "message": f"at most {most} bytes"}],
            headers=[_CLOSE],
        )
    return parts[0] if len(parts) == 1 else b"".join(parts)
