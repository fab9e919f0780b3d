"""`aiqleads models rescore`: leads judged again, after another version was promoted."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.adapters.local.effective_settings import (
    join_ray_environment,
    require,
    resolve_settings,
)
from engine.adapters.local.installation import Installation
from engine.market_directory import load_markets
from engine.settings import Settings
from serve_apps.cli.model_words import Json, answer, reported
from serve_apps.cli.models import models
from serve_apps.cli.steps import StepFailed

_SECONDS_MAX = 60.0


@models.command()
def rescore(
    market: Annotated[
        list[str] | None, typer.Option(help="Only this market; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have every lead judged again by the fraud model that is live now, in the desks' spare time;
    reviewers' decisions stand. `status` shows how many wait."""
    with reported() as steps:
        configured = Settings()
        settings = resolve_settings(configured)
        require(settings, "ray_address")
        installation = Installation.find(configured.data_dir)
        if installation is not None and not configured.ray_address:
            # Before Ray is imported: else it looks for the private one at the outward address.
            join_ray_environment(installation)
        known = list(load_markets(settings.markets_file))
        unknown = sorted({*(market or [])} - {*known})
        if unknown:
            raise ValueError(f"no market {unknown[0]!r}; there are {', '.join(known)}")
        asked = _ask(settings, market or known)
        if as_json:
            answer(asked)
        for name, count in asked.items():
            steps.say(f"{name}: {count:,} leads wait to be judged again")


def _ask(settings: Settings, markets: list[str]) -> dict[str, int]:
    """Leads that did not wait already, by market. Raises StepFailed for a desk that is away."""
    import ray
    from ray.exceptions import RayError

    from actors.cluster import NAMESPACE, connect

    connect(settings)
    try:
        desks = [ray.get_actor(f"desk:{market}", NAMESPACE) for market in markets]
        counts = ray.get([desk.rescore.remote() for desk in desks], timeout=_SECONDS_MAX)
    # ValueError is Ray's word for "no actor of this name".
    except (RayError, ValueError, TimeoutError) as error:
        raise StepFailed(
            "rescore", f"a desk does not answer: {error}", log=None, remedy="`aiqleads status`"
        ) from error
    return dict(zip(markets, counts, strict=True))
