"""The data that a page carries for its own scripts, found without building the page's tree."""

from __future__ import annotations

PAGE_BYTES_MAX = 16 * 1024 * 1024
NEXT_DATA = b"__NEXT_DATA__"

_TAG_BYTES_MAX = 300
_SAMPLE_MARK = b'name="x-aiqleads-sample"'
_TRIES_MAX = 20


def script_text(page: bytes, marker: bytes) -> bytes | None:
    """What stands inside the first script element whose tag holds the marker."""
    position = -1
    for _ in range(_TRIES_MAX):
        position = page.find(marker, position + 1)
        if position < 0:
            return None
        opening = page.rfind(b"<script", max(0, position - _TAG_BYTES_MAX), position)
        if opening < 0 or b">" in page[opening:position]:
            continue
        start = page.find(b">", position, position + _TAG_BYTES_MAX)
        end = page.find(b"</script", start)
        if 0 < start < end:
            return page[start + 1 : end]
    return None


def is_sample_page(page: bytes) -> bool:
    """Whether the page is one of the sample world's."""
    return _SAMPLE_MARK in page
