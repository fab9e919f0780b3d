"""One listing out of what several records say of the same home."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.market.listing import Listing

_ALWAYS = ("quality", "fraud_flag", "sources", "is_sample")
_FIELDS = tuple(name for name in Listing.__struct_fields__ if name not in _ALWAYS)


def merge_listings(listings: Iterable[Listing]) -> Listing:
    """Field by field, the newest record that says anything; independent of the order given.

    Newest by `modification_timestamp`, then by source name. Sources add up; the quality
    is the best record's; a lead is a sample or flagged if any of its records is.
    Raises ValueError on an empty iterable.
    """
    newest_first = sorted(listings, key=_rank, reverse=True)
    if not newest_first:
        raise ValueError("no listing to merge")
    survivors = {
        name: next(
            (value for each in newest_first if (value := getattr(each, name)) is not None), None
        )
        for name in _FIELDS
    }
    return Listing(
        quality=max(each.quality for each in newest_first),
        fraud_flag=any(each.fraud_flag for each in newest_first),
        sources=tuple(sorted({source for each in newest_first for source in each.sources})),
        is_sample=any(each.is_sample for each in newest_first),
        **survivors,
    )


def _rank(listing: Listing) -> tuple[str, tuple[str, ...], bytes]:
    return (
        listing.modification_timestamp or "",
        listing.sources,
        msgspec.msgpack.encode(listing),
    )
