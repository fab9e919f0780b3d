"""`aiqleads eval`: quality on captures with known answers. Needs no installation.

Every command takes a folder shaped like the captures, prints a table and ends with exit
code 1 where a threshold is missed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def reading_bar(records: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that moves with the sample world's records."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("sample world", total=records)
        yield lambda count: progress.advance(bar, count)
