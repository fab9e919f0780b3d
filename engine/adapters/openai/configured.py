"""The repairer that the settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.settings import Settings

if TYPE_CHECKING:
    from engine.adapters.openai.repairer import ModelRepairer, RepairCache


def repairer_for(
    settings: Settings, cache: RepairCache, *, tokens_max: int | None = None
) -> ModelRepairer | None:
    """A repairer with the budget of one run, or what is left of it; None without a key or a
    budget. Call its `close` when it is done."""
    api_key = settings.openai_api_key.get_secret_value()
    budget = settings.repair_tokens_per_run if tokens_max is None else tokens_max
    if not api_key or budget <= 0:
        return None
    # The SDK takes most of a second to import: only installations that use it wait for it.
    from engine.adapters.openai.repairer import ModelRepairer, client_for

    return ModelRepairer(
        client_for(api_key, settings.openai_url),
        settings.openai_model,
        cache,
        tokens_max=budget,
    )
