"""`aiqleads models`: its commands are in model_train.py, model_versions.py, model_evaluate.py,
model_drift.py and model_roles.py; here is what the base value learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serve_apps.cli.steps import StepFailed, Steps

models = typer.Typer(
    help="Train models, and say which version of each serves.",
    no_args_is_help=True,
)


@models.command()
def trials(
    output: Annotated[Path, typer.Option(dir_okay=False, help="The table, JSON lines.")],
    market: Annotated[
        list[str] | None, typer.Option(help="Only this market; may be repeated.")
    ] = None,
) -> None:
    """Write what buyers decided at which prices, out of the journal, for `train --trials`."""
    from engine.adapters.local.effective_settings import require, resolve_settings
    from engine.settings import Settings
    from serve_apps.cli.recorded_trials import write_trials

    steps = Steps()
    try:
        with steps.step("decisions", remedy="is the installation up? `aiqleads status`") as step:
            settings = resolve_settings(Settings())
            require(settings, "database_url")
            count = write_trials(settings.database_url, market or [], output)
            step.detail = f"{count:,} decisions"
    except StepFailed as failure:
        steps.failed(failure)
        raise typer.Exit(1) from failure
