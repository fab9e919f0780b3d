"""One request past the gate: who calls, with what, under which key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Request
from pydantic import BaseModel

from engine.adapters.postgres.accounts import AccountState
from serve_apps.api.problems import of_validation

if TYPE_CHECKING:
    from serve_apps.api.deps import Deps
    from serve_apps.api.routing import Endpoint

SCOPE_KEY = "aiqleads.call"
Model = TypeVar("Model", bound=BaseModel)

_canonical = msgspec.json.Encoder(order="deterministic").encode
_parse = msgspec.json.Decoder().decode
_blake2b = hashlib.blake2b


class Call:
    """What a handler gets. `account` is None on routes that anyone may call."""

    __slots__ = (
        "account",
        "address",
        "body",
        "deps",
        "endpoint",
        "expires_at",
        "family",
        "key",
        "method",
        "params",
        "path",
        "request_id",
    )

    def __init__(
        self,
        deps: Deps,
        endpoint: Endpoint,
        request_id: str,
        method: str,
        path: str,
        params: tuple[str, ...],
        address: str,
    ) -> None:
        self.deps = deps
        self.endpoint = endpoint
        self.request_id = request_id
        self.method = method
        self.path = path
        self.params = params
        self.address = address
        self.account: AccountState | None = None
        # The session of the token, and when the token ends (Unix seconds).
        self.family = ""
        self.expires_at = 0.0
        self.key: str | None = None
        self.body = b""

    @property
    def user(self) -> AccountState:
        """The signed-in account; only on routes that require one."""
        assert self.account is not None
        return self.account

    def parse(self, model: type[Model]) -> Model:
        """The JSON body as `model`; no body is an empty object. Raises ValidationError."""
        return model.model_validate_json(self.body or b"{}")

    def command_id(self, attempt: int = 0) -> bytes | None:
        """16 bytes of user, method, path and Idempotency-Key; None without a key.

        A request that may take several commands gives each a number of its own.
        """
        if self.key is None:
            return None
        owner = self.account.user_id if self.account is not None else f"address:{self.address}"
        scope = f"{owner}\n{self.method}\n{self.path}\n{self.key}"
        if attempt:
            scope += f"\n{attempt}"
        return _blake2b(scope.encode(), digest_size=16).digest()

    def request_hash(self) -> bytes | None:
        """16 bytes of the body as parsed JSON, of a raw one as it is; None without a key.

        Keyed with the installation's secret: bodies may hold a password.
        """
        if self.key is None:
            return None
        if not self.body:
            return self.deps.empty_body_hash
        if self.endpoint.raw_body:
            return self.deps.body_hash(self.body)
        try:
            canonical = _canonical(_parse(self.body))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise of_validation([{"loc": ("body",), "msg": "not valid JSON"}]) from error
        return self.deps.body_hash(canonical)


def _current(request: Request) -> Any:
    return request.scope[SCOPE_KEY]


CurrentCall = Annotated[Call, Depends(_current)]
