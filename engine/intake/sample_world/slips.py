"""Slips of the pen and of the map, each drawn from the generator it is given."""

from __future__ import annotations

import math
import random

_METRES_PER_DEGREE = 111_195.0
_KIN = {
    "Apartment": ("Condominium", "Apartment"),
    "Condominium": ("Townhouse", "Apartment"),
    "Townhouse": ("Condominium", "Single Family Residence"),
    "Single Family Residence": ("Townhouse",),
    "Duplex": ("Single Family Residence", "Townhouse"),
    "Manufactured Home": ("Single Family Residence",),
}
_NAME_LETTERS_LEAST = 4
# Elsewhere no bedrooms are a portal's way to say nothing of them.
_WITH_STUDIOS = frozenset({"Apartment", "Condominium"})


def misspelled(street: str, rng: random.Random) -> str:
    """One letter of the street's longest name word dropped, doubled, swapped or another."""
    words = street.split()
    names = range(1, max(2, len(words) - 1))
    place = max(names, key=lambda number: len(words[number]))
    words[place] = _with_slip(words[place], rng)
    return " ".join(words)


def _with_slip(word: str, rng: random.Random) -> str:
    if len(word) < _NAME_LETTERS_LEAST:
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + rng.choice("aeinorst") + word[at + 1 :],
        )
    )


def with_other_number(street: str, rng: random.Random) -> str:
    """Two digits of the house number swapped, or the last one off by two."""
    number, _, name = street.partition(" ")
    swapped = number[:-2] + number[-1] + number[-2]
    if swapped == number or swapped.startswith("0") or rng.random() < 0.5:
        return f"{int(number) + 2} {name}"
    return f"{swapped} {name}"


def without_suffix(street: str) -> str:
    return street.rsplit(" ", 1)[0] if len(street.split()) > 2 else street


def moved(
    latitude: float,
    longitude: float,
    rng: random.Random,
    *,
    metres_usual: float,
    metres_most: float,
) -> tuple[float, float]:
    """A point nearby: exponential distances with that mean, cut at the most."""
    metres = min(rng.expovariate(1 / metres_usual), metres_most)
    course = rng.uniform(0, 2 * math.pi)
    north = metres * math.cos(course) / _METRES_PER_DEGREE
    shrink = math.cos(math.radians(latitude))
    east = metres * math.sin(course) / (_METRES_PER_DEGREE * shrink)
    return round(latitude + north, 6), round(longitude + east, 6)


def rounded_area(area: int, rng: random.Random) -> int:
    step = rng.choice((10, 50, 50, 100))
    return max(step, round(area / step) * step)


def area_off(area: int, rng: random.Random) -> int:
    return round(area * rng.uniform(0.93, 1.07))


def kin_of(sub_type: str, rng: random.Random, *, is_studio: bool = False) -> str:
    """The kind under which a home is filed by mistake; a studio under one that has studios."""
    kin = rng.choice(_KIN.get(sub_type, (sub_type,)))
    return sub_type if is_studio and kin not in _WITH_STUDIOS else kin


def other_postal_code(postal_code: str, rng: random.Random) -> str:
    """One of the last two digits off by one to three."""
    return (
        f"{postal_code[:3]}{(int(postal_code[3:]) + rng.choice((-10, -3, -1, 1, 2, 10))) % 100:02d}"
    )
