"""What sellers write in the sample world: praise, facts, and their contact in many writings."""

from __future__ import annotations

import random

from engine.intake.address_words import DIRECTIONALS
from engine.intake.contact_patterns import DIGIT_WORDS
from engine.intake.sample_world.home import Home

_OPENINGS = (
    "Come home to this bright place in a quiet part of {city}.",
    "Freshly painted and ready to move into.",
    "A well kept home close to shops, schools and the freeway.",
    "Rarely offered floor plan with afternoon light in every room.",
    "Everything within walking distance, and parking at the door.",
    "Roomy, cool in summer and looked after with care.",
)
_FEATURES = (
    "new windows", "washer and dryer", "a covered patio", "ceiling fans", "stone counters",
    "a fenced yard", "walk-in closets", "a two-car garage", "fibre internet", "a gas range",
    "vinyl plank floors", "a community pool", "extra storage", "a raised garden bed",
    "a newer roof", "a tankless water heater", "solar panels", "a reading nook",
)  # fmt: skip
_CLOSINGS = (
    "Showings by appointment in the evening.",
    "Pets are welcome with a deposit.",
    "Please have your papers ready.",
    "Open house on Saturday morning.",
    "First come, first served.",
)
_ADVANCE_FEE = (
    "I am abroad for work, so wire the deposit and my agent mails you the keys.",
    "Pay the first month by gift card to reserve, viewings are not possible now.",
    "Send the deposit by money transfer today, the lease follows by e-mail.",
)
_DIGIT_NAMES = {digit: word for word, digit in DIGIT_WORDS.items() if word != "oh"}
_LONG_DIRECTIONS = {short: long.capitalize() for long, short in DIRECTIONALS.items()}
_LONG_SUFFIXES = {
    "Ave": "Avenue", "St": "Street", "Dr": "Drive", "Rd": "Road", "Ln": "Lane", "Ct": "Court",
    "Blvd": "Boulevard", "Cir": "Circle", "Pl": "Place", "Pkwy": "Parkway", "Trl": "Trail",
}  # fmt: skip


def title_of(home: Home) -> str:
    rng = random.Random(home.text_seed)
    adjective = rng.choice(("Bright", "Quiet", "Roomy", "Updated", "Sunny", "Charming", "Corner"))
    rooms = "studio" if home.bedrooms == 0 else f"{home.bedrooms} bedroom"
    kind = {"Single Family Residence": "house", "Condominium": "condo"}.get(
        home.sub_type, home.sub_type.lower()
    )
    return f"{adjective} {rooms} {kind} in {home.city}"


def remarks_of(home: Home) -> str:
    """A few lines about the home; one of them gives the contact away, as sellers do."""
    rng = random.Random(home.text_seed)
    features = rng.sample(_FEATURES, 4)
    lines = [
        rng.choice(_OPENINGS).format(city=home.city),
        f"You get {features[0]}, {features[1]}, {features[2]} and {features[3]}.",
        f"About {home.living_area:,} sq ft, built {home.year_built}.",
        rng.choice(_CLOSINGS),
    ]
    if home.scam is not None:
        # The text of a clone is its victim's; what differs is whom to call.
        rng = random.Random(f"{home.index}/{home.person.phone}")
        if home.scam == "advance-fee":
            lines.append(rng.choice(_ADVANCE_FEE))
    lines.append(_invitation(home, rng))
    return "\n".join(lines)


def street_writing(street: str, *, style: int) -> str:
    """The street as USPS abbreviates it, or in whole words."""
    return street if style % 2 == 0 else _long_writing(street)


def unit_writing(unit: str, *, style: int) -> str:
    """The unit with one of four designators."""
    return f"{('APT ', '#', 'Unit ', 'Apt. ')[style % 4]}{unit}"


def _invitation(home: Home, rng: random.Random) -> str:
    phone, email = home.person.phone, home.person.email
    assert phone is not None
    assert email is not None
    phone = _phone_writing(phone, rng.randrange(6))
    if rng.random() < 0.3:
        email = email.replace("@", " at ").replace(".com", " dot com")
    style = rng.randrange(4)
    place = street_writing(home.street, style=style)
    if home.unit is not None:
        place = f"{place} {unit_writing(home.unit, style=style)}"
    return rng.choice(
        (
            f"Call {home.person.name} at {phone}.",
            f"Text {home.person.name}, {phone}, or write to {email}.",
            f"Write to {email} and ask for {home.person.name}.",
            f"It is at {place}. Call {phone} before you come.",
            f"{home.person.name.upper()} {phone} {email}",
        )
    )


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
