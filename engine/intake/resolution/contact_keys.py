"""Phones, e-mails and names in one writing each, so that equal ones compare equal."""

from __future__ import annotations

import re

_EXTENSION = re.compile(r"(?:;\s*ext=|\bext\b\.?|\bx|#)\s*(\d{1,7})\s*$", re.I)
_NOT_DIGIT = re.compile(r"\D+")
_NOT_LETTER = re.compile(r"[^\w]+|\d+|_")
# Area code 555 is not assigned: masked captures read (555) 555-0100.
_NO_AREA_CODE = "555"
_MASKED_EMAIL = "masked@example.com"


def phone_key(phone: str | None) -> str | None:
    """`7025550142x17` of `+1 702 555 0142 ext. 17`; None if it is no whole US number."""
    if not phone:
        return None
    match = _EXTENSION.search(phone)
    digits = _NOT_DIGIT.sub("", phone[: match.start()] if match else phone)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if len(digits) != 10 or digits.startswith(_NO_AREA_CODE):
        return None
    return f"{digits}x{match[1]}" if match else digits


def email_key(email: str | None) -> str | None:
    plain = email.strip().lower() if email else ""
    return plain if "@" in plain and plain != _MASKED_EMAIL else None


def name_key(name: str | None) -> str | None:
    """The name's words in order of the alphabet: `Abernathy, Adela` is `Adela Abernathy`."""
    words = _NOT_LETTER.sub(" ", name).lower().split() if name else []
    return " ".join(sorted(words)) or None
