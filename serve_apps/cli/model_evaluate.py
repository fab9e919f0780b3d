"""`aiqleads models evaluate`: how a version does now on data that it is judged by."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.adapters.local.effective_settings import resolve_settings
from engine.adapters.model_store import SIZE_BYTES_MAX
from engine.adapters.postgres import model_evaluations
from engine.adapters.postgres.model_evaluations import Evaluation
from engine.rollout.roles import Version
from engine.settings import Settings
from models_ml.artefact import bounded
from models_ml.served import Served
from serve_apps.cli.model_judges import Against, Judged, judge
from serve_apps.cli.model_words import Json, Name, answer, operator, reported, with_registry
from serve_apps.cli.models import models
from serve_apps.scoring import operations, registering
from serve_apps.scoring.loading import from_bytes, from_store

_TIMED = 20


@models.command()
def evaluate(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Without: the live one.")] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A bundle instead.")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Score and time the known example alone.")
    ] = False,
    homes: Annotated[
        int | None, typer.Option(min=500, max=200_000, help="Homes in the sample world.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=1, help="Of the sample world; never one of the training.")
    ] = None,
    reviews: Annotated[
        bool | None,
        typer.Option(
            "--reviews/--no-reviews",
            help="fraud: also by the installation's reviewers. Neither: if one is up.",
        ),
    ] = None,
    captures: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="advertiser: captures with the labelled table."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge a version by data that it was not made of, and keep what came of it."""
    if file is not None and version is not None:
        raise typer.BadParameter("name a version, or a bundle by --file")
    with reported() as steps:
        entered, model = _found(name, version, file)
        shown = known_example(model)
        judged: list[Judged] = []
        if not example:
            by_reviews = _is_up() if reviews is None else reviews
            against = Against(seed, homes, name == "fraud" and by_reviews, captures)
            with steps.step(f"judging {name}") as step:
                judged = judge(name, model, against, steps.say)
                step.detail = "; ".join(each.data for each in judged)
        if entered is not None:
            _keep(entered, judged)
        shown["version"] = None if entered is None else entered.version
        shown["evaluations"] = [each._asdict() for each in judged]
    if as_json:
        answer(shown)
    else:
        _tell(shown, judged)


def known_example(model: Served) -> dict[str, Any]:
    """What the model says of itself, and how long it takes for its known example. Raises
    Unusable."""
    times = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        model.check()
        times.append((time.perf_counter() - started) * 1e3)
    training, metrics = registering.told(model)
    return {
        "schema": model.schema,
        "features": len(model.features),
        "known_example": "as it should be",
        "known_example_ms": round(sorted(times)[len(times) // 2], 3),
        "training_sha256": training,
        "metrics": metrics,
    }


def _found(name: Name, version: int | None, file: Path | None) -> tuple[Version | None, Served]:
    if file is not None:
        return None, from_bytes(name, bounded(file, SIZE_BYTES_MAX))
    entered = with_registry(lambda _, pool: operations.find_or_live(pool, name, version))
    return entered, from_store(entered)


def _is_up() -> bool:
    return bool(resolve_settings(Settings()).database_url)


def _keep(entered: Version, judged: list[Judged]) -> None:
    for each in judged:
        made = Evaluation(
            entered.name, entered.version, each.data, each.rows, each.metrics, each.note,
            operator(),
        )  # fmt: skip
        with_registry(lambda _, pool, made=made: model_evaluations.keep(pool, made))


def _tell(shown: dict[str, Any], judged: list[Judged]) -> None:
    for key, value in shown.items():
        if key not in ("metrics", "evaluations") and value is not None:
            typer.echo(f"{key:<30} {value}")
    _tell_metrics("where it was made", shown["metrics"], "")
    for each in judged:
        _tell_metrics(f"{each.data}, {each.rows:,} rows", each.metrics, each.note)


def _tell_metrics(heading: str, metrics: dict[str, Any], note: str) -> None:
    typer.echo(f"{heading}:" + (f" ({note})" if note else ""))
    for metric, value in metrics.items():
        typer.echo(f"  {metric:<28} {value:,}")
