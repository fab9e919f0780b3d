"""Where a text gives a way to reach somebody: phones, e-mails, links, street addresses.

Every pattern starts at a marker, has bounded repeats or possessive ones, and is tried
once per marker: the time is linear in the text, however hostile it is. All functions
take folded (lower case) text and yield (start, end) spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.intake.address_words import DIRECTIONALS, SUFFIX_SPELLINGS

Span = tuple[int, int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DIGIT_WORDS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
# The letter o among digits is a zero: 7o2.
_DIGIT_RUN = re.compile(rf"\d[\do]*+|{'|'.join(DIGIT_WORDS)}|(?<![a-z])o(?![a-z])")
# A bar separates entries of a list (ZIP codes, prices), not digits of a number.
_SEPARATOR = re.compile(r"[^a-z0-9$|]{0,6}")
_EXTENSION = re.compile(r"[\s,.;(\[-]{0,4}(?:extension|ext|x|#)[\s.:]{0,3}\d{1,6}\)?")
_SHORT_PHONE = re.compile(
    r"(?<![\d$.,/-])[2-9]\d\d\s?[-.–—]\s?\d{4}(?![\d,])(?!\s?[-/]?\s?(?:sq|sf|ft))"
)
_VANITY_PHONE = re.compile(
    r"(?<!\d)(?:1[-. ])?8(?:00|33|44|55|66|77|88)[-. ]"
    r"(?=[a-z0-9-]{0,8}[a-z])(?:[a-z0-9]-?){7}(?![a-z0-9])"
)
_COUNTRY_CODE = re.compile(r"(?:\+|00)\s?1?[-. (]{0,3}$")

_TOP_LEVEL = (
    "com|net|org|info|biz|io|edu|gov|homes|house|realtor|realestate|properties|apartments|"
    "rent|rentals|example|online|site|website|link|page|agency|estate|live|xyz|pro"
)
# Where spaces may stand around the dot, `property. Live` must not read as a host.
_SPACED_TOP_LEVEL = "com|net|org|biz|edu|gov|info|io|example"
_MAIL_HOSTS = "gmail|yahoo|hotmail|outlook|icloud|aol|protonmail|proton|msn|comcast|live|ymail|gmx"
_AT = re.compile(r"\s{0,3}(?:@|[\[({<]\s{0,2}(?:at|@)\s{0,2}[\])}>])\s{0,3}|\s{1,3}at\s{1,3}")
_DOT = r"(?:\s{0,3}[\[({<]\s{0,2}(?:dot|\.)\s{0,2}[\])}>]\s{0,3}|\s{1,3}dot\s{1,3}|\s?\.\s?)"
_HOST_WITH_TOP_LEVEL = re.compile(
    rf"[a-z0-9-]{{1,63}}(?:{_DOT}[a-z0-9-]{{1,63}}){{0,4}}?{_DOT}(?:{_SPACED_TOP_LEVEL})\b"
)
_MAIL_HOST_ALONE = re.compile(rf"(?:{_MAIL_HOSTS})\b(?:{_DOT}(?:com|net|me)\b)?")
_HOST_AFTER_AT_SIGN = re.compile(r"[^\s@,;:<>()\[\]{}\"'!?]{1,253}(?<!\.)")
_LOCAL_END = re.compile(r"[a-z0-9._%+'-]")
_LOCAL_DOT = re.compile(r"(?:\s{1,3}dot\s{1,3}|\s?[\[({]\s?dot\s?[\])}]\s?)$")

_LINK = re.compile(r"(?:https?|ftp)\s?:\s?/\s?/\s?[^\s<>\"]++|www\s?\.\s?[^\s<>\"]++")
_BARE_HOST = re.compile(r"(?<![a-z0-9.@-])[a-z0-9-]++(?:\.[a-z0-9-]++)++(?:[/?#][^\s<>\"]*+)?")
_BARE_HOST_TOP_LEVEL = re.compile(rf"\.(?:{_TOP_LEVEL})(?:[/?#]|$)|\.(?:co|us|me|ly|to|gl|tv)[/?#]")
_HANDLE = re.compile(r"(?<![^\s:(\[,;/-])@[a-z0-9_.]{3,30}")
_SPELLED_HOST = re.compile(
    rf"(?<![a-z0-9-])[a-z0-9-]{{1,63}}(?:\s{{1,3}}dot\s{{1,3}}|\s?[\[({{]\s?dot\s?[\])}}]\s?)"
    rf"(?:{_SPACED_TOP_LEVEL})\b"
)

_DIRECTION = "|".join(
    sorted({d.lower() for pair in DIRECTIONALS.items() for d in pair}, key=len, reverse=True)
)
# Suffixes that are also everyday words after a number are left to the lead's own address.
_EVERYDAY = _words(
    "br bridge brook branch center centre cent club corner est estate estates ext extension "
    "field fields forest fork ft fort garden gardens green hill hills is island lake lakes lk "
    "ml mill mount mountain mt park pine pines plain plains port pr river riv spring springs "
    "station sta sq square summit valley view village walk walks well wells wl beach bch "
    "bluff dale dl harbor landing lodge manor meadow meadows orchard passage prairie ranch "
    "ridge shore shores express falls fls gateway glen grove heights hollow junction knoll "
    "knolls annex arcade anx arc "
)
_SUFFIX = "|".join(
    sorted(
        (s.lower() for s in SUFFIX_SPELLINGS if s.lower() not in _EVERYDAY), key=len, reverse=True
    )
)
_UNIT = (
    r"(?:[\s,.]{1,3}(?:apartment|apt|unit|suite|ste|building|bldg|floor|fl|lot|space|spc|room|rm)"
    r"\b[\s.:#]{0,3}[a-z0-9-]{1,8}\b|[\s,.]{1,3}#\s?[a-z0-9-]{1,10}\b)"
)
_HOUSE_NUMBER = re.compile(r"(?<![\w$#.,/:-])\d{1,6}(?:-?[a-z])?(?:\s\d/\d)?(?=\s)")
_NAME_WORDS = r"(?:[a-z0-9'’.-]{1,30}\s{1,3})"
_NUMBERED_ROAD = (
    r"state\shighway|highway|hwy|interstate|ih|i|fm|rm|rr|sh|us|cr|county\sroad|loop"
    r"|farm\sto\smarket|ranch\sroad"
)
_STREET = re.compile(
    rf"\s{{1,3}}(?:(?:{_DIRECTION})\.?\s{{1,3}})?"
    rf"(?:(?P<name>{_NAME_WORDS}{{1,4}}?)(?:{_SUFFIX})\b\.?(?:\s{{1,3}}(?:{_DIRECTION})\b\.?)?"
    rf"|(?:avenue|ave)\s{{1,3}}[a-z]\b"
    rf"|(?:{_NUMBERED_ROAD})[\s-]{{1,2}}(?:road\s|hwy\s|highway\s)?(?:[a-z]{{1,2}}[\s-])?\d{{1,4}}[a-z]?\b)"
    rf"{_UNIT}{{0,2}}"
)
_NOT_STREET_WORDS = _words(
    "from to of the minute minutes min mins mile miles bed beds bedroom bedrooms bath baths "
    "bathroom bathrooms br ba bd sq sqft ft feet foot and or at on in with near away off "
    "block blocks car cars story stories month months year years hour hours day days per is "
    "are for a an this your our acre acres unit units square "
)


def digit_runs(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, digits) of every run of digits and every spelled-out digit."""
    for match in _DIGIT_RUN.finditer(text):
        word = match[0]
        if word[0].isdigit():
            yield match.start(), match.end(), word.replace("o", "0")
        else:
            yield match.start(), match.end(), DIGIT_WORDS.get(word, "0")


