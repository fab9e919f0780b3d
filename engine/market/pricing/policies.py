"""The pricing policies by name and version, and the number under which a price names its own."""

from __future__ import annotations

from collections.abc import Callable

from engine.market.pricing.decay import DecayPolicy
from engine.market.pricing.demand_policy import DemandPolicy
from engine.market.pricing.fixed import FixedPolicy
from engine.market.pricing.policy import Policy
from engine.market.pricing.segments import Segments

LISTED = 0

# A number is never given to another policy: prices of the past name it.
_POLICIES: dict[str, tuple[int, Callable[[Segments], Policy]]] = {
    "fixed@1": (1, lambda segments: FixedPolicy()),
    "decay@1": (2, lambda segments: DecayPolicy()),
    "demand@1": (3, DemandPolicy),
}
NAMES = {LISTED: "listing@1", **{number: name for name, (number, _) in _POLICIES.items()}}
DEFAULT = "demand@1"


def names() -> tuple[str, ...]:
    """Those that can be asked for."""
    return tuple(_POLICIES)


def number_of(name: str) -> int:
    """Raises ValueError on an unknown policy."""
    return _entry(name)[0]


def make(name: str, segments: Segments) -> Policy:
    """A policy that has learnt nothing yet. Raises ValueError on an unknown one."""
    return _entry(name)[1](segments)


def _entry(name: str) -> tuple[int, Callable[[Segments], Policy]]:
    try:
        return _POLICIES[name]
    except KeyError:
        known = ", ".join(_POLICIES)
        raise ValueError(f"no pricing policy is called {name!r}; known are {known}") from None
