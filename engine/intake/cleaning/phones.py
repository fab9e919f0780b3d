"""Phone numbers in E.164, with `;ext=` where there is an extension."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from engine.intake.cleaning.notes import noted, set_fields
from engine.intake.record import SourceRecord

REGION = "US"
# What sites and collectors print instead of a number.
_PLACEHOLDERS = frozenset({"5555550100", "5555555555", "1234567890", "0000000000"})
# Ten or eleven digits in their usual grouping: nothing that would need the library to read.
_PLAIN = re.compile(r"(?:\+?1[ .-]?)?\(?([2-9]\d\d)\)?[ .-]{0,2}([2-9]\d\d)[ .-]?(\d{4})")
_FICTION = re.compile(r"[2-9]\d\d55501\d\d")
_BETWEEN_NUMBERS = re.compile(r"[/;|\n]|,(?!\s*(?:ext|x|#))|\bor\b|\band\b|&", re.I)
_EXTENSION_ALONE = re.compile(r"\s*ext=?\s*\d+", re.I)
_STATED_LENGTH_MAX = 200


def clean_phone(record: SourceRecord) -> SourceRecord:
    """The first dialable number; none of it if there is none. Equal numbers read alike."""
    stated = record.contact.phone
    if stated is None:
        return record
    number = phone_of(stated)
    if number is None:
        return noted(record, "no-dialable-phone", 0.9, phone=None)
    return record if number == stated else set_fields(record, {"phone": number})


@lru_cache(maxsize=16_384)
def phone_of(stated: str) -> str | None:
    """`+17025550123;ext=10017` of `+1 702 555 0123 ext. 10017`; None of what can't be dialled.

    Without a country code the number must be North American. Of several the first that can
    be dialled counts. 555-01XX, kept free for fiction, can; `(555) 555-0100`, by which
    numbers are masked, can't.
    """
    for part in _parts_of(stated[:_STATED_LENGTH_MAX]):
        number = _plain_number(part) or _number_by_library(part)
        if number is not None:
            return number
    return None


def _parts_of(stated: str) -> list[str]:
    """The numbers in one cell, each with its extension."""
    parts: list[str] = []
    for part in _BETWEEN_NUMBERS.split(stated):
        if parts and _EXTENSION_ALONE.fullmatch(part):
            parts[-1] = f"{parts[-1]};{part.strip()}"
        elif part.strip():
            parts.append(part)
    return parts


def _plain_number(stated: str) -> str | None:
    """Only for what the library would read alike: an area code and exchange it knows."""
    match = _PLAIN.fullmatch(stated.strip())
    if match is None:
        return None
    area, exchange, line = match.groups()
    national = f"{area}{exchange}{line}"
    if national in _PLACEHOLDERS:
        return None
    return f"+1{national}" if _is_exchange(area, exchange) or _is_fiction(national) else None


@lru_cache(maxsize=4_096)
def _is_exchange(area: str, exchange: str) -> bool:
    """Whether numbers of an area's exchange can be dialled: asked once per exchange."""
    return phonenumbers.is_valid_number(
        phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}{exchange}0123"))
    )


def _is_fiction(national: str) -> bool:
    return _FICTION.fullmatch(national) is not None


def _number_by_library(stated: str) -> str | None:
    try:
        number = phonenumbers.parse(stated, REGION)
    except phonenumbers.NumberParseException:
        return None
    national = str(number.national_number)
    if number.country_code == 1 and national in _PLACEHOLDERS:
        return None
    is_fiction = number.country_code == 1 and _is_fiction(national)
    if not is_fiction and not phonenumbers.is_valid_number(number):
        return None
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};ext={number.extension}" if number.extension else plain
