"""argon2id as every password here is hashed: 19 MiB, two passes, one lane."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


def password_hasher() -> PasswordHasher:
    """About 20 ms and 19 MiB a hash: never call it on an event loop."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def matches(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
