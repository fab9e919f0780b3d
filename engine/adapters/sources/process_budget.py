"""A budget of this process alone: what goes on while Redis is away. The same rules."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.adapters.sources.pace import Breaker, Outcome, Pace, Verdict

_HOSTS_MAX = 10_000
_SLOT_POLL_SECONDS = 0.05


@dataclass(slots=True)
class _Host:
    """Times are seconds of the clock. `open_until` is 0 while the circuit is closed."""

    turn_at: float = 0.0
    paused_until: float = 0.0
    open_until: float = 0.0
    probe_until: float = 0.0
    probe: str | None = None
    failures: int = 0
    opened: int = 0
    slots: dict[str, float] = field(default_factory=dict)


class ProcessBudget:
    """Remembers the hosts asked last, at most `_HOSTS_MAX`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    async def take(self, host: str, pace: Pace, lease: str, lease_seconds: float) -> Verdict:
        now, state = self._clock(), self._host(host)
        if refused := _refused(state, pace, now):
            return refused
        state.turn_at = max(now, state.turn_at) + pace.interval_seconds
        if state.open_until > 0:
            state.probe_until, state.probe = now + lease_seconds, lease
        state.slots[lease] = now + lease_seconds
        return Verdict("go", 0.0)

    async def give_back(
        self, host: str, lease: str, outcome: Outcome, pause_seconds: float, breaker: Breaker
    ) -> None:
        now, state = self._clock(), self._host(host)
        state.slots.pop(lease, None)
        if pause_seconds > 0:
            state.paused_until = max(state.paused_until, now + pause_seconds)
        if outcome == "good":
            state.failures = state.opened = 0
            state.open_until, state.probe_until, state.probe = 0.0, 0.0, None
        elif outcome == "bad" and state.open_until <= now:
            _count_failure(state, breaker, now)
        elif state.probe == lease:
            state.probe_until, state.probe = 0.0, None

    def _host(self, host: str) -> _Host:
        state = self._hosts.setdefault(host, _Host())
        self._hosts.move_to_end(host)
        if len(self._hosts) > _HOSTS_MAX:
            self._hosts.popitem(last=False)
        return state


def _refused(state: _Host, pace: Pace, now: float) -> Verdict | None:
    open_until = max(state.open_until, state.probe_until if state.open_until > 0 else 0.0)
    if open_until > now:
        return Verdict("open", open_until - now)
    if state.paused_until > now:
        return Verdict("paused", state.paused_until - now)
    state.slots = {lease: until for lease, until in state.slots.items() if until > now}
    if len(state.slots) >= pace.concurrency:
        return Verdict("wait", min(min(state.slots.values()) - now, _SLOT_POLL_SECONDS))
    early = state.turn_at - now - (pace.burst - 1) * pace.interval_seconds
    return Verdict("wait", early) if early > 0 else None


def _count_failure(state: _Host, breaker: Breaker, now: float) -> None:
    state.failures += 1
    if state.failures >= breaker.failures_max or state.open_until > 0:
        state.opened += 1
        longer = breaker.open_seconds * 2.0 ** min(state.opened - 1, 30)
        state.open_until = now + min(longer, breaker.open_seconds_max)
        state.probe_until, state.probe = 0.0, None
