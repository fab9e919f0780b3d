"""`aiqleads watch MARKET`: the public feed of a market, line by line, for as long as wanted.

The client takes a broken connection up again where it ended; what is left to do here is to
say what comes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from aiqleads.client import AsyncClient
from aiqleads.client.errors import ClientError, Unauthorized
from aiqleads.client.feed.channels import market
from aiqleads.client.feed.messages import FeedMessage, LeadEvent, Snapshot


class WatchRefused(RuntimeError):
    """The server will not let us watch, and asking again would not help."""


async def events(
    client: AsyncClient, market_slug: str, since: int | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Events of one market as dicts, with `kind` `snapshot` or `event`; `since` is the last
    number seen. Never ends by itself.

    Raises WatchRefused on bad credentials or an unknown market.
    """
    channel = market(market_slug, since=since)
    try:
        async with client.feed(channel) as feed:
            async for message in feed:
                for item in items_of(message):
                    yield item
    except Unauthorized as error:
        raise WatchRefused(f"can't log in: {error}") from error
    except ClientError as error:
        raise WatchRefused(f"{channel.name}: {error}") from error


def items_of(message: FeedMessage) -> list[dict[str, Any]]:
    """One dict per lead of a snapshot, or the event."""
    match message:
        case Snapshot(seq=seq, leads=leads):
            return [
                {
                    "kind": "snapshot",
                    "seq": seq,
                    "last": number == len(leads),
                    "lead": msgspec.to_builtins(lead),
                }
                for number, lead in enumerate(leads, start=1)
            ]
        case LeadEvent():
            said = msgspec.to_builtins(message)
            told = ("seq", "type", "at", "lead") + ("claims",) * (message.claims is not None)
            return [{"kind": "event", **{name: said[name] for name in told}}]
    return []


async def lines(items: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[str, None]:
    """The feed for the eye: a snapshot in one line, then a line an event."""
    leads = 0
    async for item in items:
        if item["kind"] == "event":
            yield line_of(item)
            continue
        leads += 1
        if item["last"]:
            yield f"{'':8} #{item['seq']:<8} {leads:,} leads available or held; from here on:"
            leads = 0


def line_of(item: dict[str, Any]) -> str:
    """One event for the eye."""
    lead = item["lead"]
    seats = f"{lead['seats_left']}/{lead['max_buyers']} seats"
    place = " ".join(str(lead[name]) for name in ("city", "postal_code") if lead.get(name))
    return (
        f"{item['at'][11:19]:8} #{item['seq']:<8} {item['type']:16} "
        f"{lead['price']:>6} credits  {lead['lead_state']:11} {seats:10} {lead['lead_id']}  {place}"
    ).rstrip()
