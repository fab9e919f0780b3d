"""The sample world's people: owners, landlords of several homes, agents of many, crooks."""

from __future__ import annotations

import random

from engine.intake.invented_contact import AREA_CODES, FIRST_NAMES, LAST_NAMES
from engine.intake.sample_world.home import Person

AGENTS = 400
LANDLORDS = 300
_SCAMMERS = 12
_CROOKS_ANYWHERE = 16
_LANDLORD_SHARE = 0.06
_OWNER_EXTENSION, _EXTENSION = 10_000, 1_000
_MAILBOX = 90_000_000
_OFFSETS = {"landlord": 0, "agent": 1_000, "manager": 2_000, "scammer": 8_000, "anywhere": 8_500}


def owner_of(seed: int, market: str, index: int, rng: random.Random) -> Person:
    """Whose home it is; a few own several homes and have one phone for all of them."""
    name = _name(rng)
    line = rng.randrange(100)
    if rng.random() < _LANDLORD_SHARE:
        return _one_of(seed, market, "landlord", rng.randrange(LANDLORDS))
    return _reachable(name, market, line, _OWNER_EXTENSION + index, index)


def agent_of(seed: int, market: str, rng: random.Random) -> Person:
    """An agent; the busiest have a hundred times the homes of the least."""
    return _one_of(seed, market, "agent", int(AGENTS * rng.random() ** 2))


def manager_of(seed: int, market: str, building: str) -> Person:
    """Who lets the flats of a managed building: one phone for all of them."""
    number = random.Random(f"{seed}/{building}/manager").randrange(AGENTS)
    return _one_of(seed, market, "manager", number)


def scammer_of(seed: int, market: str, rng: random.Random) -> Person:
    return _one_of(seed, market, "scammer", rng.randrange(_SCAMMERS))


def crook_anywhere(seed: int, rng: random.Random) -> Person:
    """One of those who offer in every market under the same phone."""
    number = rng.randrange(_CROOKS_ANYWHERE)
    return _one_of(seed, tuple(AREA_CODES)[number % len(AREA_CODES)], "anywhere", number)


def fresh_crook_of(market: str, index: int, rng: random.Random) -> Person:
    """Under a phone that nobody else has, as an owner is."""
    name = _name(rng)
    return _reachable(name, market, rng.randrange(100), _OWNER_EXTENSION + index, index)


def _one_of(seed: int, market: str, role: str, number: int) -> Person:
    rng = random.Random(f"{seed}/{market}/{role}/{number}")
    # Extensions of a role lie together, below those of the owners.
    offset = _OFFSETS[role] + number
    return _reachable(
        _name(rng), market, rng.randrange(100), _EXTENSION + offset, _MAILBOX + offset
    )


def _name(rng: random.Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def _reachable(name: str, market: str, line: int, extension: int, mailbox: int) -> Person:
    area_code = AREA_CODES.get(market, "555")
    return Person(
        name=name,
        phone=f"+1 {area_code} 555 01{line:02d} ext. {extension}",
        email=f"{name.lower().replace(' ', '.')}.{mailbox}@example.com",
    )
