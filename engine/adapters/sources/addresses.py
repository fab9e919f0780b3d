"""What fetchers hand to a run: where a document is, and the document as fetched."""

from __future__ import annotations

import msgspec

from engine.intake.document import Document


class Address(msgspec.Struct, frozen=True):
    """Where one document is. `etag` and `last_modified` are those of the copy that was
    taken last, as the site gave them; `media_type` is what a manifest says of it."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    media_type: str | None = None


class FetchedDocument(Document, frozen=True, kw_only=True):
    """A document with what makes the next request for it conditional."""

    etag: str | None = None
    last_modified: str | None = None
