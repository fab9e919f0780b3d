"""Problems (RFC 9457): the closed set of slugs, and the one place that makes them of errors."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from actors.client import BookBusy, BookUnavailable
from engine.adapters.postgres.idempotency import OtherBody
from engine.market.fair_housing import UNLISTED, refused_field

log = logging.getLogger(__name__)

# Slug -> (status, title). The slug is the problem's `type`.
PROBLEMS: dict[str, tuple[int, str]] = {
    "idempotency-key-required": (400, "An Idempotency-Key header is required"),
    "unauthorized": (401, "Sign in first"),
    "invalid-credentials": (401, "E-mail or password is wrong"),
    "token-reused": (401, "The refresh token was used before"),
    "insufficient-credits": (402, "Not enough credits"),
    "forbidden": (403, "Not allowed"),
    "plan-required": (403, "The plan does not include this"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "email-taken": (409, "The e-mail is taken"),
    "lead-unavailable": (409, "The lead is not available"),
    "already-bought": (409, "Already bought"),
    "already-held": (409, "Already held"),
    "hold-expired": (409, "The hold has expired"),
    "hold-limit": (409, "No more holds"),
    "price-changed": (409, "The price has changed"),
    "cart-empty": (409, "The cart is empty"),
    "not-in-cart": (409, "Not in the cart"),
    "seat-available": (409, "A seat is free"),
    "already-queued": (409, "Already in line"),
    "not-queued": (409, "Not in line"),
    "queue-full": (409, "The line is full"),
    "standing-order-limit": (409, "No more standing orders"),
    "changed-meanwhile": (409, "Changed by another request meanwhile"),
    "model-role": (409, "The model's roles can't change so"),
    "source-off": (409, "The source is off"),
    "upload-limit": (409, "Too many uploads wait"),
    "upload-decided": (409, "The upload has been decided upon"),
    "validation": (422, "The request is not valid"),
    "idempotency-mismatch": (422, "The Idempotency-Key was used with another body"),
    "rate-limited": (429, "Too many requests"),
    "internal": (500, "Internal error"),
    "unavailable": (503, "Temporarily unavailable"),
}

ERRORS_MAX = 20
LOCATION_MAX = 200
RETRY_AFTER_SECONDS = 1


class Problem(Exception):
    """An answer that is a problem. `extra` are further members, `headers` go with it."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(slug)
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.extra = extra
        self.headers = tuple(headers)

    @property
    def status(self) -> int:
        return PROBLEMS[self.slug][0]

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object of the contract."""
        found = problem_body(self.slug, self.detail, request_id)
        if self.errors is not None:
            found["errors"] = list(self.errors)
        if self.extra:
            found.update(self.extra)
        return found


def problem_body(slug: str, detail: str, request_id: str) -> dict[str, Any]:
    status, title = PROBLEMS[slug]
    return {
        "type": slug,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }


def unavailable(detail: str, retry_after: int = RETRY_AFTER_SECONDS) -> Problem:
    return Problem(
        "unavailable", detail, headers=[(b"retry-after", str(max(1, retry_after)).encode())]
    )


def not_found(detail: str = "there is nothing here for you") -> Problem:
    return Problem("not-found", detail)


def invalid(location: str, message: str) -> Problem:
    """A validation problem of one field, e.g. `invalid("query.cursor", "...")`."""
    return Problem(
        "validation", f"{location}: {message}", errors=[{"location": location, "message": message}]
    )


def of_validation(errors: Sequence[Mapping[str, Any]], root: str | None = None) -> Problem:
    """From pydantic's errors, without the values that were sent."""
    shown = []
    for error in errors[:ERRORS_MAX]:
        parts = [str(part) for part in error["loc"]]
        if root is not None:
            parts.insert(0, root)
        location = ".".join(parts).encode("utf-8", "replace").decode()[:LOCATION_MAX]
        shown.append({"location": location, "message": _message(error, parts)})
    first = shown[0] if shown else {"location": "request", "message": "not valid"}
    return Problem("validation", f"{first['location']}: {first['message']}", errors=shown)


def _message(error: Mapping[str, Any], parts: list[str]) -> str:
    """What is wrong; of a filter's field that fair housing knows, the rule."""
    if error["type"] == "extra_forbidden" and "filter" in parts[:-1]:
        refusal = refused_field(parts[-1])
        if refusal is not None and refusal.rule != UNLISTED:
            return refusal.message.encode("utf-8", "replace").decode()
    return str(error["msg"])


# What asyncpg raises when the database is away, overloaded or too slow to answer now.
_DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)


def problem_of(error: BaseException, request_id: str) -> Problem:
    """The problem that answers an error. What nobody foresaw is logged and becomes `internal`."""
    match error:
        case Problem():
            return error
        case BookBusy():
            return unavailable("the market is busy; nothing was decided, try again")
        case BookUnavailable():
            return unavailable(
                "the market did not answer in time; the outcome is unknown,"
                " repeat with the same Idempotency-Key"
            )
        case OtherBody():
            return Problem(
                "idempotency-mismatch",
                "this Idempotency-Key was used with another request body",
            )
        case RequestValidationError():
            return of_validation(error.errors())
        case ValidationError():
            return of_validation(error.errors(include_url=False, include_input=False), "body")
        case HTTPException(status_code=404):
            return not_found()
        case HTTPException(status_code=405):
            return Problem("method-not-allowed", "this route does not take this method")
        case HTTPException(status_code=status) if 400 <= status < 500:
            return Problem("validation", "the request can't be read")
    if isinstance(error, _DATABASE_AWAY) and not isinstance(error, asyncpg.DataError):
        log.warning("request %s: storage is away\n%s", request_id, describe(error))
        return unavailable("storage did not answer in time; try again")
    log.error("request %s failed\n%s", request_id, describe(error))
    return Problem("internal", "something went wrong here; the operator can find the request_id")


def describe(error: BaseException) -> str:
    """A traceback of places and types without messages, which may quote what a buyer sent."""
    lines = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        lines += traceback.format_list(traceback.extract_tb(link.__traceback__))
        lines.append(type(link).__qualname__)
        if isinstance(link, asyncpg.PostgresError):
            lines.append(f" sqlstate={link.sqlstate} constraint={link.constraint_name}")
        lines.append("\n")
        link = link.__cause__ or link.__context__
    return "".join(lines)
