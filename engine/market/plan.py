"""Plans: what a buyer's subscription allows in the market."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

SECOND_US = 1_000_000
UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_KEYS = {
    "terms",
    "holds_max",
    "discount_percent",
    "hold_value_max",
    "hold_fee_percent",
    "hold_fee_credited",
    "claim_priority",
    "standing_orders_max",
}
DEFAULT_FILE = Path(__file__).parent.parent / "plans.toml"


class Plan(msgspec.Struct, frozen=True):
    """One plan. `terms_us` maps a hold term ("15m") to its length in microseconds.

    `hold_value_max` bounds the credits a buyer's live holds add up to, None for no bound.
    `hold_fee_percent` maps a term to what holding for it costs, per cent of the locked price;
    with `is_hold_fee_credited` the fee counts towards the price on purchase. Where claims
    compete, a higher `claim_priority` goes first.
    """

    name: str
    terms_us: dict[str, int]
    longest_us: int
    holds_max: int
    discount_percent: int
    hold_value_max: int | None = None
    hold_fee_percent: dict[str, int] = {}
    is_hold_fee_credited: bool = True
    claim_priority: int = 0
    standing_orders_max: int = 20

    def hold_fee(self, term: str, price: int) -> int:
        """Credits that holding at `price` for `term` costs, rounded up: a long hold is a free
        option otherwise."""
        return -(-price * self.hold_fee_percent.get(term, 0) // 100)

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
    unknown = entry.keys() - _KEYS
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
    return Plan(
        name,
        terms_us,
        max(terms_us.values()),
        holds_max,
        discount,
        hold_value_max=_whole(name, entry, "hold_value_max", 1),
        hold_fee_percent=_fees(name, entry.get("hold_fee_percent", {}), terms_us),
        is_hold_fee_credited=_yes_or_no(name, entry, "hold_fee_credited", True),
        claim_priority=_whole(name, entry, "claim_priority", 0) or 0,
        standing_orders_max=_whole(name, entry, "standing_orders_max", 0) or 0,
    )


def _whole(name: str, entry: dict[str, object], key: str, least: int) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if type(value) is not int or value < least:
        raise ValueError(f"plan {name}: {key} must be a whole number from {least}")
    return value


def _yes_or_no(name: str, entry: dict[str, object], key: str, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"plan {name}: {key} must be true or false")
    return value


def _fees(name: str, fees: object, terms_us: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(fees, dict) or not all(
        term in terms_us and type(percent) is int and 0 <= percent <= 100
        for term, percent in fees.items()
    ):
        raise ValueError(
            f"plan {name}: hold_fee_percent maps terms of the plan to whole per cents from 0 to 100"
        )
    return fees
