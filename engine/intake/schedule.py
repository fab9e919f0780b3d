"""When a source is due next: at its own time of the period, spread so that not all are at once."""

from __future__ import annotations

import hashlib
from typing import Literal

Every = Literal["hourly", "daily"]

PERIODS_US: dict[Every, int] = {"hourly": 3_600_000_000, "daily": 86_400_000_000}
# Of the period: how far chance moves a run from its own time, either way.
CHANCE_SHARE = 0.05
RETRY_US = 300_000_000


def next_run_us(source: str, market: str, every: Every, *, now_us: int, chance: float) -> int:
    """The next turn of a source that has just been run, in µs since the epoch.

    Each source and market has a time of its own within the period, always the same;
    `chance` in [0, 1) moves a turn by up to 5 % of the period. A turn is at least half a
    period away.
    """
    period = PERIODS_US[every]
    return _turn(source, market, period, from_us=now_us + period // 2, chance=chance)


def first_run_us(source: str, market: str, every: Every, *, now_us: int, chance: float) -> int:
    """The first turn of a source that was never run: within one period."""
    turn = _turn(source, market, PERIODS_US[every], from_us=now_us, chance=chance)
    return max(now_us, turn)


def retry_us(failures: int, every: Every, *, now_us: int, chance: float) -> int:
    """The next turn after `failures` (at least 1) failed runs in a row: five minutes, doubled
    each time up to the period, and spread by `chance` in [0, 1)."""
    pause = min(RETRY_US << min(failures - 1, 20), PERIODS_US[every])
    return now_us + int(pause * (0.75 + chance / 2))


def _turn(source: str, market: str, period: int, *, from_us: int, chance: float) -> int:
    """The first time of its own at or after `from_us`, moved by chance, never before `from_us`."""
    own = _own_time(source, market, period)
    turn = from_us + (own - from_us) % period
    return max(from_us, turn + int((2 * chance - 1) * CHANCE_SHARE * period))


def _own_time(source: str, market: str, period: int) -> int:
    digest = hashlib.blake2b(f"{source}\x1f{market}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % period
