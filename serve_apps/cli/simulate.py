"""`aiqleads simulate`: pricing policies in a simulated market. Needs no installation."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from models_ml.pricing.churn import Churn


class Scenario(StrEnum):
    """As `models_ml.pricing.simulation.terms.SCENARIOS` has them."""

    stationary = "stationary"
    rhythm = "rhythm"
    shock = "shock"
    rival = "rival"
    bots = "bots"
    collusion = "collusion"
    all = "all"


def simulate(
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="What the market is like; repeat for several.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Worlds to run.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of the seeds.")] = 1,
    days: Annotated[
        int | None, typer.Option(min=2, max=365, help="Days over which leads are listed.")
    ] = None,
    leads: Annotated[
        int | None, typer.Option(min=50, max=50_000, help="Leads listed in them.")
    ] = None,
    policies: Annotated[
        str, typer.Option(help="Policies, separated by commas; without it all there are.")
    ] = "",
    captures: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Fit the churn to a folder of captured sources."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page with pictures (HTML).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the tables as Markdown.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worlds at a time; else as many as cores.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="End with exit code 1 if a target is missed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer as JSON on standard output.")
    ] = False,
) -> None:
    """Compare pricing policies in a simulated market, on the real book."""
    from models_ml.pricing.simulation.compare import known_policies
    from models_ml.pricing.simulation.picture import page_of
    from models_ml.pricing.simulation.scenarios import Asked, all_scenarios
    from models_ml.pricing.simulation.scenarios import simulate as run
    from serve_apps.cli.simulate_report import as_json as json_of
    from serve_apps.cli.simulate_report import as_markdown, churn_lines, show

    churn = None if captures is None else _churn(captures)
    chosen = scenario or [Scenario.stationary]
    asked = Asked(
        scenarios=(
            tuple(all_scenarios())
            if Scenario.all in chosen
            else tuple(dict.fromkeys(each.value for each in chosen))
        ),
        policies=(
            tuple(dict.fromkeys(name.strip() for name in policies.split(",")))
            if policies
            else known_policies()
        ),
        seeds=seeds,
        first_seed=first_seed,
        days=days,
        leads=leads,
        churn=churn,
        processes=processes,
    )
    try:
        with seeds_bar(seeds * len(asked.scenarios)) as on_seed:
            summaries = run(asked, on_seed)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if out is not None:
        out.write_text(page_of(summaries), encoding="utf-8")
    if report is not None:
        report.write_text(as_markdown(summaries), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(json_of(summaries, churn), indent=2))
    else:
        for line in churn_lines(churn) if churn is not None else ():
            typer.echo(line)
        show(summaries, Console())
    raise typer.Exit(1 if check and not all(each.passed for each in summaries) else 0)


def _churn(captures: Path) -> Churn:
    """Fitted to the captures, or an end that says what is missing."""
    from models_ml.pricing.churn import churn_in
    from models_ml.resolution.captured import NotMeasured

    try:
        return churn_in(captures)
    except (NotMeasured, ValueError) as missing:
        typer.echo(f"{captures}: {missing}", err=True)
        raise typer.Exit(2) from missing


@contextlib.contextmanager
def seeds_bar(seeds: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error that moves with every seed that is done."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("simulating", total=seeds)
        yield lambda scenario: progress.update(bar, advance=1, description=scenario)
