"""Whether the served models are what the registry says, by their replicas' own word."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from engine.adapters.postgres import model_registry, model_watch
from engine.adapters.postgres.model_registry import Assigned
from engine.adapters.postgres.model_watch import Acknowledged
from engine.adapters.postgres.pool import open_pool
from engine.settings import Settings
from serve_apps.cli.health import Health
from serve_apps.scoring.directory import APPS


async def examine_models(settings: Settings, parts: Sequence[Health]) -> list[Health]:
    """One part per scoring application; none if models are off or the database is not well.

    An application without a live version is well: its callers know what to do without it.
    """
    if settings.models == "off" or not all(
        part.healthy for part in parts if part.part in ("postgres", "ray")
    ):
        return []
    try:
        pool = await open_pool(settings.database_url, application="status", size_max=1)
        try:
            names = [name for app in APPS.values() for name in app.models]
            assigned = await model_registry.assigned(pool, names)
            said = await model_watch.acknowledgements(pool)
        finally:
            await pool.close()
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        return [Health("models", False, str(error) or type(error).__name__)]
    return [
        _app(name, [assigned[each] for each in app.models], app.models, said)
        for name, app in APPS.items()
    ]


def _app(
    name: str,
    assigned: Sequence[Assigned],
    models: Sequence[str],
    said: Sequence[Acknowledged],
) -> Health:
    part = f"model:{name}"
    own = [each for each in said if each.name in models]
    problems = sorted({f"{each.name}: {each.problem}" for each in own if each.problem})
    if problems:
        return Health(part, False, "; ".join(problems))
    if not own:
        return Health(part, False, "no replica serves")
    words = []
    for model, meant in zip(models, assigned, strict=True):
        behind = [each for each in own if each.name == model and each.live != meant.roles.live]
        if behind:
            return Health(part, False, f"{model}: {len(behind)} replicas are behind")
        live = meant.roles.live
        words.append(f"{model} " + ("has no live version" if live is None else f"{live}"))
        if meant.roles.canary is not None:
            words[-1] += f", canary {meant.roles.canary} ({meant.roles.share:.0%})"
        if meant.roles.shadow is not None:
            words[-1] += f", shadow {meant.roles.shadow}"
    replicas = len({each.replica for each in own})
    return Health(part, True, f"{'; '.join(words)}; {replicas} replica{'s'[: replicas != 1]}")
