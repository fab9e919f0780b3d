"""The post parser as it is usually written: BeautifulSoup over html.parser.

The yardstick of `benchmarks.intake.parsing`. It reads the same facts from the same places
as `engine.intake.craigslist`, and answers with a plain dict.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bs4 import BeautifulSoup, Tag

_POST_ID = re.compile(r"post id:\s*(\d{5,20})")


def soup_post(page: bytes) -> dict[str, Any]:
    """The facts of a post page. Raises AttributeError on a page that is no post."""
    soup = BeautifulSoup(page, "html.parser")
    facts = _linked_data(soup)
    place = facts.get("address") or {}
    heading = soup.select_one(".postingtitletext")
    attributes = [_text(node) for node in soup.select(".attrgroup > span, .attrgroup > .attr")]
    said = " / ".join([_text(heading.select_one(".housing")), *attributes])
    point = soup.select_one("#map")
    return {
        "source_id": next(
            (m[1] for n in soup.select("p.postinginfo") if (m := _POST_ID.search(n.get_text()))),
            None,
        ),
        "title": _text(soup.select_one("#titletextonly")),
        "list_price": _number(_text(heading.select_one(".price"))),
        "bedrooms": _first(r"(\d{1,2})\s*br\b", said),
        "bathrooms": _first(r"(\d{1,2}(?:\.\d)?)\s*ba\b", said),
        "area": _first(r"(\d{1,7})\s*ft2?\b", said),
        "attributes": attributes,
        "latitude": _float(point, "data-latitude"),
        "longitude": _float(point, "data-longitude"),
        "street": place.get("streetAddress") or _text(soup.select_one("div.mapaddress")),
        "city": place.get("addressLocality"),
        "state": place.get("addressRegion"),
        "postal_code": place.get("postalCode"),
        "times": [node.get("datetime") for node in soup.select(".postinginfos time")],
        "images": len(soup.select("#thumbs a.thumb")),
        "url": (soup.select_one('link[rel="canonical"]') or {}).get("href"),
        "section": (soup.select_one(".crumb.category a") or {}).get("href"),
        "remarks": _remarks(soup.select_one("#postingbody")),
    }


def _linked_data(soup: BeautifulSoup) -> dict[str, Any]:
    node = soup.select_one("#ld_posting_data")
    data = json.loads(node.get_text()) if node is not None else {}
    return data if isinstance(data, dict) else {}


def _remarks(body: Tag) -> str:
    for node in body.select(".print-information, script, style, a.show-contact"):
        node.decompose()
    for node in body.select("br"):
        node.replace_with("\n")
    lines = (" ".join(line.split()) for line in body.get_text().split("\n"))
    return "\n".join(line for line in lines if line)


def _text(node: Tag | None) -> str:
    return " ".join(node.get_text().split()) if node is not None else ""


def _first(pattern: str, text: str) -> float | None:
    match = re.search(pattern, text, re.I)
    return float(match[1]) if match else None


def _number(text: str) -> int | None:
    digits = text.replace("$", "").replace(",", "")
    return int(digits) if digits.isdigit() else None


def _float(node: Tag | None, name: str) -> float | None:
    return float(str(node[name])) if node is not None and node.has_attr(name) else None
