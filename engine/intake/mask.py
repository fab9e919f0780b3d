"""Remarks as anyone may read them: no way to reach the seller, no place to find him.

A buyer pays for the contact. What stands in a teaser, an index or an embedding has gone
through here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.intake.address import split_unit
from engine.intake.address_words import DIRECTIONALS
from engine.intake.contact_patterns import (
    Span,
    digit_runs,
    emails,
    links,
    phones,
    street_addresses,
)
from engine.intake.folded_text import WORD_RUNS, FoldedText, bare_text

MASK = "███"
_MASK_CHARACTER = MASK[0]

# A shorter value is covered only where it stands as words of its own: `Al` is not in `call`.
_INSIDE_WORDS_LENGTH_LEAST = 6
_PHONE_DIGITS = 10
_LOCAL_PHONE_DIGITS = 7
_PHONE_GAP_MAX = 16
_LOCAL_PHONE_GAP_MAX = 4
_VALUES_MAX = 64
_NEEDLE_LENGTH_MAX = 256
_NEEDLE_STEP = 192
_COORDINATES = re.compile(r"(?<![\d.])-?\d{1,3}\.\d{4,}")
_EXTENSION_MARK = re.compile(r"\s*(?:;|,|#|x|ext)")
_ADDRESS_NUMBER = re.compile(r"\d{1,7}[a-z]?\b")
_DIRECTION_FORMS = {
    form.lower(): tuple(other.lower() for other in pair)
    for pair in DIRECTIONALS.items()
    for form in pair
}


def mask_remarks(text: str, *, values: Iterable[str]) -> str:
    """The text with every way to reach somebody replaced by `MASK`.

    Covered are phones, e-mails, web and street addresses, exact coordinates, and each of
    `values` (the lead's own name, phone, e-mail, address, link), whatever the case,
    punctuation, spacing, accents or digit script in which it stands. At most the first 64
    values are used. Takes time linear in the text.
    """
    text = text.replace(_MASK_CHARACTER, " ")
    folded = FoldedText(text)
    spans = [
        folded.span(start, end) for start, end in _spans(folded.text, _known(values)) if end > start
    ]
    return _covered(text, spans)


def _known(values: Iterable[str]) -> list[str]:
    distinct = dict.fromkeys(value.strip() for value in values if value and value.strip())
    return list(distinct)[:_VALUES_MAX]


def _spans(text: str, values: list[str]) -> Iterator[Span]:
    yield from phones(text)
    yield from emails(text)
    yield from links(text)
    yield from street_addresses(text)
    for match in _COORDINATES.finditer(text):
        yield match.span()
    if not values:
        return
    runs = list(WORD_RUNS.finditer(text))
    bare = "".join([run[0] for run in runs])
    positions = [position for run in runs for position in range(run.start(), run.end())]
    for needle in dict.fromkeys(needle for value in values for needle in _needles(value)):
        yield from _value_spans(text, bare, positions, needle)
    wanted = list(dict.fromkeys(filter(None, map(_phone_digits, values))))
    if wanted:
        yield from _phone_value_spans(text, wanted)


def _needles(value: str) -> Iterator[str]:
    """The value, and the other forms in which it says the same."""
    bare = bare_text(value)
    # A very long value is looked for piece by piece, so that the search stays linear.
    yield from (bare[at : at + _NEEDLE_LENGTH_MAX] for at in range(0, len(bare), _NEEDLE_STEP))
    if len(bare) > _NEEDLE_LENGTH_MAX:
        return
    folded = FoldedText(value).text.strip()
    local, at, host = folded.partition("@")
    if at and "/" not in folded:
        yield bare_text(f"{local} at {host.replace('.', ' dot ')}")
        yield bare_text(f"{local.replace('.', ' dot ')} at {host.replace('.', ' dot ')}")
    if "://" in folded:
        rest = folded.split("://", 1)[1]
        yield bare_text(rest)
        yield bare_text(rest.removeprefix("www."))
    yield from _street_needles(folded)
    words = folded.split()
    if 2 <= len(words) <= 3 and not any(c.isdigit() or c == "@" for c in folded):
        yield bare_text(words[-1] + words[0])


def _street_needles(folded: str) -> Iterator[str]:
    """House number and name of an address value, without unit, suffix or direction."""
    number = _ADDRESS_NUMBER.match(folded)
    if number is None:
        return
    street, _unit = split_unit(folded)
    words = [word.strip(".") for word in street.split(",")[0].split()]
    if len(words) < 2:
        return
    yield bare_text(" ".join(words))
    yield bare_text(" ".join(words[:-1])) if len(words) > 2 else ""
    number_word, direction, *name = words
    if len(name) > 1 and direction in _DIRECTION_FORMS:
        for form in ("", *_DIRECTION_FORMS[direction]):
            yield bare_text(" ".join([number_word, form, *name[:-1]]))


def _value_spans(text: str, bare: str, positions: list[int], needle: str) -> Iterator[Span]:
    if not needle:
        return
    only_words = len(needle) < _INSIDE_WORDS_LENGTH_LEAST
    found = bare.find(needle)
    while found >= 0:
        start, end = positions[found], positions[found + len(needle) - 1] + 1
        if not only_words or _stands_alone(text, start, end):
            yield start, end
        found = bare.find(needle, found + 1)


def _stands_alone(text: str, start: int, end: int) -> bool:
    before = start == 0 or not text[start - 1].isalnum()
    return before and (end == len(text) or not text[end].isalnum())


def _phone_digits(value: str) -> str | None:
    """The ten digits of a value that is a phone number, without country code."""
    number = _EXTENSION_MARK.split(FoldedText(value).text, maxsplit=1)[0]
    if any(c.isalpha() or c in "@/" for c in number):
        return None
    digits = "".join(c for c in number if c.isdigit())
    if not 10 <= len(digits) <= 15:
        return None
    return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits


def _phone_value_spans(text: str, wanted: list[str]) -> Iterator[Span]:
    """The lead's own numbers, in any grouping and with anything short between the digits."""
    spelled = list(digit_runs(text))
    plain = [run for run in spelled if text[run[0]].isdigit()]
    for runs in (plain, spelled):
        stream = "".join(run[2] for run in runs)
        owner = [index for index, run in enumerate(runs) for _ in run[2]]
        for digits in wanted:
            yield from _in_stream(runs, stream, owner, digits, _PHONE_GAP_MAX)
            local = digits[-_LOCAL_PHONE_DIGITS:]
            yield from _in_stream(runs, stream, owner, local, _LOCAL_PHONE_GAP_MAX)


def _in_stream(
    runs: list[tuple[int, int, str]],
    stream: str,
    owner: list[int],
    digits: str,
    gap_max: int,
) -> Iterator[Span]:
    found = stream.find(digits)
    while found >= 0:
        first, last = owner[found], owner[found + len(digits) - 1]
        near = all(runs[i + 1][0] - runs[i][1] <= gap_max for i in range(first, last))
        if near:
            yield runs[first][0], runs[last][1]
        elif len(digits) >= _PHONE_DIGITS:
            yield from ((run[0], run[1]) for run in runs[first : last + 1])
        found = stream.find(digits, found + 1)


def _covered(text: str, spans: list[Span]) -> str:
    if not spans:
        return text
    pieces: list[str] = []
    kept_until = 0
    for start, end in sorted(spans):
        if end <= kept_until:
            continue
        if start > kept_until or not pieces:
            pieces.append(text[kept_until:start])
            pieces.append(MASK)
        kept_until = end
    pieces.append(text[kept_until:])
    return "".join(pieces)
