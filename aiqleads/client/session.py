"""Who is signed in: tokens, when they end, and how to get new ones. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiqleads.client.answers.accounts import Tokens

# A token is replaced this long before it ends, or at the last tenth of a shorter life.
EARLY_SECONDS = 30.0
EARLY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Credentials:
    email: str
    password: str = field(repr=False)


class Session:
    """Tokens of one account. `on_tokens` hears of every change, for who keeps them elsewhere:
    a refresh token is good once, so the latest must be the one that is kept."""

    def __init__(
        self,
        credentials: Credentials | None = None,
        on_tokens: Callable[[Tokens | None], None] | None = None,
    ) -> None:
        self.credentials = credentials
        self.refresh_token: str | None = None
        self._access_token: str | None = None
        self._renew_at = 0.0
        self._on_tokens = on_tokens

    def access_token(self, now: float) -> str | None:
        """The token to use at `now` (monotonic seconds); None if a new one is needed first."""
        return self._access_token if now < self._renew_at else None

    def is_usable(self, now: float, stale: str | None) -> bool:
        """Whether somebody else has replaced the token `stale` already."""
        token = self.access_token(now)
        return token is not None and token != stale

    def keep(self, tokens: Tokens, asked_at: float) -> None:
        """New tokens, asked for at `asked_at`: their life counts from then, to be safe."""
        self.take_up(tokens, asked_at)
        self._tell(tokens)

    def take_up(self, tokens: Tokens, since: float) -> None:
        """Tokens of before. How old they are nobody knows: one that is over is refused, and
        renewed then."""
        early = min(EARLY_SECONDS, EARLY_SHARE * tokens.expires_in)
        self._access_token = tokens.access_token
        self._renew_at = since + tokens.expires_in - early
        self.refresh_token = tokens.refresh_token

    def end(self) -> None:
        """The session is over. Credentials, if known, begin another."""
        self._access_token = self.refresh_token = None
        self._tell(None)

    def _tell(self, tokens: Tokens | None) -> None:
        if self._on_tokens is not None:
            self._on_tokens(tokens)


def credentials_of(email: str | None, password: str | None) -> Credentials | None:
    """Raises ValueError for one without the other."""
    if (email is None) != (password is None):
        raise ValueError("email and password come together")
    return Credentials(email, password) if email is not None and password is not None else None
