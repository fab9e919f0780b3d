"""`aiqleads eval`: quality on captures with known answers. Needs no installation.

Every command takes a folder shaped like the captures, prints a table and ends with exit
code 1 where a threshold is missed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

evaluations = typer.Typer(
    help="Measure quality on captures with known answers; needs no installation.",
    no_args_is_help=True,
)
Captures = Annotated[
    Path,
    typer.Option(
        envvar="AIQLEADS_CAPTURES",
        exists=True,
        file_okay=False,
        help="A folder of captured sources.",
    ),
]
Train = Annotated[
    Path | None,
    typer.Option(
        exists=True, file_okay=False, help="Captures to learn from; never those measured on."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]
Report = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Also write the whole report as Markdown.")
]


class Part(StrEnum):
    """What `aiqleads eval fraud` measures."""

    ADVERTISERS = "advertisers"
    LISTINGS = "listings"
    CAPTURED = "captured"


_FOLDERS = "name a folder that holds one for each source, such as craigslist/ or zillow/"


@evaluations.command()
def parsing(
    captures: Captures, train: Train = None, as_json: Json = False, report: Report = None
) -> None:
    """Parse every captured document; compare field by field where answers are known."""
    from serve_apps.cli.evaluate_parsing import evaluate
    from serve_apps.cli.parsing_report import as_json as json_of
    from serve_apps.cli.parsing_report import as_markdown, as_text
    from serve_apps.cli.steps import StepFailed, Steps

    del train  # Parsers learn nothing; the option is there so that all evaluations read alike.
    steps = Steps()
    try:
        with steps.step("every captured document", remedy=_FOLDERS) as step:
            outcome = evaluate(captures)
            step.detail = f"{sum(tally.files for tally in outcome.files):,} files"
    except StepFailed as failure:
        steps.failed(failure)
        raise typer.Exit(2) from failure
    if report is not None:
        report.write_text(as_markdown(outcome), encoding="utf-8")
    typer.echo(json.dumps(json_of(outcome), indent=2) if as_json else as_text(outcome))
    raise typer.Exit(0 if outcome.passed else 1)


@evaluations.command()
def resolution(
    captures: Captures,
    train: Train = None,
    as_json: Json = False,
    report: Report = None,
    sample_records: Annotated[
        int, typer.Option(min=1_000, help="Records in the sample world that decides.")
    ] = 100_000,
    seed: Annotated[
        int | None, typer.Option(help="Seed of that world; never one of the training.")
    ] = None,
) -> None:
    """Resolve the labelled captures and a sample world; which records are one lead?"""
    from models_ml.resolution.evaluate import EVALUATION_SEED, evaluate
    from serve_apps.cli.resolution_report import as_json as json_of
    from serve_apps.cli.resolution_report import as_markdown

    del train  # The weights come from sample worlds alone (models_ml/resolution/train.py).
    with reading_bar(sample_records) as on_records:
        try:
            outcome = evaluate(
                captures,
                sample_records=sample_records,
                seed=EVALUATION_SEED if seed is None else seed,
                on_records=on_records,
            )
        except ValueError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
    if report is not None:
        report.write_text(as_markdown(outcome), encoding="utf-8")
    typer.echo(json.dumps(json_of(outcome), indent=2) if as_json else as_markdown(outcome))
    raise typer.Exit(0 if outcome.passed else 1)


@evaluations.command()
def value(captures: Captures, train: Train = None, as_json: Json = False) -> None:
    """The shipped base value's figures, and whether comparables tell what becomes of a home."""
    from models_ml.value.captured_market import NotMeasured, evaluate_captures
    from models_ml.value.value_model import load

    del train  # The base value is trained by `aiqleads models train value`.
    model = load()
    metadata = model.metadata
    if metadata is None:
        typer.echo(f"the packaged model can't be used: {model.reason}", err=True)
        raise typer.Exit(1)
    try:
        captured = evaluate_captures(captures)
    except NotMeasured as missing:
        typer.echo(f"{missing}; {_FOLDERS}", err=True)
        raise typer.Exit(2) from missing
    found = {"trained_on": metadata.trained_on, "metrics": metadata.metrics}
    counted = captured._asdict() | {
        name: getattr(captured, name)._asdict() for name in ("left", "cut")
    }
    if as_json:
        typer.echo(json.dumps(found | {"captured": counted}, indent=2))
        return
    typer.echo(f"trained on {metadata.trained_on}")
    for metric, number in metadata.metrics.items():
        typer.echo(f"  {metric:<22} {number:,}")
    typer.echo(f"captured: {captured.came} homes came in {captured.days} days, by their price")
    for name, told in (("left the market", captured.left), ("price was cut", captured.cut)):
        typer.echo(
            f"  {name:<16} {told.share:.0%} within 28 days; cheaper half {told.cheaper_half:.0%},"
            f" dearer {told.dearer_half:.0%}; AUC {told.auc:.2f}"
            f" ({told.auc_least:.2f} to {told.auc_most:.2f}; 0.5 tells nothing)"
        )


@evaluations.command()
def fraud(
    captures: Captures,
    train: Train = None,
    as_json: Json = False,
    report: Report = None,
    model: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Also write the model of the training table there."),
    ] = None,
    part: Annotated[
        list[Part] | None, typer.Option(help="Only this part; may be repeated.")
    ] = None,
) -> None:
    """Who is a scammer: advertisers of a labelled table, learnt from --train, or cross-validated
    of one folder; listings of a sample world of another seed; and captured listings."""
    from models_ml.artefact import Unusable
    from models_ml.fraud.advertisements import NotMeasured
    from models_ml.fraud.advertiser_model import write
    from serve_apps.cli.fraud_report import as_json as json_of
    from serve_apps.cli.fraud_report import as_markdown
    from serve_apps.cli.fraud_trial import trial

    try:
        outcome = trial(train, captures, lambda step: typer.echo(step, err=True), part or [*Part])
    except (NotMeasured, Unusable, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if model is not None and outcome.advertiser_model is not None:
        write(model, *outcome.advertiser_model)
    if report is not None:
        report.write_text(as_markdown(outcome), encoding="utf-8")
    typer.echo(json.dumps(json_of(outcome), indent=2) if as_json else as_markdown(outcome))
    raise typer.Exit(0 if outcome.passed else 1)


@evaluations.command()
def recommend(
    captures: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Captured homes; else a sample world's."),
    ] = None,
    train: Train = None,
    as_json: Json = False,
    report: Report = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the sample world; never one of the training.")
    ] = 77,
) -> None:
    """Recommendations to simulated buyers with hidden tastes, beside other ways to rank; with
    --train by a model fitted on that folder's homes, else by the packaged one."""
    from models_ml.artefact import Unusable
    from models_ml.embedding.weights import NoWeights
    from serve_apps.cli.recommend_report import as_json as json_of
    from serve_apps.cli.recommend_report import as_markdown
    from serve_apps.cli.recommend_trial import trial

    try:
        outcome = trial(captures, train, seed, lambda step: typer.echo(step, err=True))
    except (NoWeights, Unusable, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if report is not None:
        report.write_text(as_markdown(outcome), encoding="utf-8")
    typer.echo(json.dumps(json_of(outcome), indent=2) if as_json else as_markdown(outcome))
    raise typer.Exit(0 if outcome.passed else 1)


@contextlib.contextmanager
def reading_bar(records: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that moves with the sample world's records."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("sample world", total=records)
        yield lambda count: progress.advance(bar, count)
