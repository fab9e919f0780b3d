"""How long to wait before asking again: what the site says, else longer each time, by chance."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

PAUSE_SECONDS_MAX = 3_600.0
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class Retries(NamedTuple):
    """At most `attempts_max` attempts, with full jitter below a doubling ceiling between."""

    attempts_max: int = 4
    back_off_seconds: float = 0.5
    back_off_seconds_max: float = 20.0

    def wait_seconds(self, attempt: int) -> float:
        """Seconds to wait after the `attempt`th, from 1."""
        ceiling = self.back_off_seconds * 2.0 ** (attempt - 1)
        return random.uniform(0.0, min(ceiling, self.back_off_seconds_max))


def pause_seconds(retry_after: str | None, now: datetime) -> float:
    """What a Retry-After asks for, in seconds or as a date; 0 for none or one that is neither."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), PAUSE_SECONDS_MAX)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), PAUSE_SECONDS_MAX)
