"""Whether a title or an industry speaks of real estate, by the words that it states."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"\b(realtors?|real[ -]estate|realty|(?:listing|buyer'?s|leasing) (?:agent|consultant|manager)"
    r"|leasing (?:specialist|professional)|property (?:manager|management)|homebuilders?"
    r"|home ?builders?|mortgage|escrow officer|title officer|apartment locator"
    r"|(?:associate|managing|principal|designated) broker|broker associate)\b",
    re.I,
)
# A broker alone may deal in anything.
_BROKER = re.compile(r"\bbroker\b", re.I)
_OTHER_BROKER = re.compile(
    r"\b(insurance|stock|freight|customs|forex|energy|ship|yacht|business|commodit\w+|data"
    r"|information|crypto\w*|power|honest|knowledge|cargo|aircraft|message)[- ]+broker\b"
    r"|\bbroker[- ]?dealer\b",
    re.I,
)


def real_estate_word(*texts: str | None) -> str | None:
    """The first such word, as it is stated; None if none of the texts has one."""
    for text in texts:
        if not text:
            continue
        match = _WORDS.search(text)
        if match is None and not _OTHER_BROKER.search(text):
            match = _BROKER.search(text)
        if match is not None:
            return match[0]
    return None
