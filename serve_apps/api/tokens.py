"""Tokens: short-lived JWT for access, opaque rotating ones for refresh."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import NamedTuple

import jwt

ALGORITHM = "HS256"
# Verified tokens remembered per replica; the oldest go first.
REMEMBERED_MAX = 50_000
REFRESH_TOKEN_MAX = 256
AUTHORIZATION_MAX = 2048


class Verified(NamedTuple):
    """A token whose signature was checked. `expires_at` is Unix seconds."""

    user_id: str
    family_id: str
    expires_at: float


class AccessTokens:
    """Issues and verifies access tokens. A token seen before costs one dict lookup."""

    def __init__(self, secret: str, lifetime_seconds: int) -> None:
        self._secret = secret
        self.lifetime_seconds = lifetime_seconds
        self._verified: dict[bytes, Verified] = {}

    def issue(self, user_id: str, family_id: str) -> str:
        now = int(time.time())
        claims = {
            "sub": user_id,
            "fam": family_id,
            "iat": now,
            "exp": now + self.lifetime_seconds,
            "jti": secrets.token_urlsafe(6),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify_header(self, authorization: bytes) -> Verified | None:
        """The token of an `Authorization: Bearer …` header, None if it is not valid now."""
        verified = self._verified.get(authorization)
        if verified is not None:
            if verified.expires_at > time.time():
                return verified
            self._verified.pop(authorization, None)
            return None
        if len(authorization) > AUTHORIZATION_MAX or authorization[:7].lower() != b"bearer ":
            return None
        verified = self.verify(authorization[7:].strip())
        if verified is not None:
            if len(self._verified) >= REMEMBERED_MAX:
                self._verified.pop(next(iter(self._verified)))
            self._verified[authorization] = verified
        return verified

    def verify(self, token: bytes) -> Verified | None:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "fam", "iat", "exp"]},
            )
        except jwt.PyJWTError:
            return None
        family_id = claims["fam"]
        if not isinstance(family_id, str):
            return None
        return Verified(claims["sub"], family_id, float(claims["exp"]))


class RefreshTokens:
    """Refresh tokens carry their family and a mark that they were issued here.

    Without the mark anybody who knows a family could end it with an invented token.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.blake2b(secret.encode(), digest_size=32, person=b"refresh").digest()

    def issue(self, family_id: str) -> tuple[str, bytes]:
        """(token, the hash to store)."""
        body = f"{family_id}.{secrets.token_urlsafe(24)}"
        token = f"{body}.{self._mark(body)}"
        return token, _hash(token)

    def read(self, token: str) -> tuple[str, bytes] | None:
        """(family id, hash) of a token issued here, else None."""
        if len(token) > REFRESH_TOKEN_MAX or not token.isascii():
            return None
        body, _, mark = token.rpartition(".")
        if not hmac.compare_digest(mark, self._mark(body)):
            return None
        return body.partition(".")[0], _hash(token)

    def _mark(self, body: str) -> str:
        return hashlib.blake2b(body.encode(), key=self._key, digest_size=16).hexdigest()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
