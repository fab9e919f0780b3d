"""Channels of the feed, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiqleads.client.feed.frames import USER_CHANNEL


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel to follow. `since` is the last number of a market that is known already;
    `filter` lets through only leads of which all is true that a search would ask for.

    Without `resumes` a market begins anew with a snapshot after every break, even where what
    was missed could follow.
    """

    name: str
    since: int | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = True


USER = Channel(USER_CHANNEL)
"""What is this buyer's own."""


def market(
    market: str,
    *,
    since: int | None = None,
    filter: Mapping[str, Any] | None = None,
    resumes: bool = True,
) -> Channel:
    """A market's events: after a snapshot, or after number `since`."""
    return Channel(f"market:{market}", since, filter or {}, resumes)


def prices(market: str, *, filter: Mapping[str, Any] | None = None) -> Channel:
    """A market's price ticks."""
    return Channel(f"prices:{market}", None, filter or {})


def of_view(
    market_slug: str, with_prices: bool, filter: Mapping[str, Any] | None
) -> tuple[Channel, ...]:
    """What keeps a view up to date. Ticks are asked for first, so that none is missed after
    the snapshot; and as those of a break never come, the snapshot is then taken anew."""
    if not with_prices:
        return (market(market_slug, filter=filter),)
    return prices(market_slug, filter=filter), market(market_slug, filter=filter, resumes=False)


def market_of(name: str) -> str:
    return name.partition(":")[2]


def is_numbered(name: str) -> bool:
    """Whether a channel's messages are numbered without gap, so that what was missed can
    follow."""
    return name.startswith("market:")
