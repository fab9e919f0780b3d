"""`aiqleads models drift`: whether what a version is asked about is still what it learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from models_ml.drift_page import as_html
from serve_apps.cli.model_words import Json, Name, answer, reported, table, with_registry
from serve_apps.cli.models import models
from serve_apps.scoring import operations


@models.command()
def drift(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Without: the live one.")] = None,
    days: Annotated[int, typer.Option(min=1, max=90)] = 7,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the report as a page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Features against the training rows, scores, and calibration by reviewers' labels."""
    with reported() as steps:
        found = with_registry(lambda _, pool: operations.drift_of(pool, name, version, days))
        if html is not None:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(as_html(found), encoding="utf-8")
            steps.say(f"the page is {html}")
    if as_json:
        answer(msgspec.to_builtins(found))
        return
    typer.echo(f"{name} version {found.version}: {found.rows:,} rows of {days} days {found.note}")
    if found.features:
        rows = [(each.feature, each.stability_index, each.verdict) for each in found.features]
        table(("feature", "stability index", ""), rows[:20])
    if found.calibration_error is not None:
        typer.echo(f"calibration error by reviewers' labels: {found.calibration_error:.3f}")
