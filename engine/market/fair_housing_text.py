"""Which words a text that selects leads by itself may not hold.

A standing order buys without anyone reading. Words that only tell of people are refused
wherever they stand, also behind a minus. Words that tell of homes too (a white kitchen, a
Spanish roof) are refused beside a word for people or a place: `white area`, `families only`.
ZIP codes are refused when they exclude or when there are several.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from engine.market.fair_housing import RULES, Refusal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# By rule; a phrase is joined by `_`.
_TELLING: dict[str, frozenset[str]] = {
    "race-or-colour": _words(
        "caucasian caucasians hispanic hispanics hispano hispanos latino latinos latina latinas"
        " latinx african_american african_americans ethnic ethnicity racial minority minorities"
        " asians blacks whites people_color"
    ),
    "religion": _words(
        "christian christians cristiano cristianos catholic catholics protestant protestants"
        " muslim muslims musulman musulmanes islamic jewish jews judio judios hindu hindus"
        " buddhist buddhists mormon mormons mosque mosques synagogue synagogues religion religious"
    ),
    "sex": _words(
        "females males women men gender lesbian lesbians gay gays lgbt lgbtq transgender"
    ),
    "familial-status": _words(
        "children childless childfree child_free kids kid ninos toddler toddlers pregnant"
    ),
    "national-origin": _words(
        "immigrant immigrants inmigrantes foreigner foreigners refugee refugees nationality"
        " mexicans national_origin citizens"
    ),
    "disability": _words("disabled disability disabilities discapacitados wheelchair_users"),
    "age": _words("elderly seniors ancianos retirees millennials"),
    "marital-status": _words("married unmarried divorce divorced divorcee divorcees widow widows"),
    "source-of-income": _words("voucher vouchers welfare section_8 section8 food_stamps"),
    "language": _words("bilingual english_speaking spanish_speaking"),
    "schools": _words("school schools isd escuela escuelas"),
    "census": _words("census demographic demographics diversity diverse segregated"),
    "crime": _words("crime crimes gang gangs"),
}
_AMBIGUOUS: dict[str, frozenset[str]] = {
    "race-or-colour": _words("white black asian african brown colored coloured"),
    "religion": _words("church temple parish faith"),
    "sex": _words("male female man woman bachelor bachelors"),
    "familial-status": _words("family families child parent parents"),
    "national-origin": _words("foreign mexican chinese indian american native"),
    "disability": _words("handicap handicapped impaired wheelchair"),
    "age": _words("senior mature older young adult adults"),
    "marital-status": _words("single singles couple couples"),
    "language": _words("english spanish"),
    "crime": _words("safe unsafe"),
}
_PEOPLE_OR_PLACE = _words(
    "area areas neighborhood neighborhoods neighbourhood neighbourhoods community communities"
    " district districts people folks persons person owner owners seller sellers tenant tenants"
    " resident residents families occupant occupants household households buyer buyers only welcome"
    " preferred"
)
# Kinds of homes, not of people; they are read as one word.
_KINDS = re.compile(r"\b(single|multi|two|one)[ -]+famil(y|ies)\b")
_JOINING = _words("of for in the and or a an with to by")
_WORD = re.compile(r"[a-z0-9]+")
_ZIP = re.compile(r"(?<![0-9])(-?)\s*\"?([0-9]{5})(?:-[0-9]{4})?(?![0-9])")
_BY_NAME = {rule.name: rule for rule in RULES}
_SELECTS = "text that buys by itself may not select by people"


def refused_text(text: str) -> Refusal | None:
    """Why a text may not select leads by itself; None if it may. At most 200 characters are
    a search's."""
    plain = _plain(text)
    words = [word for word in _WORD.findall(_KINDS.sub("kind", plain)) if word not in _JOINING]
    pairs = [f"{a}_{b}" for a, b in itertools.pairwise(words)]
    for said in (*words, *pairs):
        for rule, telling in _TELLING.items():
            if said in telling:
                return _refusal(rule, said)
    for one, other in itertools.pairwise(words):
        for word, beside in ((one, other), (other, one)):
            if beside in _PEOPLE_OR_PLACE:
                for rule, ambiguous in _AMBIGUOUS.items():
                    if word in ambiguous:
                        return _refusal(rule, f"{one}_{other}")
    zips = _ZIP.findall(plain)
    if len({number for _, number in zips}) > 1 or any(minus for minus, _ in zips):
        return _refusal("place-lists", "zip_codes")
    return None


def _refusal(rule: str, said: str) -> Refusal:
    known = _BY_NAME[rule]
    shown = said.replace("_", " ")
    message = f"`{shown}` is refused by the fair-housing rule {rule}: {known.because}"
    return Refusal(rule, f"{message}, and {_SELECTS}; {known.instead}")


def _plain(text: str) -> str:
    """Lower case without accents; full-width letters and the like are what they look like."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
