"""`aiqleads models`: training. What is done with versions is in model_versions.py and
model_roles.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from serve_apps.cli.steps import StepFailed, Steps

models = typer.Typer(
    help="Train models, and say which version of each serves.",
    no_args_is_help=True,
)
_TABLE = "see the columns in models_ml/value/trials_table.py"


@models.command()
def train(
    name: Annotated[Literal["value"], typer.Argument(help="value: what a lead is worth.")],
    trials: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Recorded decisions, .csv or JSON lines; without, simulated on a sample world.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder for the model; without, it is only judged."),
    ] = None,
    homes: Annotated[
        int, typer.Option(min=500, max=200_000, help="Homes in the sample world.")
    ] = 12_000,
    seed: Annotated[int, typer.Option(help="Of the sample world and its buyers.")] = 11,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Train a model on decisions, and judge it on leads that it has not seen."""
    from models_ml.value import artefact
    from models_ml.value.command import recorded, simulated

    del name  # There is one so far.
    steps = Steps()
    try:
        with steps.step("training", remedy=_TABLE) as step:
            trained = recorded(trials) if trials is not None else simulated(seed, homes)
            step.detail = f"{trained.metadata.rows:,} decisions, {len(trained.model):,} bytes"
            if output is not None:
                artefact.write(output, trained.model, trained.metadata)
    except StepFailed as failure:
        steps.failed(failure)
        raise typer.Exit(1) from failure
    if as_json:
        found = {"metrics": trained.metadata.metrics, "buyer_sd": trained.metadata.buyer_sd}
        found["bins"] = [each._asdict() for each in trained.outcome.bins]
        typer.echo(json.dumps(found, indent=2))
        return
    for metric, value in trained.metadata.metrics.items():
        typer.echo(f"{metric:<22} {value:,}")
    typer.echo("chance of buying: predicted, and what was bought")
    for each in trained.outcome.bins:
        typer.echo(f"  {each.decisions:>7,}  {each.predicted:.3f}  {each.bought:.3f}")


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
