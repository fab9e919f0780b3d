"""In which ways a sighting of the sample world says less or otherwise than is true."""

from __future__ import annotations

from collections.abc import Callable

from engine.intake.address import normal_unit
from engine.intake.resolution.doors import door_of
from engine.intake.sample_world import Home
from engine.intake.sample_world.seen import Seen

_METRES_PER_DEGREE = 111_195.0
_FAR_METRES = 100.0


def noise_of(home: Home, seen: Seen) -> int:
    """A bit for each of `KINDS` that the sighting has."""
    return sum(1 << place for place, (_, has) in enumerate(_CHECKS) if has(home, seen))


def _is_numbered(seen: Seen) -> bool:
    return seen.street is not None and seen.street[0].isdigit()


def _is_misspelled(home: Home, seen: Seen) -> bool:
    if not _is_numbered(seen):
        return False
    true, said = door_of(home.street, None), door_of(seen.street, None)
    return (true.number, true.street) != (said.number, said.street)


def _is_other_unit(home: Home, seen: Seen) -> bool:
    return seen.unit is not None and normal_unit(seen.unit) != home.unit


def _is_far(home: Home, seen: Seen) -> bool:
    if seen.latitude is None or seen.longitude is None:
        return False
    metres = abs(seen.latitude - home.latitude) + abs(seen.longitude - home.longitude)
    return metres * _METRES_PER_DEGREE > _FAR_METRES


def _is_owners_own(home: Home, seen: Seen) -> bool:
    person = seen.person
    return home.agent is not None and person is not None and person.name == home.person.name


def _is_known_but_other(true: object, said: object) -> bool:
    return said is not None and said != true


_CHECKS: tuple[tuple[str, Callable[[Home, Seen], bool]], ...] = (
    ("street without a number, or none", lambda h, s: not _is_numbered(s)),
    ("street or number misspelled", _is_misspelled),
    ("unit missing", lambda h, s: h.unit is not None and _is_numbered(s) and s.unit is None),
    ("the office's unit for another flat", _is_other_unit),
    ("ZIP missing", lambda h, s: s.postal_code is None),
    ("ZIP wrong", lambda h, s: _is_known_but_other(h.postal_code, s.postal_code)),
    ("no point on the map", lambda h, s: s.latitude is None),
    ("point over 100 m off", _is_far),
    ("beds missing", lambda h, s: s.bedrooms is None),
    ("beds off by one", lambda h, s: _is_known_but_other(h.bedrooms, s.bedrooms)),
    ("area missing", lambda h, s: s.living_area is None),
    ("area rounded or off", lambda h, s: _is_known_but_other(h.living_area, s.living_area)),
    ("price missing", lambda h, s: s.price is None),
    ("price another one", lambda h, s: _is_known_but_other(h.price, s.price)),
    ("sub type another one", lambda h, s: _is_known_but_other(h.sub_type, s.sub_type)),
    ("no contact", lambda h, s: s.person is None),
    ("the owner's contact, not the agent's", _is_owners_own),
    ("no text", lambda h, s: s.remarks is None),
    ("a fraudulent offer", lambda h, s: h.scam is not None),
    ("a flat among many", lambda h, s: h.unit is not None),
)
KINDS = tuple(name for name, _ in _CHECKS)
