"""Realtor.com's addresses of pages: they hold the home's id and place."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from engine.intake.readings import text_of

SOURCE = "realtor"
_SITE = "https://www.realtor.com"
_DETAIL = "/realestateandhomes-detail/"
# `M28587-95656` is a home, `P417000824059` a builder's plan.
_ID = re.compile(r"[MP](\d{3,15})(?:-(\d{3,15}))?")


class Slug(msgspec.Struct, frozen=True):
    """The parts of `1288-Howard-St-Apt-108_San-Francisco_CA_94103_M94053-95105`."""

    street: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    home_id: str | None


def slug_of(cell: object) -> Slug | None:
    """What a page's address says, None if it is of another form."""
    text = text_of(cell)
    if text is None or len(text) > 2_000:
        return None
    path = text.partition("?")[0].partition("#")[0].rstrip("/")
    *before, city, state, postal_code, last = ["", "", "", "", *path.rpartition("/")[2].split("_")]
    match = _ID.fullmatch(last)
    if match is None:
        return None
    street = _spaced(before[-1])
    return Slug(street, _spaced(city), state, postal_code, f"{match[1]}{match[2] or ''}")


def page_url(cell: object) -> str | None:
    """The whole address of a home's page from itself, its path or its last part."""
    text = text_of(cell)
    if text is None or len(text) > 1_900:
        return None
    if text.startswith(("https://", "http://")):
        return text
    if text.startswith(_DETAIL):
        return f"{_SITE}{text}"
    return f"{_SITE}{_DETAIL}{text}" if "/" not in text and " " not in text else None


def _spaced(part: str) -> str | None:
    return text_of(unquote(part).replace("-", " "))
