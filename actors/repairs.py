"""A task's share of what the model may be asked in a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.adapters.openai.configured import repairer_for
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.repairs import RepairAnswers
from engine.intake.record import SourceRecord
from engine.intake.repair import repair_all
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.adapters.openai.repairer import ModelRepairer


class Repairs:
    """Repairs records within a budget. Without a repairer it gives them back as they are."""

    def __init__(self, repairer: ModelRepairer | None, *, sends_contact: bool) -> None:
        self._repairer = repairer
        self._sends_contact = sends_contact

    @property
    def tokens_left(self) -> int:
        return 0 if self._repairer is None else self._repairer.tokens_left

    async def repaired(self, records: Sequence[SourceRecord]) -> list[SourceRecord]:
        return await repair_all(records, self._repairer, sends_contact=self._sends_contact)


@asynccontextmanager
async def open_repairs(settings: Settings, tokens_max: int) -> AsyncIterator[Repairs]:
    """Repairs of at most `tokens_max` tokens, none without a key."""
    if not settings.openai_api_key.get_secret_value() or tokens_max <= 0:
        yield Repairs(None, sends_contact=False)
        return
    pool = await open_pool(settings.database_url, application="repairs", size_max=2)
    try:
        repairer = repairer_for(settings, RepairAnswers(pool), tokens_max=tokens_max)
        assert repairer is not None
        try:
            yield Repairs(repairer, sends_contact=settings.repair_sends_contact)
        finally:
            await repairer.close()
    finally:
        await pool.close()
