"""Plans: what a buyer's subscription allows in the market."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

SECOND_US = 1_000_000
UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}
DEFAULT_FILE = Path(__file__).parent.parent / "plans.toml"


class Plan(msgspec.Struct, frozen=True):
    """One plan. `terms_us` maps a hold term ("15m") to its length in microseconds."""

    name: str
    terms_us: dict[str, int]
    longest_us: int
    holds_max: int
    discount_percent: int

    def discounted(self, price: int) -> int:
        """What this plan pays for `price` credits, rounded down."""
        return price * (100 - self.discount_percent) // 100


def term_us(term: str) -> int:
    """Microseconds of a term like "15m", "24h", "3d". Raises ValueError on any other form."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", term)
    if match is None:
        raise ValueError(f"hold term {term!r} must be a number and m, h or d, like 15m")
    return int(match[1]) * UNIT_SECONDS[match[2]] * SECOND_US


def parse_plans(text: str) -> dict[str, Plan]:
    """Plans by name from TOML. Raises ValueError naming the plan and what is wrong."""
    try:
        entries = tomllib.loads(text).get("plan", {})
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"plans: not TOML: {error}") from error
    if not isinstance(entries, dict) or "basic" not in entries:
        raise ValueError("plans: [plan.basic] is missing; new accounts start on it")
    return {name: _plan(name, entry) for name, entry in entries.items()}


def load_plans(path: Path | None = None) -> dict[str, Plan]:
    return parse_plans((path or DEFAULT_FILE).read_text())


def all_terms(plans: Mapping[str, Plan]) -> list[str]:
    """Every term that some plan offers, shortest first."""
    terms = {term: length for plan in plans.values() for term, length in plan.terms_us.items()}
    return sorted(terms, key=terms.__getitem__)


def _plan(name: str, entry: object) -> Plan:
    if not isinstance(entry, dict):
        raise ValueError(f"plan {name}: must be a table, [plan.{name}]")
    unknown = entry.keys() - {"terms", "holds_max", "discount_percent"}
    if unknown:
        raise ValueError(f"plan {name}: unknown {', '.join(sorted(unknown))}")
    terms, holds_max, discount = (
        entry.get(key) for key in ("terms", "holds_max", "discount_percent")
    )
    if not isinstance(terms, list) or not terms:
        raise ValueError(f"plan {name}: terms must list at least one hold term, like 15m")
    # A TOML boolean is a Python int.
    if type(holds_max) is not int or holds_max < 1:
        raise ValueError(f"plan {name}: holds_max must be a whole number from 1")
    if type(discount) is not int or not 0 <= discount <= 100:
        raise ValueError(f"plan {name}: discount_percent must be a whole number from 0 to 100")
    try:
        terms_us = {term: term_us(str(term)) for term in terms}
    except ValueError as error:
        raise ValueError(f"plan {name}: {error}") from error
    return Plan(name, terms_us, max(terms_us.values()), holds_max, discount)
