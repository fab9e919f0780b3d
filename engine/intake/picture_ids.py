"""What a source calls a picture, whatever size of it a page shows.

The same file on another page of the source has the same name, so the name tells that a picture
was used again, and the picture itself need not be fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

PICTURES_MAX: Final = 24
_URL_LENGTH_MAX = 2_000
_LENGTH_MAX = 200
_ENDING = re.compile(r"\.[a-z0-9]{1,5}$", re.I)
# `_600x450`, `-1024x768`, `-cc_ft_960`, `-p_e`, `_n`.
_SIZE = re.compile(r"(?:[_-]\d{2,4}x\d{2,4}c?|-cc_ft_\d{1,4}|-p_[a-z]|-uncropped_[a-z0-9_]{1,30})$")
# A name that says nothing of the picture: the same on every listing.
_NO_ID = re.compile(r"(?:image|img|photo|picture|default|blank|no[-_]?(?:image|photo)|\d{1,4})?")


def picture_id(url: str) -> str | None:
    """`00k0k_abc` of `https://images.example/00k0k_abc_600x450.jpg?x=1`; None without one."""
    path = url[:_URL_LENGTH_MAX].partition("?")[0].partition("#")[0].rstrip("/")
    name = _ENDING.sub("", path.rpartition("/")[2].rpartition(":")[2])
    name = _SIZE.sub("", name)[:_LENGTH_MAX]
    return None if _NO_ID.fullmatch(name.lower()) else name


def picture_ids(urls: Iterable[object]) -> tuple[str, ...]:
    """The ids of the first 24 pictures that have one, each once; what is no text is skipped."""
    found: dict[str, None] = {}
    for url in urls:
        known = picture_id(url) if isinstance(url, str) else None
        if known is not None:
            found[known] = None
        if len(found) == PICTURES_MAX:
            break
    return tuple(found)
