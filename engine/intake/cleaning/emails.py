"""E-mail addresses as they can be written to."""

from __future__ import annotations

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from engine.intake.cleaning.notes import noted, set_fields
from engine.intake.record import SourceRecord

# What sites and collectors print instead of an address.
_PLACEHOLDER_LOCALS = frozenset({"masked", "noreply", "no-reply", "donotreply", "do-not-reply"})
_LENGTH_MAX = 320


def clean_email(record: SourceRecord) -> SourceRecord:
    """The address with its host in lower case; none if nobody could be reached by it."""
    stated = record.contact.email
    if stated is None:
        return record
    email = email_of(stated)
    if email is None:
        return noted(record, "no-email-address", 0.9, email=None)
    return record if email == stated else set_fields(record, {"email": email})


@lru_cache(maxsize=16_384)
def email_of(stated: str) -> str | None:
    """`Jo@example.com` of `mailto:Jo@EXAMPLE.com?subject=Hi`; None of no usable address."""
    bare = stated.strip().removeprefix("mailto:").split("?", 1)[0].strip("<> \t\r\n;,")
    if len(bare) > _LENGTH_MAX or bare.partition("@")[0].lower() in _PLACEHOLDER_LOCALS:
        return None
    try:
        return validate_email(bare, check_deliverability=False).normalized
    except EmailNotValidError:
        return None