def phones(text: str) -> Iterator[Span]:
    """North American numbers in any usual writing, with country code and extension."""
    group: list[tuple[int, int, str]] = []
    for run in digit_runs(text):
        if group and not _joined(text, group[-1][1], run[0]):
            yield from _phones_in(text, group)
            group = []
        group.append(run)
    yield from _phones_in(text, group)
    for pattern in (_SHORT_PHONE, _VANITY_PHONE):
        for match in pattern.finditer(text):
            yield match.start(), _with_extension(text, match.end())


def emails(text: str) -> Iterator[Span]:
    """Addresses with @, and spelled `name at host dot com`."""
    after = 0
    for at in _AT.finditer(text):
        start = _local_part_start(text, at.start(), after)
        if start == at.start():
            continue
        end = _host_end(text, at.end(), after_at_sign=at[0] == "@")
        if end is not None:
            after = end
            yield start, after


def _host_end(text: str, start: int, *, after_at_sign: bool) -> int | None:
    """Where the host that begins at `start` ends; right after an @ anything is a host."""
    patterns = [_HOST_WITH_TOP_LEVEL, _MAIL_HOST_ALONE]
    if after_at_sign:
        patterns.append(_HOST_AFTER_AT_SIGN)
    matches = (pattern.match(text, start) for pattern in patterns)
    return max((match.end() for match in matches if match is not None), default=None)


