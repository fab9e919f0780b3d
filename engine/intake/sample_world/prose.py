"""What sellers write in the sample world: praise, facts, and their contact in many writings."""

from __future__ import annotations

import random

from engine.intake.address_words import DIRECTIONALS
from engine.intake.contact_patterns import DIGIT_WORDS
from engine.intake.sample_world.home import Home, Person

_OPENINGS = (
    "Come home to this bright place in a quiet part of {city}.",
    "Freshly painted and ready to move into.",
    "A well kept home close to shops, schools and the freeway.",
    "Rarely offered floor plan with afternoon light in every room.",
    "Everything within walking distance, and parking at the door.",
    "Roomy, cool in summer and looked after with care.",
    "Step inside and you will not want to leave.",
    "Here is the one you have been waiting for in {city}.",
    "Set back from the street behind two old trees.",
)
_FEATURES = (
    "new windows", "washer and dryer", "a covered patio", "ceiling fans", "stone counters",
    "a fenced yard", "walk-in closets", "a two-car garage", "fibre internet", "a gas range",
    "vinyl plank floors", "a community pool", "extra storage", "a raised garden bed",
    "a newer roof", "a tankless water heater", "solar panels", "a reading nook",
)  # fmt: skip
_ROOMS = (
    "The kitchen opens to the living room and gets the morning sun.",
    "Both bathrooms were redone with tile to the ceiling.",
    "The main bedroom is at the back, away from the road.",
    "There is a den by the entrance that would make a good office.",
    "High ceilings make the living room feel larger than it is.",
    "The dining corner seats six and looks out on the garden.",
    "All bedrooms are upstairs, with a landing wide enough for a desk.",
)
_SURROUNDINGS = (
    "The bus stops at the corner and the park is two blocks away.",
    "A grocery store, a pharmacy and a bakery are around the corner.",
    "You reach downtown in fifteen minutes outside the rush hour.",
    "The elementary school is across the street.",
    "Trails for running and cycling begin behind the last house.",
    "Neighbours have lived here for years and know each other.",
    "It is a short drive to the airport and the outlet mall.",
)
_CLOSINGS = (
    "Showings by appointment in the evening.",
    "Pets are welcome with a deposit.",
    "Please have your papers ready.",
    "Open house on Saturday morning.",
    "First come, first served.",
    "Serious offers only, please.",
    "Available from the first of the month.",
)
_ADDED = (
    "Still available!",
    "Price reduced, will not last long.",
    "Back on the market after a buyer's financing fell through.",
    "More pictures on request.",
)
_DIGIT_NAMES = {digit: word for word, digit in DIGIT_WORDS.items() if word != "oh"}
_LONG_DIRECTIONS = {short: long.capitalize() for long, short in DIRECTIONALS.items()}
_LONG_SUFFIXES = {
    "Ave": "Avenue", "St": "Street", "Dr": "Drive", "Rd": "Road", "Ln": "Lane", "Ct": "Court",
    "Blvd": "Boulevard", "Cir": "Circle", "Pl": "Place", "Pkwy": "Parkway", "Trl": "Trail",
}  # fmt: skip


def title_of(home: Home, voice: str) -> str:
    rng = random.Random(f"{voice}/title")
    adjective = rng.choice(("Bright", "Quiet", "Roomy", "Updated", "Sunny", "Charming", "Corner"))
    rooms = "studio" if home.bedrooms == 0 else f"{home.bedrooms} bedroom"
    kind = {"Single Family Residence": "house", "Condominium": "condo"}.get(
        home.sub_type, home.sub_type.lower()
    )
    return f"{adjective} {rooms} {kind} in {home.city}"


def lines_of(home: Home, voice: str) -> list[str]:
    """What `voice` writes of the home, without a contact: the same voice, the same words."""
    rng = random.Random(f"{voice}/lines")
    features = rng.sample(_FEATURES, 5)
    return [
        rng.choice(_OPENINGS).format(city=home.city),
        f"You get {features[0]}, {features[1]}, {features[2]}, {features[3]} and {features[4]}.",
        f"About {home.living_area:,} sq ft, built {home.year_built}.",
        *rng.sample(_ROOMS, 2),
        rng.choice(_SURROUNDINGS),
        rng.choice(_CLOSINGS),
    ]


def edited(lines: list[str], rng: random.Random) -> list[str]:
    """The lines as somebody posts them again: one left out, two swapped, one put before."""
    changed = list(lines)
    if rng.random() < 0.4:
        del changed[rng.randrange(1, len(changed))]
    if rng.random() < 0.3:
        at = rng.randrange(len(changed) - 1)
        changed[at], changed[at + 1] = changed[at + 1], changed[at]
    if rng.random() < 0.5:
        changed.insert(0, rng.choice(_ADDED))
    return changed


def invitation(person: Person, place: str | None, rng: random.Random) -> str:
    """A line that gives away as much of the contact as the sighting shows."""
    phone = _phone_writing(person.phone, rng.randrange(6)) if person.phone else None
    email = person.email
    if email is not None and rng.random() < 0.3:
        email = email.replace("@", " at ").replace(".com", " dot com")
    lines = []
    if phone:
        lines.append(f"Call {person.name} at {phone}.")
        if place:
            lines.append(f"It is at {place}. Call {phone} before you come.")
    if email:
        lines.append(f"Write to {email} and ask for {person.name}.")
    if phone and email:
        lines.append(f"Text {person.name}, {phone}, or write to {email}.")
        lines.append(f"{person.name.upper()} {phone} {email}")
    return rng.choice(lines) if lines else f"Ask for {person.name}."


def street_writing(street: str, *, style: int) -> str:
    """The street as USPS abbreviates it, or in whole words."""
    return street if style % 2 == 0 else _long_writing(street)


def unit_writing(unit: str, *, style: int) -> str:
    """The unit with one of four designators."""
    return f"{('APT ', '#', 'Unit ', 'Apt. ')[style % 4]}{unit}"


def _phone_writing(phone: str, style: int) -> str:
    """One of six ways to write `+1 702 555 0142 ext. 17`."""
    _one, area, exchange, line, _ext, extension = phone.split()
    if style == 0:
        return f"({area}) {exchange}-{line} x{extension}"
    if style == 1:
        return f"{area}.{exchange}.{line} ext {extension}"
    if style == 2:
        return f"+1 {area} {exchange} {line}"
    if style == 3:
        return " ".join(area + exchange + line)
    if style == 4:
        return " ".join(_DIGIT_NAMES[digit] for digit in area + exchange + line)
    return f"{area}-{exchange}-{line}"


def _long_writing(street: str) -> str:
    words = street.split()
    last = _LONG_SUFFIXES.get(words[-1], words[-1])
    middle = [_LONG_DIRECTIONS.get(word, word) for word in words[1:-1]]
    return " ".join([words[0], *middle, last])
