"""A page of results, of any layout since 2008: its rows as thin records."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

from engine.intake.craigslist.headline import read_headline
from engine.intake.craigslist.nodes import attribute_at, first, one_line, text_at
from engine.intake.craigslist.old_post import section_of_crumbs
from engine.intake.craigslist.page import POST_ID_IN_URL, Page
from engine.intake.craigslist.result_row import Origin, ResultRow, result_record
from engine.intake.craigslist.result_table import place_of
from engine.intake.document import Parsed
from engine.intake.readings import area_of, bedrooms_of, coordinates_of, price_of
from engine.intake.record import Rejected

ROWS_MAX = 10_000

_BEDROOMS = re.compile(r"(\d{1,2})\s*br\b", re.I)
_AREA = re.compile(r"(\d[\d,]{0,9})\s*(?:ft2?\b|ft²)", re.I)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.{0,12})?")


class _Layout(msgspec.Struct, frozen=True):
    """Where a row of this layout keeps what."""

    row: str
    link: str
    title: str
    price: str
    size: str
    place: str


# From 2014, from 2023 with scripts, from 2023 without.
_LAYOUTS = (
    _Layout(
        "li.result-row", "a.result-title", "a.result-title", ".result-price", ".housing",
        ".result-hood",
    ),
    _Layout(
        ".cl-search-result", "a[href]", ".posting-title, .title", ".priceinfo, .price",
        ".housing-meta, .meta", ".result-location, .location",
    ),
    _Layout(
        "li.cl-static-search-result", "a[href]", ".title", ".price", ".housing", ".location"
    ),
)  # fmt: skip


def is_result_page(tree: LexborHTMLParser) -> bool:
    return (
        tree.css_first("body.toc, #searchform, " + ", ".join(x.row for x in _LAYOUTS)) is not None
    )


def read_results(page: Page) -> Iterator[Parsed]:
    """A record of each row that offers property, each post once.

    A page none of whose rows does is refused whole, as `not-property`, `wanted`,
    `unknown-section` or `no-results`; else the other rows one by one.
    """
    origin = Origin(
        url=page.url,
        digest=page.digest,
        fetched_at=page.fetched_at,
        licence=page.licence,
        section=section_of_crumbs(page.tree),
    )
    found = [result_record(row, origin) for row in _rows(page)]
    if not found:
        yield page.rejected("no-results", f"no rows; its section is {origin.section}")
        return
    reasons = {each.reason if isinstance(each, Rejected) else "" for each in found}
    if len(reasons) == 1 and reasons <= {"not-property", "wanted", "unknown-section"}:
        yield page.rejected(reasons.pop(), f"none of {len(found)} rows offers property")
        return
    yield from found


def _rows(page: Page) -> Iterator[ResultRow]:
    seen: set[str] = set()
    for row in _all_rows(page):
        if row.href not in seen:
            seen.add(row.href)
            yield msgspec.structs.replace(row, is_sample=page.is_sample)


def _all_rows(page: Page) -> Iterator[ResultRow]:
    for layout in _LAYOUTS:
        nodes = page.tree.css(layout.row)
        if nodes:
            yield from (_row(node, layout) for node in _side_by_side(nodes, page))
            return
    for node in _side_by_side(page.tree.css("p"), page):
        links = [a for a in node.css("a[href]") if _leads_to_post(a) and a.text().strip()]
        if links:
            yield _old_row(node, links[-1])


def _side_by_side(nodes: list[LexborNode], page: Page) -> Iterator[LexborNode]:
    """The nodes, until they are longer together than the page: rows of a list do not stand
    in each other, and those that do would each be searched to the page's end."""
    left = 2 * len(page.text)
    for node in nodes[:ROWS_MAX]:
        left -= len(node.html or "")
        if left < 0:
            return
        yield node


def _leads_to_post(link: LexborNode) -> bool:
    return POST_ID_IN_URL.search(link.attributes.get("href") or "") is not None


def _row(node: LexborNode, layout: _Layout) -> ResultRow:
    size = text_at(node, layout.size) or ""
    shown = attribute_at(node, "time", "datetime") or ""
    return ResultRow(
        href=attribute_at(node, layout.link, "href") or "",
        title=text_at(node, layout.title) or "",
        price=price_of(text_at(node, layout.price)),
        bedrooms=bedrooms_of(first(_BEDROOMS, size)),
        area=area_of(first(_AREA, size)),
        place=place_of(text_at(node, layout.place)),
        shown_at=shown if _MOMENT.fullmatch(shown) else None,
        repost_of=(node.attributes.get("data-repost-of") or "").strip() or None,
    )


def _old_row(node: LexborNode, link: LexborNode) -> ResultRow:
    """Until 2013: `<p>Mar 15 - <a>Title - $25 -</a> $25<font>(place)</font></p>`. The day
    has no year, so it is left out."""
    line = one_line(link.text())
    header = text_at(node, ".itemph")
    headline = read_headline(f"{header} {line}", line) if header else read_headline(line)
    latitude, longitude = coordinates_of(
        node.attributes.get("data-latitude"), node.attributes.get("data-longitude")
    )
    beside = one_line(node.text()).partition(line)[2] if headline.price is None else ""
    return ResultRow(
        href=link.attributes.get("href") or "",
        title=headline.title or line,
        price=headline.price or price_of(first(re.compile(r"^\W*\$(\d[\d,]*)"), beside)),
        bedrooms=headline.bedrooms,
        area=headline.area,
        place=place_of(text_at(node, "font")) or headline.place,
        latitude=latitude,
        longitude=longitude,
    )
