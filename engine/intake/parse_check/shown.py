"""What a post page shows where the reference looked, read as plainly as it did: evidence for
its misreadings, and no part of any parser."""

from __future__ import annotations

import json

import msgspec
from selectolax.lexbor import LexborHTMLParser


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """`attributes` are the texts under the map, `map_address` the one beside it, `beside`
    the words in brackets after the title, `data_address` the linked data's street."""

    attributes: tuple[str, ...] = ()
    map_address: str | None = None
    beside: str | None = None
    data_address: str | None = None
    has_map: bool = False
    thumbnails: int = 0


def shown_on(content: bytes) -> Shown:
    tree = LexborHTMLParser(content)
    return Shown(
        attributes=tuple(" ".join(node.text().split()) for node in tree.css("p.attrgroup span")),
        map_address=_words(tree, "div.mapbox div.mapaddress"),
        beside=_words(tree, ".postingtitletext small"),
        data_address=_data_address(tree),
        has_map=tree.css_first("div.mapbox #map") is not None,
        thumbnails=len(tree.css("#thumbs a")),
    )


def _words(tree: LexborHTMLParser, selector: str) -> str | None:
    node = tree.css_first(selector)
    return " ".join(node.text().split()) or None if node is not None else None


def _data_address(tree: LexborHTMLParser) -> str | None:
    node = tree.css_first("#ld_posting_data")
    try:
        data = json.loads(node.text()) if node is not None else None
    except (ValueError, RecursionError):
        return None
    address = data.get("address") if isinstance(data, dict) else None
    street = address.get("streetAddress") if isinstance(address, dict) else None
    return " ".join(str(street).split()) or None if street is not None else None
