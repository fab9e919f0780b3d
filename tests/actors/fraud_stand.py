"""A desk whose model says what the test says, and what buyers see of its leads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.intake_desk import IntakeDesk
from actors.judging import LeadJudge
from actors.models import ModelUnavailable, Scored
from engine.adapters.postgres import search
from engine.adapters.postgres.fraud_scores import Word
from engine.adapters.redis import feed_stream
from tests.actors.trading_house import TradingHouse

HONEST, ODD, SCAM = 0.02, 0.6, 0.97


class Model:
    """A scorer that answers `probability` by `version` of every lead, or does as it is told."""

    def __init__(self, probability: float = HONEST) -> None:
        self.probability = probability
        self.version = 3
        self.away = self.hangs = False
        self.asked: list[NDArray[np.float32]] = []
        self.advertisers: list[dict[int, Any]] = []
        self.answer: Scored | None = None

    async def score(
        self,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Any],
    ) -> Scored:
        assert len(lead_ids) == len(features)
        self.asked.append(features)
        self.advertisers.append(dict(advertisers))
        if self.away:
            raise ModelUnavailable("fraud is not there")
        if self.hangs:
            await asyncio.Event().wait()
        if self.answer is not None:
            return self.answer
        count = len(lead_ids)
        reasons = [["its price"] if self.probability > 0.5 else [] for _ in lead_ids]
        return Scored([self.version] * count, [self.probability] * count, reasons)


def judged_by(model: Model | None, house: TradingHouse, **options: Any) -> IntakeDesk:
    options = {"timeout": 0.2, "pause": 0.0, **options}
    return IntakeDesk(house.market, house.database_url, house.client, LeadJudge(model, **options))


def word(decision: Any, reason: str = "called them", is_scam: bool | None = None) -> Word:
    said = {"approved": False, "rejected": True}.get(decision) if is_scam is None else is_scam
    return Word(decision=decision, by="admin", reason=reason, is_scam=said)


async def score_of(house: TradingHouse, lead_id: str) -> asyncpg.Record:
    return await house.pool.fetchrow("SELECT * FROM fraud_scores WHERE lead_id = $1", lead_id)


async def only_lead(house: TradingHouse) -> str:
    (row,) = await house.pool.fetch(
        "SELECT lead_id FROM leads WHERE market = $1 AND merged_into IS NULL", house.market
    )
    return row[0]


async def state(house: TradingHouse, lead_id: str) -> tuple[str, bool]:
    """The lead's state, and its flag."""
    return tuple(
        await house.pool.fetchrow(
            "SELECT lead_state, fraud_flag FROM leads JOIN lead_trading USING (lead_id)"
            " WHERE lead_id = $1",
            lead_id,
        )
    )


async def told(house: TradingHouse) -> list[tuple[str, str, bool]]:
    """What the feed has told of leads: (type, lead, flag if it was told)."""
    async with house.redis() as client:
        events = [
            event
            for _, fields in await client.xrange(feed_stream.feed_key(house.market))
            for event in msgspec.json.decode(fields[b"events"])
        ]
    return [
        (each["type"], each["lead"]["lead_id"], each["lead"].get("fraud_flag", False))
        for each in events
    ]


async def is_visible(house: TradingHouse, lead_id: str) -> bool:
    """Whether buyers can see the lead at all; if it is on offer, a search finds it too."""
    found = await search.one(house.pool, lead_id)
    assert (found is not None) == (lead_id in await search.some(house.pool, [lead_id]))
    page = await search.leads(house.pool, search.Search(market=house.market), limit=200)
    is_found = any(each["lead_id"] == lead_id for each in page.items)
    assert is_found == (found is not None and found["lead_state"] in ("available", "held"))
    return found is not None
