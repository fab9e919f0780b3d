"""What a source tells of who advertises a home, where it tells anything: no name, no contact.

It travels with the record to the desk, which asks the model of advertisers, and is kept
nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Told = dict[str, str | float]

TEXTS: Final = ("listing_kind", "session_country", "session_browser", "session_system",
                "advertiser_mail_domain")  # fmt: skip
# `advertiser_completeness` is 0 to 100 of the profile; the others 0 or 1.
NUMBERS: Final = ("advertiser_completeness", "advertiser_has_picture", "advertiser_is_managed",
                  "registration_possible")  # fmt: skip
_LENGTH_MAX = 80


def advertiser_of(extra: Mapping[str, str | int | float | bool | None]) -> Told:
    """What is told by the names of TEXTS and NUMBERS; empty for most sources."""
    told: Told = {}
    for name in TEXTS:
        value = extra.get(name)
        # A whole address would be a contact: only what stands behind the last @ is a domain.
        if isinstance(value, str) and value.strip():
            told[name] = value.strip().lower().rpartition("@")[2][:_LENGTH_MAX]
    for name in NUMBERS:
        value = extra.get(name)
        if isinstance(value, (int, float)):
            told[name] = float(value)
    return told
