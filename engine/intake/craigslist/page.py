"""One fetched page: its tree, its text, and how something in it is refused."""

from __future__ import annotations

import re

import msgspec
from selectolax.lexbor import LexborHTMLParser

from engine.intake.craigslist.sections import refusal
from engine.intake.record import FieldNote, Rejected

SOURCE = "craigslist"
DETAIL_LENGTH_MAX = 500

_SAMPLE_MARK = 'name="x-aiqleads-sample"'
POST_ID_IN_URL = re.compile(r"/(?:d/[^/]{0,300}/)?(\d{5,20})\.html(?:[?#]|$)")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`doubt` is the rule by which its bytes became text where that is not certain."""

    url: str
    tree: LexborHTMLParser
    text: str
    digest: str
    doubt: str | None = None
    fetched_at: str | None = None
    licence: str = "public"

    @property
    def id_in_url(self) -> str | None:
        match = POST_ID_IN_URL.search(self.url)
        return match[1] if match else None

    @property
    def is_sample(self) -> bool:
        """Whether the sample world made it."""
        return _SAMPLE_MARK in self.text

    def rejected(self, reason: str, detail: str, source_id: str | None = None) -> Rejected:
        return Rejected(
            source=SOURCE,
            source_id=source_id or self.id_in_url,
            reason=reason,
            detail=f"{self.url}: {detail}"[:DETAIL_LENGTH_MAX],
            content_hash=self.digest,
        )

    def refused_section(self, section: str | None, source_id: str | None) -> Rejected | None:
        refused = refusal(section)
        return None if refused is None else self.rejected(*refused, source_id)

    def text_notes(self, *fields: str) -> dict[str, FieldNote]:
        """Notes that text may be misspelt, if the page's bytes were in doubt."""
        if self.doubt is None:
            return {}
        return {field: FieldNote(self.doubt, 0.6) for field in fields}
