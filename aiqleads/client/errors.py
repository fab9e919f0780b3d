"""Everything that a call can raise. `ClientError` is above them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """A call that did not end well.

    `idempotency_key` is the key it was made with, None if it had none. If
    `is_outcome_unknown`, the write may have been done: make the same call again with
    `key=error.idempotency_key`, and it is done once at most.
    """

    idempotency_key: str | None = None
    is_outcome_unknown: bool = False


class Unreachable(ClientError):
    """The server did not answer within what patience allowed."""


class UnexpectedAnswer(ClientError):
    """What came back is no answer of this API: a wrong address, or a proxy in between."""


class SignedOut(ClientError):
    """The call needs a session, and there is none: `login` first."""


class Problem(ClientError):
    """The server said no (RFC 9457). `slug` tells the kind, `detail` is for people.

    `errors` names the parts of a request that are not valid, `members` are what else the
    problem says, such as `refused` after a checkout that bought nothing. `retry_after` is in
    seconds, `channel` the feed's that was refused.
    """

    channel: str | None = None

    def __init__(self, status: int, members: Mapping[str, Any], retry_after: float | None) -> None:
        self.status = status
        self.slug = str(members.get("type", ""))
        self.title = str(members.get("title", ""))
        self.detail = str(members.get("detail", ""))
        self.request_id = str(members.get("request_id", ""))
        found = members.get("errors")
        self.errors: list[dict[str, str]] = found if isinstance(found, list) else []
        self.members = dict(members)
        self.retry_after = retry_after
        said = self.detail or self.title or "no reason was given"
        super().__init__(f"{status} {self.slug}: {said}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.members, self.retry_after), self.__dict__.copy()


class Unauthorized(Problem):
    """The session is over, or the e-mail and password are wrong."""


class Forbidden(Problem):
    """This account may not."""


class PlanRequired(Forbidden):
    """The account's plan does not include this."""


class InsufficientCredits(Problem):
    """The wallet holds less than this costs."""


class NotFound(Problem):
    """There is no such thing, or it is somebody else's."""


class Invalid(Problem):
    """The request is not one that can be served: see `errors`."""


class Conflict(Problem):
    """As things stand this can't be done; `slug` says why."""


class LeadUnavailable(Conflict):
    """No seat is free, or the lead is off the market."""


class AlreadyBought(Conflict):
    """This buyer owns the lead."""


class AlreadyHeld(Conflict):
    """This buyer holds the lead."""


class HoldExpired(Conflict):
    """The hold ended before the request was decided."""


class HoldLimit(Conflict):
    """The plan allows no more holds, or none of this value."""


class PriceChanged(Conflict):
    """The price is above the `max_price` given."""


class NotInCart(Conflict):
    """This buyer holds no such lead; or, at checkout, none at all."""


class SeatAvailable(Conflict):
    """There is no line: a seat is free."""


class AlreadyQueued(Conflict):
    """This buyer is in line, or has a seat offered."""


class NotQueued(Conflict):
    """This buyer is not in line."""


class RateLimited(Problem):
    """Too many requests; `retry_after` says when to come again."""


class Unavailable(Problem):
    """The server could not decide now. On a write the outcome is unknown."""


_BY_SLUG: dict[str, type[Problem]] = {
    "unauthorized": Unauthorized,
    "invalid-credentials": Unauthorized,
    "token-reused": Unauthorized,
    "forbidden": Forbidden,
    "plan-required": PlanRequired,
    "insufficient-credits": InsufficientCredits,
    "not-found": NotFound,
    "validation": Invalid,
    "idempotency-mismatch": Invalid,
    "idempotency-key-required": Invalid,
    "lead-unavailable": LeadUnavailable,
    "already-bought": AlreadyBought,
    "already-held": AlreadyHeld,
    "hold-expired": HoldExpired,
    "hold-limit": HoldLimit,
    "price-changed": PriceChanged,
    "not-in-cart": NotInCart,
    "cart-empty": NotInCart,
    "seat-available": SeatAvailable,
    "already-queued": AlreadyQueued,
    "not-queued": NotQueued,
    "rate-limited": RateLimited,
    "unavailable": Unavailable,
}
_BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem(status: int, members: Mapping[str, Any], retry_after: float | None = None) -> Problem:
    """The problem as the class that its slug names, else the one of its status."""
    found = _BY_SLUG.get(str(members.get("type", ""))) or _BY_STATUS.get(status, Problem)
    return found(status, members, retry_after)
