"""`aiqleads models train`: a new version of a served model, or the base value."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import asyncpg
import typer

from engine.adapters.local.effective_settings import NotRunning, resolve_settings
from engine.adapters.model_store import ArtefactLost
from engine.rollout.roles import Version
from engine.settings import Settings
from models_ml.served import ModelName
from serve_apps.cli.model_trainers import Made, Source
from serve_apps.cli.model_trainers import train as train_served
from serve_apps.cli.model_words import (
    Json,
    answer,
    operator,
    reported,
    with_registry,
)
from serve_apps.cli.models import models
from serve_apps.cli.steps import StepFailed, Steps
from serve_apps.scoring import registering
from serve_apps.scoring.loading import from_bytes

Trainable = Literal["value", "fraud", "advertiser", "embedder", "recommender"]
_VALUE_SEED, _VALUE_HOMES = 11, 12_000
# Which options mean something for which model.
_OPTIONS: Final[dict[Trainable, frozenset[str]]] = {
    "value": frozenset({"--trials", "--homes", "--seed"}),
    "fraud": frozenset({"--homes", "--seed", "--reviews/--no-reviews", "--note"}),
    "advertiser": frozenset({"--train", "--note"}),
    "embedder": frozenset({"--homes", "--seed", "--purchases", "--note"}),
    "recommender": frozenset({"--homes", "--seed", "--note"}),
}


@models.command()
def train(
    name: Annotated[
        Trainable,
        typer.Argument(help="A served model; or value, what a lead is worth."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the bundle to this file instead of registering it. For value a folder;"
            " without, it is only judged."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="What it is; it stands in the list.")] = "",
    homes: Annotated[
        int | None, typer.Option(min=500, max=200_000, help="Homes in each sample world.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=1, help="Of the sample world, the first of several.")
    ] = None,
    reviews: Annotated[
        bool | None,
        typer.Option(
            "--reviews/--no-reviews",
            help="fraud: learn from the installation's reviewers too. Neither: if one is up.",
        ),
    ] = None,
    purchases: Annotated[
        bool,
        typer.Option(
            "--purchases",
            help="embedder: learn from what the installation's buyers bought together, instead of"
            " simulated buyers.",
        ),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--train",
            exists=True,
            file_okay=False,
            help="advertiser: captures with the labelled table.",
        ),
    ] = None,
    trials: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="value: recorded decisions, .csv or JSON lines, instead of simulated ones.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model. It becomes a version of the installation's registry, without a role; the
    base value is written to a folder."""
    given = {
        "--trials": trials,
        "--train": folder,
        "--purchases": purchases or None,
        "--reviews/--no-reviews": reviews,
        "--homes": homes,
        "--seed": seed,
        "--note": note or None,
    }
    _check_options(name, {option for option, value in given.items() if value is not None})
    if name != "value" and output is not None and output.is_dir():
        raise typer.BadParameter(f"{output} is a folder; the bundle is one file")
    if name == "value":
        _value(trials, output, homes or _VALUE_HOMES, seed or _VALUE_SEED, as_json)
        return
    with reported() as steps:
        is_up = _is_up()
        if output is None:
            # Said before the minutes that training takes, not after.
            with_registry(_nothing)
        learns_from_reviews = name == "fraud" and (is_up if reviews is None else reviews)
        if name == "fraud" and reviews is None:
            steps.say(
                "reviewers' decisions of the installation that runs here count too"
                if is_up
                else "no installation runs here: reviewers' decisions are not among what is learnt"
            )
        source = Source(seed, homes, learns_from_reviews, purchases, folder)
        with steps.step(f"training {name}") as step:
            made = train_served(name, source, steps.say)
            step.detail = f"{len(made.bundle):,} bytes, of {made.learnt_from}"
        if output is not None:
            _write(name, made, output, as_json)
            return
        version, new = _registered(steps, name, made, note)
    _tell(version, new, as_json)


def _check_options(name: Trainable, given: set[str]) -> None:
    others = sorted(given - _OPTIONS[name])
    if others:
        raise typer.BadParameter(
            f"{', '.join(others)} means nothing for {name}; it takes "
            f"{', '.join(sorted(_OPTIONS[name] | {'--output'}))}"
        )


def _is_up() -> bool:
    return bool(resolve_settings(Settings()).database_url)


async def _nothing(_: Settings, pool: asyncpg.Pool) -> None:
    await pool.fetchval("SELECT 1")


def _registered(steps: Steps, name: ModelName, made: Made, note: str) -> tuple[Version, bool]:
    """Raises StepFailed, and then what was trained is kept beside."""
    try:
        return with_registry(
            lambda settings, pool: registering.register(
                pool,
                registering.store_of(settings),
                name,
                made.bundle,
                by=operator(),
                note=note or made.learnt_from,
            )
        )
    except (ArtefactLost, NotRunning, OSError, asyncpg.PostgresError) as error:
        sha256 = hashlib.sha256(made.bundle).hexdigest()
        kept = Settings().data_dir / f"{name}-{sha256[:12]}.model"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(made.bundle)
        raise StepFailed(
            "registering",
            str(error) or type(error).__name__,
            log=None,
            remedy=f"the bundle is kept: `aiqleads models register {name} {kept}`",
        ) from error


def _write(name: ModelName, made: Made, output: Path, as_json: bool) -> None:
    model = from_bytes(name, made.bundle)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(made.bundle)
    training, metrics = registering.told(model)
    found: dict[str, Any] = {
        "name": name,
        "file": str(output),
        "sha256": hashlib.sha256(made.bundle).hexdigest(),
        "learnt_from": made.learnt_from,
        "training_sha256": training,
        "metrics": metrics,
    }
    if as_json:
        answer(found)
        return
    typer.echo(f"{name}: {output}, sha256 {found['sha256']}")
    _tell_metrics(metrics)


def _tell(version: Version, new: bool, as_json: bool) -> None:
    if as_json:
        answer(
            {
                "name": version.name,
                "version": version.version,
                "new": new,
                "sha256": version.sha256,
                "training_sha256": version.training_sha256,
                "features": len(version.features),
                "metrics": version.metrics,
                "made_by": version.made_by,
                "note": version.note,
            }
        )
        return
    known = "" if new else ", there already: the same data make the same model"
    typer.echo(f"{version.name} version {version.version}{known}")
    _tell_metrics(version.metrics)


def _tell_metrics(metrics: dict[str, Any]) -> None:
    for metric, value in metrics.items():
        typer.echo(f"  {metric:<30} {value:,}")


def _value(trials: Path | None, output: Path | None, homes: int, seed: int, as_json: bool) -> None:
    """Train the base value on decisions, and judge it on leads that it has not seen."""
    from models_ml.value import artefact
    from models_ml.value.command import recorded, simulated

    if output is not None and output.is_file():
        raise typer.BadParameter(f"{output} is a file; the base value is written to a folder")
    steps = Steps()
    try:
        with steps.step(
            "training", remedy="see the columns in models_ml/value/trials_table.py"
        ) as step:
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