def links(text: str) -> Iterator[Span]:
    """Web addresses, with or without scheme, `host dot com`, and @handles."""
    for match in _HANDLE.finditer(text):
        yield match.span()
    for match in _LINK.finditer(text):
        yield match.span()
    for match in _BARE_HOST.finditer(text):
        if _BARE_HOST_TOP_LEVEL.search(match[0]):
            yield match.span()
    for match in _SPELLED_HOST.finditer(text):
        yield match.span()


def street_addresses(text: str) -> Iterator[Span]:
    """House number, street name and suffix, with direction and unit where they stand."""
    for number in _HOUSE_NUMBER.finditer(text):
        street = _STREET.match(text, number.end())
        if street is not None and _is_street_name(street["name"] or ""):
            yield number.start(), street.end()


def _joined(text: str, end: int, start: int) -> bool:
    return start - end <= 6 and _SEPARATOR.fullmatch(text, end, start) is not None


def _phones_in(text: str, group: list[tuple[int, int, str]]) -> Iterator[Span]:
    first = 0
    while first < len(group):
        last = _phone_end(group, first)
        if last is None:
            first += 1
            continue
        if sum(len(run[2]) for run in group[first : last + 1]) == 11 and _is_word(
            text, group[first]
        ):
            first += 1  # `phone: 702…` ends in a one that is not the country code.
        start, end = group[first][0], group[last][1]
        code = _COUNTRY_CODE.search(text, max(0, start - 6), start)
        if code is not None:
            start = code.start()
        yield start, _with_extension(text, end)
        first = last + 1


def _is_word(text: str, run: tuple[int, int, str]) -> bool:
    return not text[run[0]].isdigit()


def _phone_end(group: list[tuple[int, int, str]], first: int) -> int | None:
    """The index of the run that completes a phone number begun at `first`, if any."""
    digits = ""
    for index in range(first, min(first + 12, len(group))):
        digits += group[index][2]
        if len(digits) > 11:
            return None
        if _is_phone(digits) and not _is_date_and_time(group, first, index):
            return index
    return None


def _is_phone(digits: str) -> bool:
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    return len(digits) == 10 and digits[0] in "23456789"


def _is_date_and_time(group: list[tuple[int, int, str]], first: int, last: int) -> bool:
    shape = [len(run[2]) for run in group[first : last + 1]]
    return shape[:3] == [4, 2, 2] and group[first][2][:2] in {"19", "20"}


def _with_extension(text: str, end: int) -> int:
    extension = _EXTENSION.match(text, end)
    return extension.end() if extension else end


def _local_part_start(text: str, end: int, after: int) -> int:
    start = end
    while start > after and _LOCAL_END.match(text[start - 1]):
        start -= 1
        if start > after:
            dot = _LOCAL_DOT.search(text, max(after, start - 9), start)
            if dot is not None and dot.start() > after:
                start = dot.start()
    return start


def _is_street_name(name: str) -> bool:
    return not any(word.strip(".'’-") in _NOT_STREET_WORDS for word in name.split())
