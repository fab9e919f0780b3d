"""Any document of the site: told apart by what it holds, not by where it came from."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from engine.intake.charset import decoded
from engine.intake.craigslist.nodes import one_line
from engine.intake.craigslist.old_post import is_old_post, read_old_post
from engine.intake.craigslist.page import DETAIL_LENGTH_MAX, SOURCE, Page
from engine.intake.craigslist.post import is_post, read_post
from engine.intake.craigslist.result_page import is_result_page, read_results
from engine.intake.craigslist.result_table import read_table
from engine.intake.document import Document, Parsed
from engine.intake.readings import content_hash
from engine.intake.record import Rejected, SourceRecord

PAGE_BYTES_MAX = 4 * 1024 * 1024
_LOOKED_AT_BYTES = 2048

_END_STATES = (
    ("expired", "this posting has expired"),
    ("deleted", "this posting has been deleted by its author"),
    ("flagged", "this posting has been flagged for removal"),
)


def parse(document: Document) -> Iterator[Parsed]:
    """The records of a post page, a page of results or a table of results.

    Pages are refused as `empty-page`, `page-too-large`, `expired`, `deleted`, `flagged`,
    `site-list`, `no-results`, `unknown-layout`; posts as `no-post-id`, `no-title`,
    `wanted`, `not-property`, `unknown-section`; tables as `csv_records` says. Never raises
    on any bytes.
    """
    if _is_table(document.content):
        yield from read_table(document)
        return
    page = _page(document)
    if isinstance(page, Rejected):
        yield page
    elif is_post(page.tree):
        yield read_post(page)
    elif (ended := _end_state(page)) is not None:
        yield ended
    elif is_old_post(page.tree):
        yield read_old_post(page)
    elif is_result_page(page.tree):
        yield from read_results(page)
    else:
        yield _unknown(page)


def parse_post(page: bytes, *, url: str) -> SourceRecord | Rejected:
    """The one record of a post page, or why there is none: `not-a-post` for other pages."""
    found = next(iter(parse(Document(url=url, content=page))), None)
    if isinstance(found, SourceRecord) and not found.extra.get("result_row"):
        return found
    if isinstance(found, Rejected):
        return found
    return Rejected(
        source=SOURCE, source_id=None, reason="not-a-post", detail=url[:DETAIL_LENGTH_MAX]
    )


def _is_table(content: bytes) -> bool:
    """Text without a tag near its beginning, and with a comma: a page has the one always."""
    head = content[:_LOOKED_AT_BYTES]
    first_line = head.split(b"\n", 1)[0]
    return b"<" not in first_line and b"," in first_line and b"url" in first_line.lower()


def _page(document: Document) -> Page | Rejected:
    content, digest = document.content, content_hash(document.content)
    reason = detail = ""
    if not content.strip():
        reason, detail = "empty-page", "the page has no content"
    elif len(content) > PAGE_BYTES_MAX:
        reason, detail = "page-too-large", f"{len(content)} bytes, at most {PAGE_BYTES_MAX}"
    text, doubt = ("", None) if reason else decoded(content, document.charset)
    page = Page(
        url=document.url,
        tree=LexborHTMLParser(text),
        text=text,
        digest=digest,
        doubt=doubt,
        fetched_at=document.fetched_at,
        licence=document.licence,
    )
    return page.rejected(reason, detail) if reason else page


def _end_state(page: Page) -> Rejected | None:
    """A post that is no more says so in place of its text."""
    if page.tree.css_first("#userbody, #postingbody") is not None:
        return None
    body = page.tree.body
    said = one_line(body.text(separator=" "))[:2000].lower() if body is not None else ""
    for reason, phrase in _END_STATES:
        if phrase in said:
            return page.rejected(reason, phrase)
    return None


def _unknown(page: Page) -> Rejected:
    if page.tree.css_first("#list a, .geo-site-list a, .colmask a") is not None:
        return page.rejected("site-list", "a list of the site's cities")
    return page.rejected("unknown-layout", "neither a post nor results of a known layout")
