"""Reading text out of a page's nodes."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode


def one_line(text: str) -> str:
    return " ".join(text.split())


def first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def text_at(tree: LexborHTMLParser | LexborNode | None, selector: str) -> str | None:
    """The first such node's text on one line, None if there is none or it is blank."""
    node = tree.css_first(selector) if tree is not None else None
    return one_line(node.text()) or None if node is not None else None


def attribute_at(
    tree: LexborHTMLParser | LexborNode | None, selector: str, attribute: str
) -> str | None:
    """The first such node's attribute, None if there is none or it is blank."""
    node = tree.css_first(selector) if tree is not None else None
    return (node.attributes.get(attribute) or "").strip() or None if node is not None else None
