"""The repairer that the settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.settings import Settings

if TYPE_CHECKING:
    from engine.adapters.openai.repairer import ModelRepairer, RepairCache


def repairer_for(settings: Settings, cache: RepairCache) -> ModelRepairer | None:
    """A repairer with the budget of one run; None without a key or a budget."""
    api_key = settings.openai_api_key.get_secret_value()
    if not api_key or settings.repair_tokens_per_run == 0:
        return None
    # The SDK takes most of a second to import: only installations that use it wait for it.
    from engine.adapters.openai.repairer import ModelRepairer, client_for

    return ModelRepairer(
        client_for(api_key, settings.openai_url),
        settings.openai_model,
        cache,
        tokens_max=settings.repair_tokens_per_run,
    )
